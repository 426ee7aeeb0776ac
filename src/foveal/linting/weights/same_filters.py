"""W206: filters of one layer that are all the same, and so remain."""

from __future__ import annotations

from torch import nn

from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, NotApplicable, Outcome
from foveal.linting.rule import Rule
from foveal.linting.weights.stored import NO_VALUES, filters, weighted_layers

# A network that adds zero branches to its trunk has up to half of its layers at zero.
_NEARLY_ALL = 0.75


def check(context: LintContext) -> Outcome:
    """Finds trainable layers whose output channels have identical weights.

    They give one result, get one gradient and stay alike: a layer of one unit (Goodfellow et
    al. 2016, "Deep Learning", section 8.4, on breaking symmetry). Layers of zeros end branches
    on purpose; only where nearly all layers are zero is that a finding.
    """
    if not context.has_values:
        return NO_VALUES
    layers = [
        (path, filters(module, weight))
        for path, module, weight in weighted_layers(context)
        if _may_train(module)
    ]
    layers = [(path, rows) for path, rows in layers if rows.shape[0] > 1]
    if not layers:
        return NotApplicable("no trainable layer has two filters or more")
    same = [(path, bool(rows.any())) for path, rows in layers if bool((rows == rows[:1]).all())]
    zero = [path for path, has_values in same if not has_values]
    constant = [path for path, has_values in same if has_values]
    found = constant + (zero if len(zero) > _NEARLY_ALL * len(layers) else [])
    if not found:
        return Checked()
    return Checked(
        (
            Finding(
                "W206",
                "error",
                found[0],
                f"All filters of {found[0]} are the same"
                + (f", and so it is in {len(found)} of {len(layers)} layers" if found[1:] else "")
                + ": they give one result and get one gradient, so training cannot make them "
                "differ.",
                "Draw the weights at random (kaiming_normal_, or PyTorch's default).",
                data={"num_layers": len(found)},
            ),
        )
    )


def _may_train(module: nn.Module) -> bool:
    """Whether it trains and its filters read the same channels; a blur is fixed or depthwise."""
    is_trainable = isinstance(module.weight, nn.Parameter) and module.weight.requires_grad
    return is_trainable and getattr(module, "groups", 1) == 1


RULE = Rule("W206", "filters that are all the same", "error", check, (1,))

"""S117: batch norms that could be part of a convolution by now."""

from __future__ import annotations

from torch import nn

from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, NotApplicable, Outcome
from foveal.linting.rule import Rule
from foveal.models.surgery.fold_batch_norm import foldable_pairs


def check(context: LintContext) -> Outcome:
    """Counts batch norms of a model in evaluation mode that a convolution can absorb.

    Then y = γ / √(σ² + ε) · x + (β - γ μ / √(σ² + ε)) is a fixed map of each channel.
    """
    norms = [m for m in context.modules.values() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    if not norms:
        return NotApplicable("there is no batch norm")
    if any(norm.training for norm in norms):
        return NotApplicable("the model is in training mode, where batch norm is at work")
    pairs = foldable_pairs(context.model, context.graph)
    if not pairs:
        return Checked()
    numbers = sum(4 * norm.num_features for _, norm in pairs.values())
    return Checked(
        (
            Finding(
                "S117",
                "info",
                "",
                f"{len(pairs)} of {len(norms)} batch norms follow a convolution that nothing else "
                f"reads; folded into it they spare {len(pairs)} of {len(context.graph.ops)} "
                f"operations and {numbers:,} stored numbers.",
                "For deployment, and not before training is over, fold them: "
                "foveal.linting.fix(model, finding).",
                fix_id="fold-batch-norm",
                data={
                    "num_foldable": len(pairs),
                    "num_batch_norms": len(norms),
                    "layers": {norm: conv for norm, (conv, _) in pairs.items()},
                },
            ),
        )
    )


RULE = Rule("S117", "batch norm that could be folded", "info", check, (27,))

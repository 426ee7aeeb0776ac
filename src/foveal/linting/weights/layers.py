"""Weights of convolutions and linear layers: W201, W202, W205, W206."""

from __future__ import annotations

import torch
from torch import nn

from foveal.draw.numbers import percent
from foveal.linting.context import LintContext
from foveal.linting.finding import CannotTellError, Checked, Finding, NotApplicable, Outcome
from foveal.linting.weights.start_values import MIN_WEIGHTS, describe_start
from foveal.linting.weights.stored import NO_VALUES, filters, has_signs_of_training, weighted_layers
from foveal.text import count_noun


def non_finite_weights(context: LintContext) -> Outcome:
    """Finds parameters and buffers with NaN or infinity in them.

    Buffers that only attention reads may hold -inf on purpose, as masks; they are not looked at.
    """
    if not context.has_values:
        return NO_VALUES
    found = []
    tensors = [("parameter", *item) for item in context.parameters.items()]
    statistics = ("running_mean", "running_var")
    tensors += [
        ("buffer", name, tensor)  # type: ignore[misc]
        for name, tensor in context.buffers.items()
        if name.rpartition(".")[2] in statistics or bool(torch.isnan(tensor).any())
    ]
    for what, name, tensor in tensors:
        if not tensor.is_floating_point() or bool(torch.isfinite(tensor).all()):
            continue
        num_nan = int(torch.isnan(tensor).sum())
        num_infinite = int(torch.isinf(tensor).sum())
        found.append(
            Finding(
                "W201",
                "error",
                name,
                f"The {what} {name} has {num_nan:,} NaN and {num_infinite:,} infinite values "
                f"among {tensor.numel():,}.",
                "Go back to the last checkpoint without them; then lower the learning rate, clip "
                "gradients, or train in float32 or bfloat16 instead of float16.",
                data={"nan": num_nan, "infinite": num_infinite, "numel": tensor.numel()},
            )
        )
    return Checked(tuple(found))


# Relative to the layer's median filter: float32 rounds at 1e-7.
RELATIVE_NORM = 1e-6
WARNING_SHARE = 0.25


def dead_filters(context: LintContext) -> Outcome:
    """Finds output channels whose weights are zero, or nothing beside the layer's others.

    A layer that is zero as a whole is the zero initialisation of a residual branch (Goyal et
    al. 2017; ControlNet's zero convolutions), an information. Scales of batch norm are not
    looked at: zero there is common and often meant.
    """
    if not context.has_values:
        return NO_VALUES
    layers = list(weighted_layers(context))
    if not layers:
        return NotApplicable("there is no convolution and no linear layer")
    found = []
    few: list[tuple[float, str, int, int]] = []
    for path, module, weight in layers:
        norms = filters(module, weight).norm(dim=1)
        norms = norms[torch.isfinite(norms)]
        if not norms.numel() or norms.numel() == 1:
            continue
        median = float(norms.median())
        dead = norms <= RELATIVE_NORM * median
        num_dead, num_filters = int(dead.sum()), norms.numel()
        if not num_dead:
            continue
        share = num_dead / num_filters
        all_zero = num_dead == num_filters
        if share < WARNING_SHARE:
            few.append((share, path, num_dead, num_filters))
            continue
        found.append(
            Finding(
                "W202",
                "info" if all_zero else "warning",
                path,
                f"All {num_filters:,} filters of {path} are zero: it adds nothing yet."
                if all_zero
                else f"{num_dead:,} of {num_filters:,} filters of {path} ({percent(share)}) have "
                "a norm "
                f"below {RELATIVE_NORM * median:.1e}, where the median is {median:.2g}: their "
                "output is the same everywhere in every image.",
                "Nothing, if the layer was started at zero on purpose and is still to be trained."
                if all_zero
                else "Remove the channels (they cost time and give nothing), or look for what "
                "killed them: too large a learning rate, weight decay, or pruning.",
                data={"num_dead": num_dead, "num_filters": num_filters, "median_norm": median},
            )
        )
    if few:
        found.append(_scattered(few, sum(weight.shape[0] for _, _, weight in layers)))
    return Checked(tuple(found))


def _scattered(few: list[tuple[float, str, int, int]], num_filters: int) -> Finding:
    """One finding for the few dead filters that most trained networks have here and there."""
    _, worst, most, of_it = max(few)
    num_dead = sum(count for _, _, count, _ in few)
    return Finding(
        "W202",
        "info",
        worst,
        f"{count_noun(num_dead, 'filter')} of {num_filters:,} "
        + ("has" if num_dead == 1 else "have")
        + f" weights of zero, in {count_noun(len(few), 'layer')}; most of them in {worst} "
        f"({most:,} of {of_it:,}). Their output is the same everywhere in every image.",
        "Harmless. Removing the channels makes the network a little faster and changes nothing.",
        data={"num_dead": num_dead, "layers": {path: count for _, path, count, _ in few}},
    )


def left_at_start(context: LintContext) -> Outcome:
    """Finds layers that look freshly drawn in a network that was trained.

    A checkpoint that was loaded with ``strict=False`` leaves such layers without a warning. The
    last layer is new on purpose whenever a network is given new classes: an information.
    """
    if not context.has_values:
        return NO_VALUES
    if not context.is_pretrained and not has_signs_of_training(context):
        return NotApplicable("nothing here says that the network was trained")
    tested = [
        (path, weight.numel(), describe_start(module, weight))
        for path, module, weight in weighted_layers(context)
        if weight.numel() >= MIN_WEIGHTS
    ]
    if not tested:
        return NotApplicable(f"no layer has {MIN_WEIGHTS:,} weights, too few to tell")
    new = [(path, count, start) for path, count, start in tested if start is not None]
    if len(new) == len(tested) and context.is_pretrained and not has_signs_of_training(context):
        return Checked((_all_new(context, len(new)),))
    if len(new) == len(tested) and not context.is_pretrained:
        # Statistics move in any pass in training mode, a dry run of a new network included.
        return NotApplicable("no layer here looks trained")
    heads = _head_layers(context)
    return Checked(
        tuple(
            Finding(
                "W205",
                "info" if path in heads else "warning",
                path,
                f"The {count:,} weights of {path} are {start}, exactly as drawn at the start; "
                f"{len(tested) - len(new)} of {len(tested)} layers look trained.",
                "Train this layer before the network is used; it is the last one, so that is "
                "expected for new classes."
                if path in heads
                else "Compare the checkpoint's names with the model's (load_state_dict with "
                "strict=True): this layer was not in it.",
                data={"weights": count, "start": start, "num_trained": len(tested) - len(new)},
            )
            for path, count, start in new
        )
    )


def _all_new(context: LintContext, num_layers: int) -> Finding:
    return Finding(
        "W205",
        "error",
        "",
        f"All {num_layers} layers of {type(context.model).__name__} look freshly drawn, though "
        "the weights are said to be trained.",
        "Load the checkpoint: it was not, or into another object.",
        data={"num_new": num_layers},
    )


def _head_layers(context: LintContext) -> frozenset[str]:
    try:
        names = context.head.linear_layers
        return frozenset(context.graph.op(name).module_path for name in names)
    except CannotTellError:
        # Without a graph the last layer that was registered is the best guess.
        last = [path for path, _, _ in weighted_layers(context)][-1:]
        return frozenset(last)


# A network that adds zero branches to its trunk has up to half of its layers at zero.
_NEARLY_ALL = 0.75


def same_filters(context: LintContext) -> Outcome:
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

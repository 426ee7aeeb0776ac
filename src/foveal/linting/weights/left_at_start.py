"""W205: layers that training never reached."""

from __future__ import annotations

from foveal.linting.context import LintContext
from foveal.linting.finding import CannotTellError, Checked, Finding, NotApplicable, Outcome
from foveal.linting.rule import Rule
from foveal.linting.weights.start_values import MIN_WEIGHTS, describe_start
from foveal.linting.weights.stored import NO_VALUES, has_signs_of_training, weighted_layers


def check(context: LintContext) -> Outcome:
    """Finds layers that look freshly drawn in a network that was trained.

    A checkpoint that was loaded with ``strict=False`` leaves such layers without a word. The
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


RULE = Rule("W205", "layer left at its initialisation", "error", check, (10, 13))

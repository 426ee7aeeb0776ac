"""W203: batch norms that never saw data."""

from __future__ import annotations

import torch

from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, Outcome
from foveal.linting.rule import Rule
from foveal.linting.weights.stored import (
    NO_BATCH_NORM,
    NO_VALUES,
    has_signs_of_training,
    is_uneven,
    is_untouched,
    running_norms,
)


def check(context: LintContext) -> Outcome:
    """Finds running statistics of mean 0 and variance 1 in a network that was trained.

    A new network has them everywhere, which is no finding: what counts is that the rest was
    trained. In evaluation mode such a layer normalises nothing.
    """
    if not context.has_values:
        return NO_VALUES
    norms = list(running_norms(context))
    if not norms:
        return NO_BATCH_NORM
    stale = [(path, norm) for path, norm in norms if is_untouched(norm)]
    if not stale or not (context.is_pretrained or has_signs_of_training(context)):
        return Checked()
    return Checked(
        tuple(
            Finding(
                "W203",
                "error",
                path,
                f"The {norm.num_features:,} channels of {path} have running mean 0 and variance 1 "
                "exactly, as a new layer has"
                + (", although its scale is trained" if _is_scaled(norm.weight) else "")
                + f" ({len(norms) - len(stale)} of {len(norms)} batch norms have statistics)"
                + _momentum(norm.momentum),
                "Load a checkpoint that has the buffers too (state_dict, not parameters() alone), "
                "or run training images through the network in train mode once.",
                data={"num_features": norm.num_features, "momentum": norm.momentum},
            )
            for path, norm in stale
        )
    )


def _is_scaled(scale: object) -> bool:
    return isinstance(scale, torch.Tensor) and is_uneven(scale)


def _momentum(momentum: float | None) -> str:
    return ": with momentum 0 they never move." if momentum == 0 else "."


RULE = Rule("W203", "batch norm that was never updated", "error", check, (27,))

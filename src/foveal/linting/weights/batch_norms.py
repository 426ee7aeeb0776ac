"""Running statistics of batch norms: W203, W204."""

from __future__ import annotations

import torch

from foveal.draw.numbers import percent
from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, Outcome
from foveal.linting.weights.stored import (
    NO_BATCH_NORM,
    NO_VALUES,
    has_signs_of_training,
    is_uneven,
    is_untouched,
    running_norms,
    running_statistics,
)
from foveal.text import count_noun


def stale_norm(context: LintContext) -> Outcome:
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


# Below this part of eps it is eps, not the data, that sets the scale.
PART_OF_EPS = 0.01
WARNING_SHARE = 0.25


def vanishing_variance(context: LintContext) -> Outcome:
    """Finds channels whose running variance has vanished beside ``eps``, or is negative.

    Their input was the same in every training image. Should it ever vary, it is multiplied
    by γ / √eps. Channels whose scale is zero too are switched off, and are no finding.
    """
    if not context.has_values:
        return NO_VALUES
    norms = list(running_norms(context))
    if not norms:
        return NO_BATCH_NORM
    found = []
    few: list[tuple[float, str, int, float]] = []
    for path, norm in norms:
        _, variance = running_statistics(norm)
        scale = torch.ones_like(variance)
        if norm.weight is not None:
            scale = norm.weight.detach().double().cpu().abs()
        negative = int((variance < 0).sum())
        if negative:
            found.append(_negative(path, negative, variance))
            continue
        gain = scale / (variance + norm.eps).sqrt()
        switched_off = scale <= 1e-3 * scale.median()
        gone = (variance < PART_OF_EPS * norm.eps) & ~switched_off
        num_gone, num_channels = int(gone.sum()), variance.numel()
        if not num_gone:
            continue
        share = num_gone / num_channels
        if share < WARNING_SHARE:
            few.append((share, path, num_gone, float(gain[gone].max())))
            continue
        found.append(
            Finding(
                "W204",
                "warning",
                path,
                f"{num_gone:,} of {num_channels:,} channels of {path} ({percent(share)}) have a "
                "running "
                f"variance below {PART_OF_EPS * norm.eps:.1e} (eps is {norm.eps:g}; the smallest "
                f"is {float(variance.min()):.1e}): they were constant in training, and any change "
                f"is multiplied by up to {float(gain[gone].max()):,.0f}.",
                "Look at the layer before it for dead filters or a saturated activation; channels "
                "that are constant can be removed.",
                data={
                    "num_channels": num_channels,
                    "num_vanishing": num_gone,
                    "smallest": float(variance.min()),
                    "largest_gain": float(gain[gone].max()),
                },
            )
        )
    if few:
        found.append(_scattered(few, sum(norm.num_features for _, norm in norms)))
    return Checked(tuple(found))


def _scattered(few: list[tuple[float, str, int, float]], num_channels: int) -> Finding:
    """One finding for the few constant channels that most trained networks have."""
    _, worst, most, _ = max(few)
    num_gone = sum(count for _, _, count, _ in few)
    largest = max(gain for _, _, _, gain in few)
    return Finding(
        "W204",
        "info",
        worst,
        f"{count_noun(num_gone, 'channel')} of {num_channels:,}, in "
        f"{count_noun(len(few), 'batch norm')}, had a variance of almost nothing in training "
        f"(below {PART_OF_EPS:g} of eps); most of them in {worst} ({most:,}). Should such a "
        f"channel ever vary, it is multiplied by up to {largest:,.0f}.",
        "Harmless while the inputs are like those of training; the filters before these channels "
        "are usually dead (W202).",
        data={"num_vanishing": num_gone, "layers": {path: count for _, path, count, _ in few}},
    )


def _negative(path: str, count: int, variance: torch.Tensor) -> Finding:
    return Finding(
        "W204",
        "error",
        path,
        f"{count:,} of {variance.numel():,} running variances of {path} are negative, down to "
        f"{float(variance.min()):.2g}; their square root is not a number.",
        "Load the checkpoint again; no training makes a negative variance.",
        data={"num_negative": count, "smallest": float(variance.min())},
    )

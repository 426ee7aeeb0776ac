"""Receptive fields, theoretical and effective; dilation, and what gridding leaves out."""

from __future__ import annotations

import math

import torch
from torch import nn

from foveal.errors import FovealError
from foveal.inspection import effective_receptive_field, inspect
from foveal.learn.labs.lab import (
    Chart,
    Lab,
    LabResult,
    Point,
    Series,
    Settings,
    find,
    mean_interval,
    spoken,
)

_SIDE_PX = 65
_LARGEST_PX = 512
# Dilations of the stacked 3×3 layers.
_STACKS: tuple[tuple[str, tuple[int, ...]], ...] = (
    ("1, 1, 1, 1, 1, 1", (1, 1, 1, 1, 1, 1)),
    ("2, 2, 2, 2, 2, 2", (2, 2, 2, 2, 2, 2)),
    ("1, 2, 3, 1, 2, 3", (1, 2, 3, 1, 2, 3)),
)


def run(settings: Settings) -> LabResult:
    """Measures the field that a unit can see, the one that it uses, and the pixels between."""
    num_images = 2 if settings.is_small else 8
    rows, theoretical, effective = [], [], []
    gap_shares: dict[str, float] = {}
    differences: list[float] = []
    stacks = _STACKS if settings.model is None else ((settings.model_name, ()),)
    side = _SIDE_PX if settings.model is None else _large_enough(settings)
    for done, (name, dilations) in enumerate(stacks):
        used, seen_px, unread = [], 0, 0.0
        for seed in settings.seeds:
            network = settings.model if settings.model is not None else _stack(dilations, seed)
            table = inspect(network, (_num_channels(settings), side, side))
            field = effective_receptive_field(network, table, num_images=num_images, seed=seed)
            seen_px = min(field.theoretical_px or (side, side))
            used.append(float(max(field.mass_px)))
            window = field.strength
            if field.theoretical is not None:
                rows_seen, columns_seen = (_inside(span, side) for span in field.theoretical)
                window = window[rows_seen, columns_seen]
            unread = float((window == 0).mean())
        settings.progress(done + 1, len(stacks))
        share = mean_interval(used)
        gap_shares[name] = unread
        differences += [seen_px - one for one in used]
        theoretical.append(Point(name, mean_interval([float(seen_px)])))
        effective.append(Point(name, share))
        rows.append((name, f"{seen_px}", spoken(share, digits=1), f"{100 * unread:.0f}%"))
    finding = find(mean_interval(differences))
    return LabResult(
        header=(_rows_are(settings), "can see (px)", "95% of the influence", "never read"),
        rows=tuple(rows),
        chart=Chart(
            title="What a unit can see and what it uses",
            x_label=_rows_are(settings),
            y_label="side in pixels",
            series=(
                Series("can see", tuple(theoretical)),
                Series("95% of the influence", tuple(effective)),
            ),
        ),
        finding=finding,
        sentence="95% of the influence on one unit comes from "
        f"{spoken(effective[0].value, digits=1)} pixels, where it can see "
        f"{theoretical[0].value.estimate:.0f}."
        + (
            f" With dilation 2 everywhere, {100 * gap_shares['2, 2, 2, 2, 2, 2']:.0f}% of the "
            "pixels in its field are never read."
            if settings.model is None
            else ""
        ),
        answer="smaller" if finding == "shown" else "",
        notes=() if settings.model is None else (_what_fits(side, theoretical[0]),),
    )


def _rows_are(settings: Settings) -> str:
    return "dilations of six 3×3" if settings.model is None else "network"


def _num_channels(settings: Settings) -> int:
    return 3 if settings.input_shape is None else settings.input_shape[0]


def _large_enough(settings: Settings) -> int:
    """Returns a side that the field of the network's last map fits into, as far as it may."""
    made_for = _SIDE_PX if settings.input_shape is None else max(settings.input_shape[1:])
    assert settings.model is not None
    shape = (_num_channels(settings), made_for, made_for)
    network = settings.model
    field = effective_receptive_field(network, inspect(network, shape), num_images=1)
    needed = max(field.theoretical_px or (made_for, made_for))
    if needed <= made_for:
        return made_for
    # The unit in the middle lies up to a stride beside the image's middle.
    side = min(_LARGEST_PX, 32 * math.ceil(1.1 * needed / 32))
    try:
        inspect(network, (_num_channels(settings), side, side))
    except FovealError:
        return made_for  # It takes images of one size alone.
    return side


def _what_fits(side: int, seen: Point) -> str:
    needed = seen.value.estimate or 0.0
    fits = (
        "which its field fits into"
        if needed <= side
        else (
            f"which is less than its field of {needed:.0f} px, so the influence is cut off at the "
            "border and the effective field is at least what is said here"
        )
    )
    return f"Measured on white noise of {side}×{side} px, {fits}."


def _inside(span: tuple[int, int], side: int) -> slice:
    return slice(max(0, span[0]), min(side, span[1] + 1))


def _stack(dilations: tuple[int, ...], seed: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        channels = (3, *(8 for _ in dilations))
        return nn.Sequential(
            *(
                nn.Conv2d(channels[k], channels[k + 1], 3, padding=dilation, dilation=dilation)
                for k, dilation in enumerate(dilations)
            )
        )


LAB = Lab(
    name="receptive-field",
    title="Receptive fields: what a unit can see, and what it uses",
    topics=(15, 12, 1),
    question="A unit's theoretical receptive field has 13×13 pixels. Where does most of the "
    "influence on it come from?",
    choices=(
        ("even", "Evenly from all 13×13 pixels"),
        ("smaller", "From a clearly smaller field in the middle"),
        ("border", "From the border of the field"),
    ),
    explanation="The middle pixels reach the unit along many paths, those at the border along one, "
    "so the influence falls off like a bell (Luo et al. 2016). Dilation widens the field without "
    "parameters. Stacked with one and the same rate it reads only every second pixel: gridding. "
    "Rates such as 1, 2, 3 close the gaps.",
    run=run,
    seconds=20,
    takes_model=True,
)

"""Receptive fields, theoretical and effective; dilation, and what gridding leaves out."""

from __future__ import annotations

import torch
from torch import nn

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
    for done, (name, dilations) in enumerate(stacks):
        used, seen_px, unread = [], 0, 0.0
        for seed in settings.seeds:
            network = settings.model if settings.model is not None else _stack(dilations, seed)
            table = inspect(network, (3, _SIDE_PX, _SIDE_PX))
            field = effective_receptive_field(network, table, num_images=num_images, seed=seed)
            seen_px = min(field.theoretical_px or (_SIDE_PX, _SIDE_PX))
            used.append(float(max(field.mass_px)))
            window = field.strength
            if field.theoretical is not None:
                window = window[_inside(field.theoretical[0]), _inside(field.theoretical[1])]
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
        header=("dilations of six 3×3", "can see (px)", "95% of the influence", "never read"),
        rows=tuple(rows),
        chart=Chart(
            title="What a unit can see and what it uses",
            x_label="dilations of six 3×3 layers",
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
    )


def _inside(span: tuple[int, int]) -> slice:
    return slice(max(0, span[0]), min(_SIDE_PX, span[1] + 1))


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

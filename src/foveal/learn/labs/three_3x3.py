"""Three 3×3 convolutions and one 7×7: what they see, what they cost, what they can do."""

from __future__ import annotations

import torch
from torch import nn

from foveal.arithmetic import convolution_macs, convolution_parameters
from foveal.inspection import inspect
from foveal.learn.labs.lab import (
    Chart,
    Lab,
    LabResult,
    Point,
    Series,
    Settings,
    mean_interval,
    ratio_interval,
    spoken,
)
from foveal.learn.labs.timing import forward, take_turns


def run(settings: Settings) -> LabResult:
    """Counts parameters, reads receptive fields off the graph, and takes the time of both."""
    channels, side = (8, 14) if settings.is_small else (64, 56)
    large = nn.Conv2d(channels, channels, 7, padding=3, bias=False)
    small = nn.Sequential(
        *(
            layer
            for _ in range(3)
            for layer in (nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.ReLU())
        )
    )
    shape = (channels, side, side)
    fields = [
        seen.size
        for one in (large, small)
        if (seen := inspect(one, shape).totals.receptive_field) is not None
    ]
    parameters = [
        count * convolution_parameters(channels, channels, kernel=(k, k), bias="no bias")
        for count, k in ((1, 7), (3, 3))
    ]
    macs = [
        count * convolution_macs(channels, channels, kernel=(k, k), output_size=(side, side))
        for count, k in ((1, 7), (3, 3))
    ]
    images = torch.randn(4, *shape)
    seconds = take_turns(
        [forward(large, images), forward(small, images)], num_turns=4 * settings.num_seeds
    )
    settings.progress(1, 1)
    faster = ratio_interval(*seconds)
    saved = parameters[0] / parameters[1]
    is_faster = faster.low is not None and faster.low > 1
    is_same_field = fields[0] == fields[1]
    return LabResult(
        header=("stack", "field", "parameters", "MACs", "seconds"),
        rows=tuple(
            (name, f"{field[0]}×{field[1]}", f"{p:,}", f"{m:,}", spoken(mean_interval(s), digits=4))
            for name, field, p, m, s in zip(
                ("one 7×7", "three 3×3"), fields, parameters, macs, seconds, strict=True
            )
        ),
        chart=Chart(
            title="What one 7×7 needs, as a multiple of three 3×3",
            x_label="what is compared",
            y_label="7×7 divided by three 3×3",
            series=(
                Series(
                    "ratio",
                    (
                        Point("parameters", mean_interval([saved])),
                        Point("MACs", mean_interval([macs[0] / macs[1]])),
                        Point("measured time", faster),
                    ),
                ),
            ),
        ),
        finding="shown" if is_same_field and saved > 1 else "not shown",
        sentence=f"Both see {fields[1][0]}×{fields[1][1]} pixels. Three 3×3 have {saved:.2f} times "
        f"fewer parameters (27 C² against 49 C²) and took {spoken(faster, digits=2)} times less "
        f"time here{'' if is_faster else ', which is no clear gain'}.",
        answer="fewer" if is_same_field and saved > 1 else "",
    )


LAB = Lab(
    name="three-3x3",
    title="Three 3×3 against one 7×7",
    topics=(5,),
    question="Three 3×3 convolutions with stride 1 stand in a row. Against one 7×7 of as many "
    "channels, what do they see and what do they cost?",
    choices=(
        ("fewer", "The same field of 7, with fewer parameters"),
        ("less field", "A field of 5, with fewer parameters"),
        ("more", "The same field of 7, with more parameters"),
    ),
    explanation="Every 3×3 adds 2 to the field: 1, 3, 5, 7. Three of them have 3 · 9 = 27 weights "
    "for each pair of channels, one 7×7 has 49. And there are three nonlinearities instead of "
    "one. This is the idea of VGG.",
    run=run,
    seconds=10,
)

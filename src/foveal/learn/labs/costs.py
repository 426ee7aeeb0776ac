"""What a bottleneck of 1×1 convolutions saves: counted, and measured."""

from __future__ import annotations

import torch
from torch import nn

from foveal.arithmetic import convolution_macs, convolution_parameters
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
    """Counts and times a 3×3 convolution against 1×1, 3×3, 1×1 with a quarter of the channels."""
    wide, narrow, size = (64, 16, 14) if settings.is_small else (256, 64, 28)
    plain = nn.Conv2d(wide, wide, 3, padding=1, bias=False)
    bottleneck = nn.Sequential(
        nn.Conv2d(wide, narrow, 1, bias=False),
        nn.ReLU(),
        nn.Conv2d(narrow, narrow, 3, padding=1, bias=False),
        nn.ReLU(),
        nn.Conv2d(narrow, wide, 1, bias=False),
    )
    layers = ((wide, narrow, 1), (narrow, narrow, 3), (narrow, wide, 1))
    parameters = (
        convolution_parameters(wide, wide, kernel=(3, 3), bias="no bias"),
        sum(convolution_parameters(a, b, kernel=(k, k), bias="no bias") for a, b, k in layers),
    )
    macs = (
        convolution_macs(wide, wide, kernel=(3, 3), output_size=(size, size)),
        sum(convolution_macs(a, b, kernel=(k, k), output_size=(size, size)) for a, b, k in layers),
    )
    images = torch.randn(4, wide, size, size)
    seconds = take_turns(
        [forward(plain, images), forward(bottleneck, images)], num_turns=4 * settings.num_seeds
    )
    settings.progress(1, 1)
    counted = macs[0] / macs[1]
    measured = ratio_interval(*seconds)
    is_faster = measured.low is not None and measured.low > 1
    falls_short = measured.high is not None and measured.high < counted
    answer = "less" if is_faster and falls_short else "as counted" if is_faster else ""
    return LabResult(
        header=("block", "parameters", "MACs", "seconds"),
        rows=tuple(
            (name, f"{p:,}", f"{m:,}", spoken(mean_interval(s), digits=4))
            for name, p, m, s in zip(
                (f"3×3, {wide} → {wide}", f"1×1, 3×3, 1×1 over {narrow}"),
                parameters,
                macs,
                seconds,
                strict=True,
            )
        ),
        chart=Chart(
            title="How many times less the bottleneck needs",
            x_label="what is compared",
            y_label="3×3 divided by bottleneck",
            series=(
                Series(
                    "ratio",
                    (
                        Point("parameters", mean_interval([parameters[0] / parameters[1]])),
                        Point("MACs", mean_interval([counted])),
                        Point("measured time", measured),
                    ),
                ),
            ),
        ),
        finding="shown" if is_faster else "not shown",
        sentence=f"The bottleneck has {parameters[0] / parameters[1]:.1f} times fewer parameters "
        f"and {counted:.1f} times fewer MACs; it ran {spoken(measured, digits=1)} times as fast.",
        answer=answer,
        notes=("Times are of this machine while it did whatever else it was doing.",),
    )


LAB = Lab(
    name="costs",
    title="1×1 convolutions and what a bottleneck costs",
    topics=(7, 17, 20),
    question="A bottleneck needs about 8.5 times fewer multiplications than one 3×3 convolution "
    "of 256 channels. How much faster does it run here?",
    choices=(
        ("as counted", "As many times faster, or more"),
        ("less", "Faster, but less than the count promises"),
        ("slower", "No faster at all"),
    ),
    explanation="The first 1×1 convolution makes the channels few, the 3×3 works on few channels, "
    "and the last 1×1 brings the channels back. Parameters and multiplications fall together. "
    "Time falls less: three small layers read and write memory three times, and small matrix "
    "products use a processor less well than one large one.",
    run=run,
    seconds=5,
)

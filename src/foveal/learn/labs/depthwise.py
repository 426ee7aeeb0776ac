"""A depthwise separable convolution against an ordinary one: counted, and measured."""

from __future__ import annotations

import torch
from torch import nn

from foveal.arithmetic import convolution_macs
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
    """Counts and times both at several numbers of channels."""
    sizes = (
        ((16, 14), (32, 14)) if settings.is_small else ((32, 56), (64, 56), (128, 28), (256, 28))
    )
    counted, measured, rows = [], [], []
    for done, (channels, side) in enumerate(sizes):
        ordinary = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        separable = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False),
            nn.Conv2d(channels, channels, 1, bias=False),
        )
        area = (side, side)
        one = convolution_macs(channels, channels, kernel=(3, 3), output_size=area)
        two = convolution_macs(
            channels, channels, kernel=(3, 3), output_size=area, groups=channels
        ) + convolution_macs(channels, channels, kernel=(1, 1), output_size=area)
        images = torch.randn(4, channels, side, side)
        seconds = take_turns(
            [forward(ordinary, images), forward(separable, images)],
            num_turns=4 * settings.num_seeds,
        )
        ratio = ratio_interval(*seconds)
        counted.append(Point(str(channels), mean_interval([one / two])))
        measured.append(Point(str(channels), ratio))
        rows.append(
            (
                str(channels),
                f"{one:,}",
                f"{two:,}",
                f"{one / two:.2f}",
                spoken(ratio, digits=2),
            )
        )
        settings.progress(done + 1, len(sizes))
    pairs = list(zip(counted, measured, strict=True))
    num_less = sum(
        time.value.high is not None and time.value.high < (count.value.estimate or 0.0)
        for count, time in pairs
    )
    num_slower = sum(time.value.high is not None and time.value.high < 1 for _, time in pairs)
    answer = "slower" if num_slower == len(pairs) else "less" if num_less == len(pairs) else ""
    return LabResult(
        header=("channels", "MACs, 3×3", "MACs, separable", "counted", "measured"),
        rows=tuple(rows),
        chart=Chart(
            title="How many times less the separable convolution needs",
            x_label="number of channels",
            y_label="ordinary divided by separable",
            series=(
                Series("MACs, counted", tuple(counted)),
                Series("time, measured", tuple(measured)),
            ),
        ),
        finding="shown" if num_less == len(pairs) else "not shown",
        sentence=f"By count the separable convolution needs {rows[-1][3]} times fewer MACs at "
        f"{rows[-1][0]} channels; it ran {rows[-1][4]} times as fast. The time saved was less than "
        f"counted at {num_less} of {len(pairs)} sizes.",
        answer=answer,
        notes=("The count's ratio is 1 / (1/C + 1/9), which tends to 9.",),
    )


LAB = Lab(
    name="depthwise",
    title="Depthwise separable convolution: counted and measured",
    topics=(9, 23),
    question="A depthwise separable 3×3 convolution of 256 channels needs about 8.7 times fewer "
    "multiplications than an ordinary one. How does its time compare on this machine?",
    choices=(
        ("as counted", "About 8.7 times less time"),
        ("less", "Less time, but the gain is clearly smaller than counted"),
        ("slower", "More time than the ordinary one"),
    ),
    explanation="The depthwise part does nine multiplications for each value that it reads and "
    "writes, so it waits for memory. An ordinary convolution is one large matrix product that "
    "uses every value hundreds of times. MACs measure arithmetic, not time: on most processors "
    "the gain in time is a fraction of the gain in MACs.",
    run=run,
    seconds=10,
)

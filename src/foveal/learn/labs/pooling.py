"""What survives a small shift: max, average and global average pooling; and any input size."""

from __future__ import annotations

import torch
from torch import Tensor, nn

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

_POOLS: tuple[tuple[str, nn.Module], ...] = (
    ("no pooling", nn.Identity()),
    ("max, 2×2", nn.MaxPool2d(2)),
    ("average, 2×2", nn.AvgPool2d(2)),
    ("average, global", nn.AdaptiveAvgPool2d(1)),
)


def run(settings: Settings) -> LabResult:
    """Moves images by one pixel and measures how much each kind of pooling changes."""
    num_images = 8 if settings.is_small else 64
    changes: dict[str, list[float]] = {name: [] for name, _ in _POOLS}
    for done, seed in enumerate(settings.seeds):
        random = torch.Generator().manual_seed(seed)
        images = _smooth(torch.randn(num_images, 1, 36, 36, generator=random))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            layer = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU())
        with torch.no_grad():
            here, moved = layer(images[..., 1:-1, 1:-1]), layer(images[..., 1:-1, :-2])
            for name, pool in _POOLS:
                before, after = pool(here), pool(moved)
                changes[name].append(float((after - before).norm() / before.norm()))
        settings.progress(done + 1, settings.num_seeds)
    shown = {name: mean_interval(values) for name, values in changes.items()}
    gain = mean_interval(
        [a - b for a, b in zip(changes["no pooling"], changes["average, global"], strict=True)]
    )
    finding = find(gain)
    return LabResult(
        header=("pooling after one convolution", "change when moved by 1 px"),
        rows=tuple((name, spoken(value)) for name, value in shown.items()),
        chart=Chart(
            title="What a shift of one pixel changes",
            x_label="kind of pooling",
            y_label="change, as a share of the map",
            series=(Series("change", tuple(Point(name, one) for name, one in shown.items())),),
        ),
        finding=finding,
        sentence=f"A shift of one pixel changes the map by {spoken(shown['no pooling'])} without "
        f"pooling and by {spoken(shown['average, global'])} after global average pooling.",
        answer="global" if finding == "shown" else "",
        notes=(_sizes_note(),),
    )


def _smooth(images: Tensor) -> Tensor:
    """Returns images whose neighbours are alike, as those of photographs are."""
    return nn.functional.avg_pool2d(images, 5, stride=1, padding=2)


def _sizes_note() -> str:
    """Runs one network at three sizes; only global pooling makes that possible."""
    network = nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2)
    )
    with torch.no_grad():
        shapes = {tuple(network(torch.zeros(1, 1, side, side)).shape) for side in (24, 36, 61)}
    return (
        f"With global average pooling one network took 24, 36 and 61 pixels: {len(shapes)} shape."
    )


LAB = Lab(
    name="pooling",
    title="Max, average and global average pooling",
    topics=(8, 18),
    question="An image moves by one pixel. After which of these does the result change least?",
    choices=(
        ("none", "Directly after the convolution"),
        ("max", "After max pooling over 2×2"),
        ("average", "After average pooling over 2×2"),
        ("global", "After global average pooling"),
    ),
    explanation="A convolution's map moves with the image, so value by value it changes. "
    "Pooling over 2×2 hides part of a small move: max keeps the strongest response wherever it "
    "is in its window, average smooths. Global average pooling sums over all positions, so only "
    "what enters or leaves at the border changes it. It also makes the head independent of the "
    "input's size.",
    run=run,
    seconds=5,
)

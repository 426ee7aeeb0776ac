"""A layer learns the kernel that an operation needs, flipped or not."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import conv2d

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


def run(settings: Settings) -> LabResult:
    """Trains one 3×3 layer to imitate a true convolution, and one a cross-correlation."""
    num_steps = 60 if settings.is_small else 300
    distances: dict[str, list[float]] = {name: [] for name in ("as it is", "flipped")}
    losses: dict[str, list[float]] = {name: [] for name in ("convolution", "cross-correlation")}
    for done, seed in enumerate(settings.seeds):
        random = torch.Generator().manual_seed(seed)
        kernel = torch.randn(1, 1, 3, 3, generator=random)
        images = torch.randn(64, 1, 12, 12, generator=random)
        # The convolution of mathematics runs over the kernel turned by 180°.
        targets = {
            "convolution": conv2d(images, kernel.flip(2, 3)),
            "cross-correlation": conv2d(images, kernel),
        }
        for name, target in targets.items():
            learned, loss = _imitate(images, target, num_steps, seed)
            losses[name].append(loss)
            if name == "convolution":
                scale = float(kernel.norm())
                distances["as it is"].append(float((learned - kernel).norm()) / scale)
                distances["flipped"].append(float((learned - kernel.flip(2, 3)).norm()) / scale)
        settings.progress(done + 1, settings.num_seeds)
    difference = mean_interval(
        [a - b for a, b in zip(distances["as it is"], distances["flipped"], strict=True)]
    )
    finding = find(difference)
    shown = {name: mean_interval(values) for name, values in distances.items()}
    ended = {name: mean_interval(values) for name, values in losses.items()}
    return LabResult(
        header=("a 3×3 layer that learned to convolve", "distance to the true kernel"),
        rows=tuple(
            (f"compared with the kernel {name}", spoken(one)) for name, one in shown.items()
        ),
        chart=Chart(
            title="What the layer learned",
            x_label="the kernel it is compared with",
            y_label="distance, as a share of the kernel's length",
            series=(Series("distance", tuple(Point(name, one) for name, one in shown.items())),),
        ),
        finding=finding,
        sentence=f"The weights that a layer learns for a true convolution lie "
        f"{spoken(shown['flipped'])} from the flipped kernel and {spoken(shown['as it is'])} from "
        "the kernel as it is.",
        answer="flipped" if finding == "shown" else "",
        notes=(
            "Both are learned alike: the mean squared error that is left is "
            f"{ended['convolution'].estimate:.1e} for the convolution and "
            f"{ended['cross-correlation'].estimate:.1e} for the cross-correlation.",
        ),
    )


def _imitate(
    images: torch.Tensor, target: torch.Tensor, num_steps: int, seed: int
) -> tuple[torch.Tensor, float]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layer = nn.Conv2d(1, 1, 3, bias=False)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.05)
    loss = torch.tensor(0.0)
    for _ in range(num_steps):
        loss = (layer(images) - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return layer.weight.detach(), float(loss.detach())


LAB = Lab(
    name="cross-correlation",
    title="Cross-correlation, and learning the flipped kernel",
    topics=(21,),
    question="A Conv2d layer is trained to imitate a true convolution with a known kernel. "
    "Which weights will it have at the end?",
    choices=(
        ("same", "The kernel as it is"),
        ("flipped", "The kernel turned by 180°"),
        ("neither", "Neither: it cannot learn a convolution"),
    ),
    explanation="Conv2d slides the kernel without flipping it: it is a cross-correlation. A true "
    "convolution flips the kernel first. A layer that learns simply ends with the flipped "
    "weights, so for training the difference does not matter. It matters when you write a "
    "kernel by hand or carry one over from a signal-processing library.",
    run=run,
    seconds=10,
)

"""Batch norm in training and in evaluation: whose statistics decide an answer."""

from __future__ import annotations

import torch
from torch import nn

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
    """Gives one image to a network in several batches, in training and evaluation mode."""
    num_batches = 6 if settings.is_small else 20
    spreads: dict[str, list[float]] = {"training mode": [], "evaluation mode": []}
    folded: list[float] = []
    for done, seed in enumerate(settings.seeds):
        random = torch.Generator().manual_seed(seed)
        network = _warm(seed, random)
        image = torch.randn(1, 3, 16, 16, generator=random)
        batches = [
            torch.randn(7, 3, 16, 16, generator=random) * (0.5 + number / num_batches)
            for number in range(num_batches)
        ]
        for name, is_training in (("training mode", True), ("evaluation mode", False)):
            network.train(is_training)
            with torch.no_grad():
                answers = [network(torch.cat([image, others]))[0] for others in batches]
            spreads[name].append(float(torch.stack(answers).std(0).mean()))
        folded.append(_difference_from_linear_map(network, image))
        settings.progress(done + 1, settings.num_seeds)
    shown = {name: mean_interval(values) for name, values in spreads.items()}
    differences = [a - b for a, b in zip(*spreads.values(), strict=True)]
    finding = find(mean_interval(differences))
    return LabResult(
        header=("the same image, in other batches", "spread of its logits"),
        rows=tuple((name, spoken(value, digits=5)) for name, value in shown.items()),
        chart=Chart(
            title="How much the rest of the batch changes an answer",
            x_label="mode of the network",
            y_label="standard deviation of one image's logits",
            series=(Series("spread", tuple(Point(name, one) for name, one in shown.items())),),
        ),
        finding=finding,
        sentence="With other images in its batch, the logits of one image move by "
        f"{spoken(shown['training mode'])} in training mode and by "
        f"{spoken(shown['evaluation mode'], digits=6)} in evaluation mode.",
        answer="training" if finding == "shown" else "",
        notes=(
            "In evaluation mode the layer is y = γ/√(σ²+ε) · x + (β − γμ/√(σ²+ε)): computed by "
            f"hand it differs by at most {max(folded):.1e}.",
        ),
    )


def _warm(seed: int, random: torch.Generator) -> nn.Sequential:
    """Returns a network whose running statistics have seen some batches."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = nn.Sequential(
            nn.Conv2d(3, 8, 3),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(8, 4),
        )
    network.train()
    with torch.no_grad():
        for _ in range(20):
            network(torch.randn(16, 3, 16, 16, generator=random))
    return network


def _difference_from_linear_map(network: nn.Sequential, image: torch.Tensor) -> float:
    convolution, norm = network[0], network[1]
    assert isinstance(norm, nn.BatchNorm2d)
    network.eval()
    with torch.no_grad():
        maps = convolution(image)
        assert norm.running_var is not None
        assert norm.running_mean is not None
        slope = norm.weight / (norm.running_var + norm.eps).sqrt()
        offset = norm.bias - slope * norm.running_mean
        by_hand = slope[:, None, None] * maps + offset[:, None, None]
        return float((norm(maps) - by_hand).abs().max())


LAB = Lab(
    name="batch-norm",
    title="Batch norm: an answer that depends on its companions",
    topics=(27,),
    question="One image is classified several times, each time together with other images. "
    "When does its answer change?",
    choices=(
        ("never", "Never: an image is classified by itself"),
        ("training", "In training mode, and not after eval()"),
        ("both", "In both modes"),
    ),
    explanation="In training mode batch norm divides by the statistics of the batch, so every "
    "image takes part in the answer of every other. After eval() it uses the running "
    "statistics, which are constants: the layer is one fixed linear map. Forgetting eval() "
    "makes a prediction depend on the batch that it happens to stand in.",
    run=run,
    seconds=5,
)

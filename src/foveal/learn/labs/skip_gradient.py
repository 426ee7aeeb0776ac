"""How much gradient reaches the first layers, with skip connections and without."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

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

_CHANNELS = 16
_NAMES = ("plain", "with skips")


class Blocks(nn.Module):
    """Convolutions of equal width, each added to its input or not."""

    def __init__(self, depth: int, *, has_skips: bool) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, _CHANNELS, 3, padding=1)
        self.layers = nn.ModuleList(
            nn.Conv2d(_CHANNELS, _CHANNELS, 3, padding=1) for _ in range(depth)
        )
        self.head = nn.Linear(_CHANNELS, 10)
        self.has_skips = has_skips

    def forward(self, images: Tensor) -> Tensor:
        """Returns logits [B, 10]."""
        maps = self.first(images)
        for layer in self.layers:
            change = layer(maps).relu()
            maps = maps + change if self.has_skips else change
        logits: Tensor = self.head(maps.mean((2, 3)))
        return logits


def run(settings: Settings) -> LabResult:
    """Measures the gradient's norm at the first layer, relative to the last one, by depth."""
    depths = (4, 12) if settings.is_small else (4, 8, 16, 32)
    shares: dict[tuple[str, int], list[float]] = {}
    for done, seed in enumerate(settings.seeds):
        for depth in depths:
            for name, has_skips in (("plain", False), ("with skips", True)):
                share = _gradient_share(depth, has_skips=has_skips, seed=seed)
                shares.setdefault((name, depth), []).append(share)
        settings.progress(done + 1, settings.num_seeds)
    shown = {key: mean_interval(values) for key, values in shares.items()}
    deepest = depths[-1]
    logs = torch.tensor([shares["with skips", deepest], shares["plain", deepest]]).log10()
    orders = mean_interval((logs[0] - logs[1]).tolist())
    finding = find(orders)
    return LabResult(
        header=("layers", "plain", "with skips"),
        rows=tuple(
            (
                str(depth),
                *(f"{shown[name, depth].estimate:.2e}" for name in ("plain", "with skips")),
            )
            for depth in depths
        ),
        chart=Chart(
            title="Gradient that arrives at the first of the layers",
            x_label="number of layers",
            y_label="gradient norm, first layer divided by last",
            series=tuple(
                Series(name, tuple(Point(float(depth), shown[name, depth]) for depth in depths))
                for name in _NAMES
            ),
            is_log_y=True,
        ),
        finding=finding,
        sentence=f"Through {deepest} layers, the share of the gradient that arrives is 10 to the "
        f"power of {spoken(orders, digits=1)} times larger with skip connections.",
        answer="carries" if finding == "shown" else "",
        notes=("Networks as PyTorch starts them, without batch norm; one batch of noise.",),
    )


def _gradient_share(depth: int, *, has_skips: bool, seed: int) -> float:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Blocks(depth, has_skips=has_skips)
        images, labels = torch.randn(8, 3, 16, 16), torch.randint(10, (8,))
    loss = cross_entropy(network(images), labels)
    weights = [weight for name, weight in network.layers.named_parameters() if "weight" in name]
    first, last = torch.autograd.grad(loss, (weights[0], weights[-1]))
    return float(first.norm() / last.norm())


LAB = Lab(
    name="skip-gradient",
    title="Skip connections carry the gradient",
    topics=(6,),
    question="32 convolutions stand in a row, freshly initialised. How does the gradient at the "
    "first one compare with the gradient at the last one?",
    choices=(
        ("same", "About equal, with and without skip connections"),
        ("carries", "Orders of magnitude larger with skip connections than without"),
        ("fades", "It fades equally in both"),
    ),
    explanation="With y = x + F(x) the gradient is ∂L/∂x = ∂L/∂y · (1 + ∂F/∂x). The 1 passes it on "
    "unchanged, whatever F does. Without it, every layer multiplies the gradient by ∂F/∂x, and "
    "many factors below one leave almost nothing.",
    run=run,
    seconds=10,
)

"""Plain and residual networks of growing depth: which of them can still be trained."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from foveal.evaluation.evidence import Interval
from foveal.learn.labs.digits import Digits, load_digits
from foveal.learn.labs.lab import (
    Chart,
    Lab,
    LabResult,
    Point,
    Series,
    Settings,
    difference_interval,
    find,
    mean_interval,
    spoken,
)
from foveal.learn.labs.training import fit, seeded

_WIDTH = 16
_RATE = 0.02
_NAMES = ("plain", "residual")


class Stack(nn.Module):
    """``depth`` convolutions with batch norm, two a block; blocks add their input or not."""

    def __init__(self, depth: int, *, is_residual: bool) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, _WIDTH, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(_WIDTH, _WIDTH, 3, padding=1, bias=False),
                nn.BatchNorm2d(_WIDTH),
                nn.ReLU(),
                nn.Conv2d(_WIDTH, _WIDTH, 3, padding=1, bias=False),
                nn.BatchNorm2d(_WIDTH),
            )
            for _ in range(depth // 2)
        )
        self.head = nn.Linear(_WIDTH, 10)
        self.is_residual = is_residual

    def forward(self, images: Tensor) -> Tensor:
        """Returns logits [B, 10]."""
        maps = self.first(images).relu()
        for block in self.blocks:
            maps = torch.relu(block(maps) + maps if self.is_residual else block(maps))
        logits: Tensor = self.head(maps.mean((2, 3)))
        return logits


def run(settings: Settings) -> LabResult:
    """Trains both kinds at several depths and compares the error on the training images."""
    depths, num_epochs, num_train = (
        ((4, 24), 6, 256) if settings.is_small else ((8, 24, 48), 6, 512)
    )
    errors: dict[tuple[str, int], list[float]] = {}
    norms: dict[tuple[str, int], list[float]] = {}
    for done, seed in enumerate(settings.seeds):
        digits = load_digits(num_train=num_train, num_test=1, seed=seed)
        for depth in depths:
            for name in _NAMES:
                build = partial(Stack, depth, is_residual=name == "residual")
                network = seeded(build, seed)
                norm = _first_gradient(network, digits)
                fit(
                    network,
                    digits.images,
                    digits.labels,
                    num_epochs=num_epochs,
                    seed=seed,
                    rate=_RATE,
                )
                norms.setdefault((name, depth), []).append(norm)
                errors.setdefault((name, depth), []).append(_training_error(network, digits))
        settings.progress(done + 1, settings.num_seeds)
    shown = {key: mean_interval(values) for key, values in errors.items()}
    gradients = {key: mean_interval(values) for key, values in norms.items()}
    shallow, deep = depths[0], depths[-1]
    is_degraded = find(difference_interval(errors["plain", deep], errors["plain", shallow]))
    is_mended = find(difference_interval(errors["plain", deep], errors["residual", deep]))
    finding = is_mended if is_degraded == "shown" else is_degraded
    return LabResult(
        header=("network", "training error", "first layer's gradient norm"),
        rows=tuple(
            (
                f"{name}, {depth} layers",
                spoken(shown[name, depth]),
                spoken(gradients[name, depth], digits=2),
            )
            for name in _NAMES
            for depth in depths
        ),
        chart=Chart(
            title="Training error by depth",
            x_label="number of layers",
            y_label="share of training images classified wrongly",
            series=tuple(
                Series(name, tuple(Point(float(depth), shown[name, depth]) for depth in depths))
                for name in _NAMES
            ),
        ),
        finding=finding,
        sentence=f"With {deep} layers the plain network leaves a training error of "
        f"{spoken(shown['plain', deep])}, with {shallow} layers {spoken(shown['plain', shallow])}; "
        f"the residual one with {deep} layers {spoken(shown['residual', deep])}.",
        answer="training" if finding == "shown" else "",
        notes=(
            f"{num_train} handwritten digits of 8×8 pixels, {num_epochs} epochs of SGD at a rate "
            f"of {_RATE} for all. Longer training lowers every error; the comparison is at equal "
            "training.",
            "The error is measured in training mode, all training images in one batch: running "
            "statistics lag behind after so few steps. The gradient is that of the loss at the "
            "start, before any step.",
            *_what_gradients_say(gradients["plain", shallow], gradients["plain", deep]),
        ),
    )


def _what_gradients_say(shallow: Interval, deep: Interval) -> tuple[str, ...]:
    if (deep.low or 0.0) <= (shallow.high or 0.0):
        return ()
    return (
        "In the plain network the gradient at the first layer grows with depth; it does not "
        "vanish, since batch norm holds the maps up. So vanished gradients are not the reason "
        "(He et al. 2016, section 4.1).",
    )


def _training_error(network: nn.Module, digits: Digits) -> float:
    network.train()
    with torch.no_grad():
        answers = network(digits.images).argmax(1)
    return float((answers != digits.labels).float().mean())


def _first_gradient(network: nn.Module, digits: Digits) -> float:
    """Returns the norm of the loss's gradient at the first layer's weight, before training."""
    assert isinstance(network, Stack)
    network.train()
    loss = cross_entropy(network(digits.images[:64]), digits.labels[:64])
    (gradient,) = torch.autograd.grad(loss, network.first.weight)
    return float(gradient.norm())


LAB = Lab(
    name="degradation",
    title="Degradation: deeper plain networks train worse",
    topics=(24, 20),
    question="A plain network gets many more layers. What happens to its error on the images "
    "that it is trained on?",
    choices=(
        ("lower", "It falls: more layers can learn more by heart"),
        ("equal", "It stays about equal"),
        ("training", "It rises; with skip connections it does not"),
    ),
    explanation="The error rises on the training images themselves, so this is not overfitting. "
    "A deeper network could copy the shallow one and let the further layers do nothing, but "
    "plain layers do not find the identity easily. With y = F(x) + x doing nothing is F = 0, "
    "which is where training starts from (He et al. 2016).",
    run=run,
    seconds=60,
)

"""Networks of other forms than those of ``parts``: residual, segmentation, attention, coders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from benchmarks.lint_faults.case import Case
from benchmarks.lint_faults.parts import NUM_CLASSES, NUM_IMAGES, classes, images

Change = Callable[[Tensor], Tensor]
MEAN, STD = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])


def keep(x: Tensor) -> Tensor:
    return x


def prepared(x: Tensor) -> Tensor:
    """Normalises images in [0, 1]."""
    return (x - MEAN[:, None, None]) / STD[:, None, None]


class Block(nn.Module):
    """Two convolutions with batch norm, and a shortcut."""

    def __init__(self, channels: int, act: Change, inside: Change, after: Change) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.act, self.inside, self.after = act, inside, after

    def forward(self, x: Tensor) -> Tensor:
        y = self.act(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(self.inside(y)))
        return self.act(self.after(x + y))


class Residual(nn.Module):
    """A small residual network; each argument is one part to do something at."""

    def __init__(
        self,
        *,
        act: Change = F.relu,
        inside: Change = keep,
        after: Change = keep,
        between: Change = keep,
        features: Change = keep,
        pool: Change = lambda x: x.mean((2, 3)),
        tail: Change = keep,
        num_outputs: int = NUM_CLASSES,
        width: int = 16,
        width_of_head: int | None = None,
        stem: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.stem = stem or nn.Sequential(
            nn.Conv2d(3, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        )
        self.stage1 = Block(width, act, inside, after)
        self.down = nn.Conv2d(width, width, 3, 2, 1)
        self.stage2 = Block(width, act, inside, after)
        self.head = nn.Linear(width_of_head or width, num_outputs)
        self.act, self.between, self.features = act, between, features
        self.pool, self.tail = pool, tail

    def forward(self, x: Tensor) -> Tensor:
        x = self.stage1(self.act(self.stem(x)))
        x = self.stage2(self.act(self.down(self.between(x))))
        return self.tail(self.head(self.features(self.pool(x))))


class Segmenter(nn.Module):
    """A small U-Net; ``join`` makes the decoder's input of map and skip connection."""

    def __init__(
        self,
        num_classes: int = 3,
        *,
        up: nn.Module | None = None,
        join: Callable[[Tensor, Tensor], Tensor] = lambda x, skip: torch.cat([x, skip], 1),
        joined: int = 16,
        tail: Change = keep,
    ) -> None:
        super().__init__()
        self.enter = nn.Conv2d(3, 8, 3, padding=1)
        self.skip = nn.Conv2d(8, 8, 3, padding=1)
        self.deep = nn.Conv2d(8, 8, 3, padding=1)
        self.up = up or nn.ConvTranspose2d(8, 8, 2, 2)
        self.leave = nn.Conv2d(joined, 8, 3, padding=1)
        self.score = nn.Conv2d(8, num_classes, 1)
        self.join, self.tail = join, tail

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.enter(x))
        skip = F.relu(self.skip(x))
        x = F.relu(self.up(F.relu(self.deep(F.max_pool2d(x, 2)))))
        return self.tail(self.score(F.relu(self.leave(self.join(x, skip)))))


class Tokens(nn.Module):
    """Patches as tokens, one layer of attention, their mean."""

    def __init__(self, *, batch_first: bool = True, axis: int = 1, norm: Change = keep) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 16, 8, 8)
        self.attention = nn.MultiheadAttention(16, 4, batch_first=batch_first)
        self.norm = nn.LayerNorm(16)
        self.head = nn.Linear(16, NUM_CLASSES)
        self.axis, self.change = axis, norm

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = self.norm(x + self.attention(x, x, x, need_weights=False)[0])
        result: Tensor = self.head(self.change(x.mean(self.axis)))
        return result


class Pair(nn.Module):
    """Two branches side by side; ``write`` says what is done with them."""

    def __init__(self, write: Callable[[Pair, Tensor], Tensor]) -> None:
        super().__init__()
        self.left = nn.Conv2d(3, 8, 3, padding=1)
        self.right = nn.Conv2d(3, 8, 5, padding=2)
        self.mix = nn.Conv2d(16, 16, 3, padding=1)
        self.head = nn.Linear(16, NUM_CLASSES)
        self.write = write

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.mix(self.write(self, x)))
        result: Tensor = self.head(x.mean((2, 3)))
        return result


def both(self: Pair, x: Tensor) -> Tensor:
    return torch.cat([F.relu(self.left(x)), F.relu(self.right(x))], 1)


def left_twice(self: Pair, x: Tensor) -> Tensor:
    return torch.cat([F.relu(self.left(x)), F.relu(self.left(x))], 1)


def right_without_gradient(self: Pair, x: Tensor) -> Tensor:
    with torch.no_grad():
        right = F.relu(self.right(x))
    return torch.cat([F.relu(self.left(x)), right], 1)


class OwnKernel(nn.Module):
    """Applies a kernel of its own, kept as ``make`` says."""

    def __init__(self, make: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.kernel = make(0.1 * torch.randn(16, 3, 3, 3))
        self.body = nn.Conv2d(16, 16, 3, padding=1)
        self.head = nn.Linear(16, NUM_CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.body(F.relu(F.conv2d(x, self.kernel, padding=1))))
        result: Tensor = self.head(x.mean((2, 3)))
        return result


class NormInForward(nn.Module):
    """Batch norm as a layer of the model, or made anew in each pass."""

    def __init__(self, *, anew: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.norm = None if anew else nn.BatchNorm2d(16)
        self.head = nn.Linear(16, NUM_CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        norm = nn.BatchNorm2d(16) if self.norm is None else self.norm
        result: Tensor = self.head(F.relu(norm(self.conv(x))).mean((2, 3)))
        return result


class Remembering(nn.Module):
    """Adds to its features those of the batch before, or nothing."""

    def __init__(self, *, remembers: bool) -> None:
        super().__init__()
        self.body, self.head = nn.Conv2d(3, 16, 3), nn.Linear(16, NUM_CLASSES)
        self.before: Tensor | None = None
        self.remembers = remembers

    def forward(self, x: Tensor) -> Tensor:
        features = F.relu(self.body(x)).mean((2, 3))
        if self.remembers and self.before is not None and len(self.before) == len(features):
            features = features + self.before
        self.before = features.detach() if self.remembers else None
        result: Tensor = self.head(features)
        return result


def stack_of(
    num_layers: int,
    *,
    act: Callable[[], nn.Module] = nn.ReLU,
    norm: bool = False,
    width: int = 16,
    stride: int = 1,
    kernel: int = 3,
    num_strided: int = 0,
    extra: Sequence[nn.Module] = (),
    dilations: Sequence[int] = (),
) -> nn.Sequential:
    """Convolutions one after the other, a mean over the positions, a linear layer."""
    layers: list[nn.Module] = []
    before = 3
    for index in range(num_layers):
        spread = dilations[index] if dilations else 1
        step = stride if index < num_strided else 1
        pad = spread * (kernel // 2)
        layers.append(nn.Conv2d(before, width, kernel, step, pad, spread, bias=not norm))
        layers += [nn.BatchNorm2d(width), act()] if norm else [act()]
        before = width
    layers += [*extra, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, NUM_CLASSES)]
    return nn.Sequential(*layers)


def coder(up: nn.Module) -> nn.Module:
    """An autoencoder whose map is enlarged by ``up``."""
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(), up,
        nn.ReLU(), nn.Conv2d(16, 3, 3, padding=1), nn.Sigmoid(),
    )  # fmt: skip


def natural(
    model: nn.Module,
    loss: Any = None,
    labels: Tensor | None = None,
    batch: Tensor | None = None,
    make: Callable[..., torch.optim.Optimizer] = torch.optim.Adam,
    parameters: Any = None,
    more: dict[str, Any] | None = None,
    **settings: Any,
) -> Case:
    """A call as people write it: Adam at 0.001, cross-entropy, normalised pictures."""
    if make is torch.optim.SGD:
        settings.setdefault("lr", 0.05)
        settings.setdefault("momentum", 0.9)
    return Case(
        model,
        prepared(images()) if batch is None else batch,
        classes() if labels is None else labels,
        nn.CrossEntropyLoss() if loss is None else loss,
        make(model.parameters() if parameters is None else parameters, **settings),
        more or {},
    )


def masks(num_classes: int = 3, low: int = 0) -> Tensor:
    """A class for each pixel, [N, H, W]."""
    return low + torch.randint(num_classes, (NUM_IMAGES, 32, 32))


def several(num_classes: int = NUM_CLASSES) -> Tensor:
    """Zeros and ones, several of them right for an image, [N, K]."""
    return (torch.rand(NUM_IMAGES, num_classes) < 0.3).float()


def drawn(model: nn.Module, draw: Callable[[Tensor], Any], *, kinds: Any = None) -> nn.Module:
    """Draws the weights of layers anew."""
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, kinds or (nn.Conv2d, nn.Linear)):
                draw(module.weight)
    return model


def changed(model: nn.Module, change: Callable[[nn.Module], Any]) -> nn.Module:
    """Does something to a network and returns it."""
    with torch.no_grad():
        change(model)
    return model


def trained(model: nn.Module) -> nn.Module:
    """Makes a network look trained: filters of different strength, statistics of images."""
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                strength = torch.randn(len(module.weight), *[1] * (module.weight.dim() - 1))
                module.weight *= torch.exp(0.5 * strength)
            elif isinstance(module, nn.BatchNorm2d):
                module.weight.uniform_(0.8, 1.2)
        for _ in range(4):
            model(prepared(images()))
    return model

"""Small networks, batches and losses that faults are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from benchmarks.lint_faults.case import Case

NUM_IMAGES, NUM_CLASSES = 16, 10


def net(
    num_outputs: int = NUM_CLASSES,
    *,
    tail: Sequence[nn.Module] = (),
    activation: Callable[[], nn.Module] = nn.ReLU,
    hidden: int = 32,
    middle: Sequence[nn.Module] = (),
    channels: int = 3,
) -> nn.Sequential:
    """A small network without batch norm, for images of 32 × 32."""
    return nn.Sequential(
        nn.Conv2d(channels, 16, 3),
        activation(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 16, 3),
        activation(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(576, hidden),
        activation(),
        *middle,
        nn.Linear(hidden, num_outputs),
        *tail,
    )


def normed(momentum: float = 0.1) -> nn.Sequential:
    """The same with batch norm."""
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, bias=False),
        nn.BatchNorm2d(16, momentum=momentum),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 16, 3, bias=False),
        nn.BatchNorm2d(16, momentum=momentum),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, NUM_CLASSES),
    )


def images(channels: int = 3) -> Tensor:
    """Images in [0, 1]."""
    return torch.rand(NUM_IMAGES, channels, 32, 32)


def classes(num: int = NUM_CLASSES) -> Tensor:
    """Class indices, all about as frequent."""
    return torch.arange(NUM_IMAGES) % num


def yes_no() -> Tensor:
    """Zeros and ones of shape [N, 1]."""
    return classes(2).float()[:, None]


def case(
    model: nn.Module,
    *,
    batch: Tensor | None = None,
    labels: Tensor | None = None,
    loss: Any = None,
    optimizer: Callable[..., torch.optim.Optimizer] = torch.optim.SGD,
    **settings: Any,
) -> Case:
    """Fills in what is not said: SGD at 0.01, cross-entropy, ten classes."""
    if optimizer is torch.optim.SGD:
        settings.setdefault("lr", 0.01)
    return Case(
        model,
        images() if batch is None else batch,
        classes() if labels is None else labels,
        nn.CrossEntropyLoss() if loss is None else loss,
        optimizer(model.parameters(), **settings),
    )


class Stack(nn.Module):
    """Six convolutions; ``between`` works on the map after the third."""

    def __init__(self, between: Callable[[Tensor], Tensor] = lambda x: x) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Conv2d(3 if index == 0 else 8, 8, 3, padding=1) for index in range(6)
        )
        self.head = nn.Linear(8, NUM_CLASSES)
        self.between = between

    def forward(self, x: Tensor) -> Tensor:
        for index, layer in enumerate(self.layers):
            x = F.relu(layer(x))
            if index == 2:
                x = self.between(x)
        result: Tensor = self.head(x.mean((2, 3)))
        return result


class Forward(nn.Module):
    """Two convolutions and a head; ``forward`` is what a case writes."""

    def __init__(self, forward: Callable[[Forward, Tensor], Tensor]) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.second = nn.Conv2d(8, 8, 3, padding=1)
        self.head = nn.Linear(8, NUM_CLASSES)
        self.write = forward

    def forward(self, x: Tensor) -> Tensor:
        return self.write(self, x)


def used(self: Forward, x: Tensor) -> Tensor:
    x = F.relu(self.second(F.relu(self.first(x))))
    result: Tensor = self.head(x.mean((2, 3)))
    return result


def unread(self: Forward, x: Tensor) -> Tensor:
    x = F.relu(self.first(x))
    self.second(x)
    result: Tensor = self.head(x.mean((2, 3)))
    return result


def uncalled(self: Forward, x: Tensor) -> Tensor:
    result: Tensor = self.head(F.relu(self.first(x)).mean((2, 3)))
    return result


def made_in_forward(self: Forward, x: Tensor) -> Tensor:
    x = F.relu(self.second(F.relu(self.first(x))))
    result: Tensor = nn.Linear(8, NUM_CLASSES)(x.mean((2, 3)))
    return result


def under_no_grad(self: Forward, x: Tensor) -> Tensor:
    with torch.no_grad():
        x = F.relu(self.second(F.relu(self.first(x))))
    result: Tensor = self.head(x.mean((2, 3)))
    return result


def remade_tensor(self: Forward, x: Tensor) -> Tensor:
    x = F.relu(self.first(x)).data
    x = F.relu(self.second(x))
    result: Tensor = self.head(x.mean((2, 3)))
    return result


def mean_over_batch(self: Forward, x: Tensor) -> Tensor:
    x = F.relu(self.second(F.relu(self.first(x))))
    x = x - x.mean(0, keepdim=True)
    result: Tensor = self.head(x.mean((2, 3)))
    return result


def reshaped_over_batch(self: Forward, x: Tensor) -> Tensor:
    x = F.relu(self.second(F.relu(self.first(x)))).permute(1, 0, 2, 3)
    result: Tensor = self.head(x.reshape(-1, 8, 32 * 32).mean(2))
    return result


def flattened_batch(self: Forward, x: Tensor) -> Tensor:
    x = F.relu(self.second(F.relu(self.first(x))))
    result: Tensor = self.head(x.mean((2, 3))).flatten(0)
    return result


def overwritten(x: Tensor) -> Tensor:
    y = torch.sigmoid(x)
    return y.mul_(2) + torch.zeros_like(x)


class Holding(nn.Module):
    """Keeps its layers in what ``keep`` makes of them."""

    def __init__(self, keep: Callable[[list[nn.Module]], Any]) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.blocks = keep([nn.Conv2d(8, 8, 3, padding=1) for _ in range(3)])
        self.head = nn.Linear(8, NUM_CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem(x))
        blocks = self.blocks.values() if isinstance(self.blocks, dict) else self.blocks
        for block in blocks:
            x = F.relu(block(x))
        result: Tensor = self.head(x.mean((2, 3)))
        return result


class Scale(nn.Module):
    """A learned factor, as a plain tensor or as a parameter."""

    def __init__(self, *, is_parameter: bool) -> None:
        super().__init__()
        self.body = Stack()
        factor = torch.ones(NUM_CLASSES)
        self.factor = nn.Parameter(factor) if is_parameter else factor.requires_grad_()

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.body(x) * self.factor
        return result


def initialised(draw: Callable[[Tensor], Any], model: nn.Module | None = None) -> nn.Module:
    """Draws every parameter of the network anew."""
    model = net() if model is None else model
    with torch.no_grad():
        for parameter in model.parameters():
            draw(parameter)
    return model


def kaiming(model: nn.Module) -> nn.Module:
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_uniform_(module.weight, nonlinearity="relu")
    return model


def biased(value: float) -> nn.Module:
    model = net()
    nn.init.constant_(model[0].bias, value)
    return model


def deep(activation: Callable[[], nn.Module], depth: int = 12) -> nn.Module:
    layers: list[nn.Module] = [nn.Flatten(), nn.Linear(3072, 32), activation()]
    for _ in range(depth):
        layers += [nn.Linear(32, 32), activation()]
    return nn.Sequential(*layers, nn.Linear(32, NUM_CLASSES))


def deep_normed(depth: int = 12) -> nn.Module:
    layers: list[nn.Module] = [nn.Flatten(), nn.Linear(3072, 32, bias=False)]
    for _ in range(depth):
        layers += [nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 32, bias=False)]
    return nn.Sequential(*layers, nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, NUM_CLASSES))


def frozen(*, trained: bool) -> Case:
    model = nn.Sequential(
        nn.Conv2d(3, 32, 3), nn.ReLU(), nn.Conv2d(32, 32, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(32, NUM_CLASSES),
    )  # fmt: skip
    if trained:
        with torch.no_grad():
            model[0].weight *= torch.exp(torch.randn(32, 1, 1, 1))
            model[2].weight *= torch.exp(torch.randn(32, 1, 1, 1))
    model[0].requires_grad_(False)
    model[2].requires_grad_(False)
    built = case(model)
    built.optimizer = torch.optim.SGD(model[6].parameters(), lr=0.01)
    return built


def optimizer_of_the_head(*, head_replaced: bool) -> Case:
    model = net()
    if not head_replaced:
        return case(model)
    built = case(model)
    model[-1] = nn.Linear(32, NUM_CLASSES)
    return built


def all_frozen() -> Case:
    model = net()
    model.requires_grad_(False)
    return case(model)


def sharp_dropout() -> nn.Module:
    return net(middle=[nn.Dropout(0.95)])


def stuck() -> nn.Module:
    model = net()
    for index in (0, 3):
        nn.init.constant_(model[index].bias, -20.0)
    return model


def channels_last(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1).contiguous()


def same_image() -> Tensor:
    return images()[:1].expand(NUM_IMAGES, 3, 32, 32).clone()


def with_nan() -> Tensor:
    x = images()
    x[3, 0, 5, 5] = float("nan")
    return x


def negative_loss(outputs: Tensor, labels: Tensor) -> Tensor:
    return -F.cross_entropy(outputs, labels)


def hard_loss(outputs: Tensor, labels: Tensor) -> Tensor:
    return (outputs.argmax(1) != labels).float().mean()


def cross_entropy_by_hand(outputs: Tensor, labels: Tensor) -> Tensor:
    return F.nll_loss(F.log_softmax(outputs, 1), labels)


def softmax_twice(outputs: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(F.softmax(outputs, 1), labels)


def log_of_softmax(outputs: Tensor, labels: Tensor) -> Tensor:
    return F.nll_loss(torch.log(F.softmax(1000 * outputs, 1)), labels)


def sound() -> Case:
    return case(net())


def sound_yes_no() -> Case:
    return case(net(1), labels=yes_no(), loss=nn.BCEWithLogitsLoss())


def sound_amount() -> Case:
    return case(net(1), labels=torch.rand(NUM_IMAGES, 1), loss=nn.MSELoss())

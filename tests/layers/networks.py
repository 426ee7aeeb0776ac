"""Small networks with every kind of layer name, and their images."""

from __future__ import annotations

import torch
import torchvision
from torch import nn
from torch.nn import functional


class Functional(nn.Module):
    """Between its convolutions everything is a function."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.unused, self.linear = nn.Conv2d(4, 4, 1), nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu(self.first(x))
        y = functional.max_pool2d(self.second(x), 2)
        y = functional.relu_(y)
        return self.linear(y.amax((2, 3)))


class TwoBranches(nn.Module):
    """Two ways through the network, and one module that runs in both."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.left, self.right = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 5, padding=2)
        self.shared = nn.Conv2d(4, 4, 3, padding=1)
        self.alias = self.left
        self.norm = nn.BatchNorm2d(8)
        self.linear = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x).relu()
        x = torch.cat([self.shared(self.left(x)), self.shared(self.right(x))], 1)
        return self.linear(self.norm(x).relu().mean((2, 3)))


class Twice(nn.Module):
    """A container that runs twice, registered before the layer that reads the image."""

    def __init__(self) -> None:
        super().__init__()
        self.block = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.ReLU())
        self.stem, self.linear = nn.Conv2d(3, 4, 1), nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.block(self.block(self.stem(x)))
        first, second = self.stem.weight.new_ones(1) * x, x.flip(2)
        return self.linear((first + second).mean((2, 3)))


class Untraceable(nn.Module):
    """Branches on the values in an image, so that its graph ends there."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.linear = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x).relu()
        x = self.second(x) if x.sum() > -1 else x
        return self.linear(x.relu().mean((2, 3)))


def resnet18() -> nn.Module:
    """Returns a ResNet-18 whose random weights keep signals alive."""
    model = torchvision.models.resnet18(weights=None, num_classes=4)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
    return model


NETWORKS = {
    "resnet18": resnet18,
    "functional": Functional,
    "two branches": TwoBranches,
    "twice": Twice,
    "untraceable": Untraceable,
}


def make(name: str) -> nn.Module:
    """Returns one of the networks, half in training mode, with a gradient and a hook."""
    torch.manual_seed(0)
    model = NETWORKS[name]().eval()
    children = list(model.children())
    children[0].train()
    first = next(model.parameters())
    first.grad = torch.full_like(first, 0.5)
    next(iter(children[-1].parameters())).requires_grad_(False)
    children[0].register_forward_hook(seen)
    return model


def seen(module: nn.Module, args: object, result: object) -> None:
    """A hook of the owner's."""


def images(count: int = 2) -> torch.Tensor:
    """Returns [count, 3, 48, 48]."""
    return torch.rand(count, 3, 48, 48, generator=torch.Generator().manual_seed(0))

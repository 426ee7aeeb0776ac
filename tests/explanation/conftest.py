"""Small networks with every kind of head, and the textbook definition of every method."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn


class Net(nn.Module):
    """A small plain network: features, pooling, flattening, classifier."""

    def __init__(self, pool: nn.Module, *classifier: nn.Module) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 5, 3, stride=2, padding=1),
            nn.BatchNorm2d(5),
            nn.ReLU(inplace=True),
            nn.Conv2d(5, 6, 3, padding=1),
            nn.ReLU(inplace=True),
        )
        self.pool = pool
        self.classifier = nn.Sequential(*classifier)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.pool(self.features(x)).flatten(1))


def enliven(model: nn.Module, seed: int = 0) -> nn.Module:
    """Gives a model weights and statistics under which activations neither vanish nor explode."""
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in (*model.named_parameters(), *model.named_buffers()):
            if not tensor.is_floating_point():
                tensor.zero_()
            elif tensor.dim() > 1:
                fan_in = tensor[0].numel()
                tensor.normal_(0, (2 / fan_in) ** 0.5, generator=random)
            elif name.endswith(("running_var", "norm.weight", "weight")):
                tensor.uniform_(0.7, 1.3, generator=random)
            else:
                tensor.normal_(0, 0.1, generator=random)
    return model.eval()


def place_by_place(method: str, a: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
    """The signed map [N, h, w] of activations and gradients, as the papers write it."""
    a, g = a.double(), g.double()
    if method == "grad-cam":
        return (g.mean((2, 3), keepdim=True) * a).sum(1)
    if method == "hirescam":
        return (g * a).sum(1)
    if method == "layercam":
        return (g.clamp(min=0) * a).sum(1)
    assert method == "grad-cam++"
    below = 2 * g**2 + a.sum((2, 3), keepdim=True) * g**3
    alpha = torch.where(below != 0, g**2 / torch.where(below != 0, below, 1), 0)
    return ((alpha * g.clamp(min=0)).sum((2, 3), keepdim=True) * a).sum(1)


def textbook(
    model: nn.Module, module: nn.Module, images: torch.Tensor, class_index: int, method: str
) -> torch.Tensor:
    """The signed map [N, h, w] by plain autograd through the whole network.

    The last call of the module counts. For ``"cam"``, the head's weight is read from the
    gradient at the pooled features.
    """
    kept: list[torch.Tensor] = []

    def keep(module: nn.Module, args: object, result: torch.Tensor) -> torch.Tensor:
        kept.append(result)
        return result.clone()

    handle = module.register_forward_hook(keep)
    try:
        with torch.enable_grad():
            scores = model(images.clone().requires_grad_())
            (gradients,) = torch.autograd.grad(scores[:, class_index].sum(), kept[-1])
    finally:
        handle.remove()
    activations = kept[-1].detach()
    if method == "cam":
        positions = activations.shape[2] * activations.shape[3]
        return place_by_place("grad-cam", activations, gradients * positions)
    return place_by_place(method, activations, gradients)


@pytest.fixture
def make_net() -> Callable[..., Net]:
    """Makes a network of 6 channels at half resolution before its head."""

    def make(pool: nn.Module, *classifier: nn.Module) -> Net:
        net = Net(pool, *classifier)
        enliven(net)
        return net

    return make


@pytest.fixture
def net(make_net: Callable[..., Net]) -> Net:
    """A network with a pooled-linear head and 4 classes."""
    return make_net(nn.AdaptiveAvgPool2d(1), nn.Dropout(), nn.Linear(6, 4))


@pytest.fixture
def flat_net(make_net: Callable[..., Net]) -> Net:
    """A network that flattens its map of 6 x 5 positions, with 4 classes."""
    return make_net(nn.Identity(), nn.Linear(6 * 6 * 5, 7), nn.ReLU(inplace=True), nn.Linear(7, 4))


@pytest.fixture
def images() -> torch.Tensor:
    """Three images of 12 x 10 px."""
    return torch.randn(3, 3, 12, 10, generator=torch.Generator().manual_seed(1))


@pytest.fixture(name="enliven")
def enliven_fixture() -> Callable[..., nn.Module]:
    return enliven


@pytest.fixture(name="textbook")
def textbook_fixture() -> Callable[..., torch.Tensor]:
    return textbook

"""Batch norm in evaluation mode is part of the convolution before it."""

from __future__ import annotations

import pytest
import timm
import torch
import torchvision
from torch import nn

from foveal.models.surgery import fold_batch_norm

SHAPE = (3, 64, 64)


@pytest.mark.parametrize(
    "make",
    [
        lambda: torchvision.models.resnet18(num_classes=5),
        lambda: torchvision.models.shufflenet_v2_x0_5(num_classes=5),
        lambda: timm.create_model("efficientnet_lite0", num_classes=5),
    ],
    ids=["resnet18", "shufflenet", "timm efficientnet_lite0"],
)
def test_outputs_in_evaluation_are_equal(make, shake) -> None:
    net = shake(make()).double()
    folded = fold_batch_norm(net, input_shape=SHAPE)
    x = torch.randn(2, *SHAPE, dtype=torch.float64)
    with torch.no_grad():
        expected = net(x)
        assert float((folded(x) - expected).abs().max()) <= 1e-9 * float(expected.abs().max())


def test_outputs_in_single_precision_are_equal_to_five_digits(resnet) -> None:
    folded = fold_batch_norm(resnet, input_shape=SHAPE)
    x = torch.randn(4, *SHAPE)
    with torch.no_grad():
        expected = resnet(x)
        assert float((folded(x) - expected).abs().max()) < 1e-5 * float(expected.abs().max())


def test_no_batch_norm_is_left(resnet) -> None:
    folded = fold_batch_norm(resnet, input_shape=SHAPE)
    assert not [m for m in folded.modules() if isinstance(m, nn.BatchNorm2d)]


# γ / √(σ² + ε) = 3 / √(3 + 1) = 1.5 and 1 + (0.5 - 2) · 1.5 = -1.25.
def test_one_by_hand() -> None:
    net = nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1, eps=1.0)).eval()
    net[0].weight.data.fill_(2.0)
    net[0].bias.data.fill_(0.5)
    net[1].weight.data.fill_(3.0)
    net[1].bias.data.fill_(1.0)
    net[1].running_mean.fill_(2.0)
    net[1].running_var.fill_(3.0)
    folded = fold_batch_norm(net, input_shape=(1, 1, 1))
    assert (folded[0].weight.item(), folded[0].bias.item()) == (3.0, -1.25)


def test_it_comes_in_evaluation_mode(resnet) -> None:
    assert not fold_batch_norm(resnet.train(), input_shape=SHAPE).training


def test_a_norm_that_shares_its_input_stays() -> None:
    class Fork(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.conv(x)
            return x + self.norm(x)

    assert isinstance(fold_batch_norm(Fork(), input_shape=SHAPE).norm, nn.BatchNorm2d)

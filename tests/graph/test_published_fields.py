"""The networks and answers that google-research/receptive_field holds itself to (TF-Slim).

Its "effective padding" is the distance from the first field's start to the image: -start.
"""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from torch import nn
from torch.nn.functional import pad, relu

from foveal.graph import receptive_fields, trace


class Branches(nn.Module):
    """A 1x1 of stride 4 beside a padded 3x3 of stride 2 and a 1x1 of stride 2."""

    def __init__(self, *, pooled: bool = False, dropout: float = 0.0) -> None:
        super().__init__()
        self.left = nn.Conv2d(1, 1, 1, stride=4)
        self.right = nn.MaxPool2d(3, 2) if pooled else nn.Conv2d(1, 1, 3, stride=2)
        self.after = nn.MaxPool2d(1, 2) if pooled else nn.Conv2d(1, 1, 1, stride=2)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        right = self.after(self.right(pad(x, (1, 0, 1, 0))))
        return relu(self.left(x) + self.dropout(right))


class TwoAdditions(nn.Module):
    """The same, and a second pair of branches on top whose fields differ."""

    def __init__(self) -> None:
        super().__init__()
        self.below = Branches()
        self.left = nn.Conv2d(1, 1, 1, stride=2)
        self.right = nn.Conv2d(1, 1, 3, stride=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.below(x)
        return relu(self.left(x) + self.right(pad(x, (1, 0, 1, 0))))


class Misaligned(nn.Module):
    """A 5x5 of stride 2 beside two 3x3 of stride 1: units of one index see different positions."""

    def __init__(self) -> None:
        super().__init__()
        self.left = nn.Conv2d(1, 1, 5, stride=2)
        self.right = nn.Sequential(nn.Conv2d(1, 1, 3), nn.Conv2d(1, 1, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        right = self.right(x)
        return self.left(pad(x, (2, 1, 2, 1)))[..., :2, :2] + right[..., :2, :2]


@pytest.mark.parametrize(
    ("network", "size", "stride", "padding"),
    [
        (Branches(), (3, 3), 4, 1),  # its network 1
        (Branches(pooled=True), (3, 3), 4, 1),  # 2
        (Branches(dropout=0.5), (3, 3), 4, 1),  # 6
        (TwoAdditions(), (11, 11), 8, 5),  # 8
        # 5: rows 3 then 3, columns 5 then 1, each with stride 2.
        (
            nn.Sequential(nn.Conv2d(1, 1, (3, 5), stride=2), nn.Conv2d(1, 1, (3, 1), stride=2)),
            (3 + 2 * (3 - 1), 5),
            4,
            0,
        ),
    ],
    ids=["convolutions", "pooling", "dropout", "two additions", "non-square"],
)
def test_its_networks_have_its_fields(
    network: nn.Module, size: tuple[int, int], stride: int, padding: int
) -> None:
    field = receptive_fields(trace(network, (1, 32, 32)))[-1]
    assert (field.status, field.size) == ("complete", size)
    assert field.effective_stride == (Fraction(stride),) * 2
    assert field.start == (Fraction(-padding),) * 2


def test_its_misaligned_network_has_no_single_field() -> None:
    field = receptive_fields(trace(Misaligned(), (1, 32, 32)))[-1]
    assert field.status != "complete"
    assert field.reason

"""Small networks whose multiply-accumulates are known by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.functional import conv2d


class FunctionalConvolution(nn.Module):
    """A convolution without a module of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.randn(8, 3, 3, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return conv2d(x, self.kernel, padding=1)


class SharedConvolution(nn.Module):
    """One convolution that is used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.convolution(self.convolution(x))


class ProductOfMaps(nn.Module):
    """A matrix product of two activations, as in attention, without a module."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 8, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows = self.convolution(x).flatten(2)
        return rows.transpose(1, 2) @ rows


@dataclass(frozen=True, slots=True)
class Planted:
    """A small network whose multiply-accumulates are known by hand."""

    name: str
    make: Callable[[], nn.Module]
    shape: tuple[int, int, int]
    macs: int


PLANTED = (
    Planted("conv2d as a function", FunctionalConvolution, (3, 16, 16), 8 * 3 * 9 * 16 * 16),
    Planted("one layer used twice", SharedConvolution, (3, 16, 16), 2 * 3 * 3 * 9 * 16 * 16),
    Planted("product of two maps", ProductOfMaps, (3, 8, 8), 3 * 8 * 64 + 64 * 8 * 64),
    Planted(
        "transposed convolution, stride 2",
        lambda: nn.ConvTranspose2d(4, 6, 2, stride=2),
        (4, 8, 8),
        # Every input value meets every tap of every filter once.
        4 * 6 * 4 * 8 * 8,
    ),
    Planted(
        "grouped, dilated, oblong",
        lambda: nn.Conv2d(8, 8, (3, 5), stride=(2, 1), padding=(2, 4), dilation=2, groups=4),
        (8, 16, 16),
        8 * 2 * 15 * 8 * 16,
    ),
    Planted("linear on a sequence", lambda: nn.Linear(8, 4), (1, 10, 8), 10 * 8 * 4),
)

"""Networks whose reasons are known, and the true and false maps of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from foveal.explanation import HeatMap

SIZE = 32


class CornerNetwork(nn.Module):
    """Class 1 counts how rough the upper left quarter is; class 0 is zero.

    Of noise between 0 and 1 the mean step is 1/3, so the logit is near 12 / 3 - 2 = 2; smooth,
    the quarter gives -2.
    """

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Conv2d(1, 1, 1)
        nn.init.constant_(self.scale.weight, 12.0)
        nn.init.constant_(self.scale.bias, -2.0)

    def forward(self, images: Tensor) -> Tensor:
        half = images.shape[-1] // 2
        steps = images[:, :, :half, :half].diff(dim=3).abs()
        score = self.scale(steps).mean((1, 2, 3))
        return torch.stack((torch.zeros_like(score), score), dim=1)


@pytest.fixture
def corner_network() -> CornerNetwork:
    return CornerNetwork()


@pytest.fixture
def corner_image() -> Tensor:
    """[1, 32, 32] of noise, as rough in every quarter."""
    return torch.rand(1, SIZE, SIZE, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def make_map() -> Callable[..., HeatMap]:
    """A map of class 1 with the given values."""

    def make(
        values: np.ndarray,
        *,
        signed: np.ndarray | None = None,
        bias: float | None = None,
        logit: float = 1.0,
        method: str = "grad-cam",
        class_index: int = 1,
        image_size_px: tuple[int, int] = (SIZE, SIZE),
    ) -> HeatMap:
        return HeatMap(
            method=method,
            layer="scale",
            layer_reason="",
            class_index=class_index,
            logit=logit,
            values=np.asarray(values, np.float32),
            signed=None if signed is None else np.asarray(signed, np.float32),
            bias=bias,
            image_size_px=image_size_px,
        )

    return make


@pytest.fixture
def true_map(make_map: Callable[..., HeatMap]) -> HeatMap:
    return make_map(np.array([[1.0, 0.0], [0.0, 0.0]]).repeat(4, 0).repeat(4, 1))


@pytest.fixture
def false_map(make_map: Callable[..., HeatMap]) -> HeatMap:
    return make_map(np.array([[0.0, 0.0], [0.0, 1.0]]).repeat(4, 0).repeat(4, 1))

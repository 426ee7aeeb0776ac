"""Maps that move with the image, and maps that do not."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from foveal.errors import ModelError, UsageError
from foveal.inspection import Equivariance, inspect, measure_equivariance


def noise(channels: int = 3, size: int = 32, num_images: int = 2) -> NDArray[np.float32]:
    shape = (num_images, channels, size, size)
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def measure(net: nn.Module, images: NDArray[np.float32], **options: object) -> Equivariance:
    return measure_equivariance(net, inspect(net, images.shape[1:]), images, **options)  # type: ignore[arg-type]


def errors(net: nn.Module, images: NDArray[np.float32], **options: object) -> list[float]:
    return [item.error for item in measure(net, images, **options).shifts]


def convolutions(*strides: int) -> nn.Sequential:
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for number, stride in enumerate(strides):
        layers += [nn.Conv2d(3 if number == 0 else 8, 8, 3, stride, 1), nn.ReLU()]
    return nn.Sequential(*layers)


def test_stride_one_moves_with_the_picture() -> None:
    assert max(errors(convolutions(1, 1, 1), noise())) < 1e-6


def test_multiples_of_the_stride_do_too_and_no_others() -> None:
    found = measure(convolutions(2, 2), noise(size=48)).shifts
    assert [item.is_on_grid for item in found] == [False, False, True, True]
    assert [item.error < 1e-6 for item in found] == [False, False, True, True]


# By hand: columns alternate 1, 0; every second one is kept. In place the map is all 1, moved
# by one column to the right it is all 0. Moved down, nothing changes: half of the squares.
def test_every_second_column_by_hand() -> None:
    net = nn.Sequential(nn.Conv2d(1, 1, 1, 2, bias=False))
    nn.init.ones_(net[0].weight)
    images = np.zeros((1, 1, 16, 16), np.float32)
    images[..., ::2] = 1
    (found,) = measure(net, images, shifts_px=(1,)).shifts
    assert found.error == pytest.approx(0.5**0.5)
    assert found.num_units == 2 * 7 * 8


def test_a_map_that_varies_evenly_is_expected_between_its_units() -> None:
    net = nn.Sequential(nn.Conv2d(1, 1, 1, 4, bias=False))
    nn.init.ones_(net[0].weight)
    ramp = np.arange(32, dtype=np.float32)
    images = (ramp[:, None] + 2 * ramp)[None, None]
    assert max(errors(net, images, shifts_px=(1, 2, 3, 5))) < 1e-6


# Zhang 2019: blurring before sampling gives up less of the equivariance.
def test_blurring_before_the_stride_helps() -> None:
    blur = nn.Conv2d(3, 3, 5, padding=2, groups=3, bias=False)
    taps = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
    blur.weight.data = (taps[:, None] * taps).expand(3, 1, 5, 5).clone()
    sampled = nn.MaxPool2d(1, 2)
    (sharp,) = errors(nn.Sequential(nn.Identity(), sampled), noise(), shifts_px=(1,), at="1")
    (blurred,) = errors(nn.Sequential(blur, sampled), noise(), shifts_px=(1,), at="1")
    assert blurred < 0.7 * sharp


def test_the_border_counts_where_it_is_kept() -> None:
    net, images = convolutions(1, 1, 1), noise()
    assert max(errors(net, images)) < 1e-6
    assert min(errors(net, images, borders="keep")) > 1e-3


def test_with_borders_kept_a_network_that_sees_everything_can_be_measured() -> None:
    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 8, 3, padding=1)
            self.gate = nn.Conv2d(8, 8, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.conv(x)
            return x * self.gate(x.mean((2, 3), keepdim=True)).sigmoid()

    torch.manual_seed(0)
    net = nn.Sequential(Gated(), nn.Conv2d(8, 4, 3))
    with pytest.raises(ModelError, match="reads the whole image"):
        measure(net, noise())
    assert 0 < errors(net, noise(), borders="keep")[0] < 1


def test_a_layer_inside_can_be_named() -> None:
    found = measure(convolutions(1, 2), noise(), at="0")
    assert (found.op_name, found.effective_stride) == ("0", (1, 1))


def test_no_unit_free_of_the_border_is_said() -> None:
    with pytest.raises(UsageError, match=r"it sees 15 px, and the image of 12 px moves by 1\."):
        measure(convolutions(2, 2, 2), noise(size=12))


def test_wrong_pictures_and_shifts_are_refused() -> None:
    net = convolutions(1)
    table = inspect(net, (3, 32, 32))
    with pytest.raises(UsageError, match=r"expected \(N, 3, 32, 32\)"):
        measure_equivariance(net, table, noise(size=30))
    with pytest.raises(UsageError, match=r"shifts_px=\(0,\)"):
        measure_equivariance(net, table, noise(), shifts_px=(0,))


def test_a_map_of_zeros_says_nothing() -> None:
    net = convolutions(1)
    nn.init.zeros_(net[0].weight)
    nn.init.zeros_(net[0].bias)
    with pytest.raises(ModelError, match="all zero"):
        measure(net, noise())


def test_the_model_is_left_as_found() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).train()
    measure(net, noise())
    assert net[1].training
    assert net[1].num_batches_tracked == 0
    assert not net[1]._forward_hooks

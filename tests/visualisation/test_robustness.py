from __future__ import annotations

import pytest
import torch
from torchvision.transforms import functional as tv

from foveal.errors import UsageError
from foveal.visualisation import Robustness


def _random(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def pictures() -> torch.Tensor:
    # Smooth, so that two ways of sampling between pixels differ little.
    coarse = torch.rand(2, 3, 5, 6, generator=_random(7))
    return torch.nn.functional.interpolate(coarse, (40, 48), mode="bicubic")


def test_none_leaves_the_picture_as_it_is(pictures):
    assert torch.equal(Robustness.none().move(pictures, _random()), pictures)


def test_jitter_moves_every_pixel_and_loses_none(pictures):
    moved = Robustness(jitter=0.5, scale=0, rotate_degrees=0).move(pictures, _random())
    shifts = [
        (down, right)
        for down in range(40)
        for right in range(48)
        if torch.equal(pictures.roll((down, right), (2, 3)), moved)
    ]
    assert len(shifts) == 1
    assert shifts != [(0, 0)]


def test_turning_and_scaling_agree_with_torchvision(pictures):
    robustness = Robustness(jitter=0, scale=0.3, rotate_degrees=40)
    moved = robustness.move(pictures, _random(3))
    draws = torch.rand(4, generator=_random(3), dtype=torch.float64) * 2 - 1
    expected = tv.affine(
        pictures,
        angle=-float(draws[3]) * 40,
        translate=[0, 0],
        scale=1.3 ** float(draws[2]),
        shear=[0.0],
        interpolation=tv.InterpolationMode.BILINEAR,
    )
    middle = (slice(None), slice(None), slice(12, 28), slice(14, 34))
    assert torch.allclose(moved[middle], expected[middle], atol=0.02)


def test_the_seed_decides(pictures):
    first, again, other = (Robustness().move(pictures, _random(s)) for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_all_pictures_move_alike(pictures):
    alone = Robustness().move(pictures[1:], _random())
    assert torch.allclose(Robustness().move(pictures, _random())[1:], alone, atol=1e-6)


def test_a_movement_out_of_sight_is_refused():
    with pytest.raises(UsageError, match=r"got scale=0\.9, expected a number from 0 to 0\.5"):
        Robustness(scale=0.9)

"""Batches mixed in pairs: what is pasted, and what share of the label goes with it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from foveal.finetuning.mixing import cut_and_paste, mix
from foveal.finetuning.settings import Recipe

PLAIN = Recipe(mixup=0.0, cutmix=0.0, smoothing=0.0)
CUT = replace(PLAIN, cutmix=1.0)


def batch(num_images: int, height: int = 8, width: int = 8) -> torch.Tensor:
    """Every image has its own number in every pixel."""
    numbers = torch.arange(num_images, dtype=torch.float32)
    return numbers[:, None, None, None].expand(num_images, 3, height, width).clone()


@settings(max_examples=80)
@given(
    number=st.integers(0, 2**40),
    height=st.integers(1, 17),
    width=st.integers(1, 17),
    num_images=st.integers(2, 7),
)
def test_labels_are_mixed_by_the_area_that_was_pasted(
    number: int, height: int, width: int, num_images: int
) -> None:
    images, targets = batch(num_images, height, width), torch.eye(num_images)
    mixed, shares, _ = mix(images, targets, torch.ones(num_images), recipe=CUT, number=number)
    for row in range(num_images):
        counted = [float((mixed[row, 0] == other).float().mean()) for other in range(num_images)]
        assert shares[row].tolist() == pytest.approx(counted, abs=1e-6)
    assert float(shares.sum()) == pytest.approx(num_images)


def test_what_is_pasted_is_one_rectangle_at_its_own_place() -> None:
    images = torch.arange(2 * 3 * 81, dtype=torch.float32).reshape(2, 3, 9, 9)
    found = []
    for number in range(40):
        mixed, kept = cut_and_paste(images, np.random.default_rng(number), parameter=1.0)
        other = (mixed[0] == images[1]).all(0)
        assert torch.equal((mixed[0] == images[0]).all(0), ~other)
        rows, columns = other.any(1).sum(), other.any(0).sum()
        assert int(rows * columns) == int(other.sum())
        found.append(1 - float(other.sum()) / 81)
        assert kept == pytest.approx(found[-1], abs=1e-9)
    assert min(found) < 0.3 < 0.9 < max(found)


def test_mixup_averages_images_and_labels_by_one_weight() -> None:
    recipe = replace(PLAIN, mixup=1.0)
    mixed, shares, _ = mix(batch(2), torch.eye(2), torch.ones(2), recipe=recipe, number=5)
    # The images are all 0 and all 1, so a pixel is the share of the second.
    assert float(mixed[0, 0, 0, 0]) == pytest.approx(float(shares[0, 1]), abs=1e-6)
    assert 0 < float(shares[0, 1]) < 1


def test_with_both_each_batch_goes_one_way() -> None:
    recipe = replace(PLAIN, mixup=1.0, cutmix=1.0)
    made = [
        mix(batch(2), torch.eye(2), torch.ones(2), recipe=recipe, number=number)[0]
        for number in range(40)
    ]
    num_cut = sum(set(one.unique().tolist()) <= {0.0, 1.0} for one in made)
    assert 8 < num_cut < 32


@pytest.mark.parametrize("recipe", [PLAIN, CUT, replace(PLAIN, mixup=1.0)])
def test_a_batch_of_one_is_left_as_it_is(recipe: Recipe) -> None:
    images = batch(1) + 3
    mixed, targets, weights = mix(images, torch.eye(1), torch.ones(1), recipe=recipe, number=1)
    assert torch.equal(mixed, images)
    assert (targets.item(), weights.item()) == (1.0, 1.0)


def test_the_same_number_draws_the_same_and_another_draws_another() -> None:
    made = [
        mix(batch(4, 32, 32), torch.eye(4), torch.ones(4), recipe=CUT, number=number)[0]
        for number in (1, 1, 2)
    ]
    assert torch.equal(made[0], made[1])
    assert not torch.equal(made[0], made[2])


def test_what_is_mixed_is_left_as_it_was() -> None:
    images = batch(4)
    mix(images, torch.eye(4), torch.ones(4), recipe=CUT, number=0)
    assert torch.equal(images, batch(4))

"""Policies: the same image for the same numbers, and only what their words say."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foveal.errors import UsageError
from foveal.images.augmentation import (
    POLICIES,
    Policy,
    PolicyName,
    augment,
    augment_normalised,
    find_policy,
)
from foveal.images.pixel_changes import equalised, posterised, warped
from foveal.images.views import VIEWS, turn

PIXELS = np.random.default_rng(0).random((3, 16, 16), np.float32)
GREY = np.repeat(PIXELS[:1], 3, 0)
_CHANGING = [one.name for one in POLICIES if one.has_views and one.name != "any-orientation"]
by_policy = pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)


def test_the_table_names_exactly_the_policies_of_the_type() -> None:
    assert tuple(policy.name for policy in POLICIES) == get_args(PolicyName)


@by_policy
def test_view_0_is_the_picture_itself(policy: Policy) -> None:
    assert augment(PIXELS, policy, seed=1, view=0, digest="a") is PIXELS


@by_policy
@settings(max_examples=15)
@given(seed=st.integers(0, 9), view=st.integers(0, 40), digest=st.sampled_from(["ab", "cd"]))
def test_a_view_is_a_function_of_its_numbers(
    policy: Policy, seed: int, view: int, digest: str
) -> None:
    first = augment(PIXELS, policy, seed=seed, view=view, digest=digest)
    again = augment(PIXELS.copy(), policy, seed=seed, view=view, digest=digest)
    np.testing.assert_array_equal(first, again)
    assert first.shape == PIXELS.shape
    assert first.dtype == np.float32
    assert first.flags.c_contiguous
    assert 0 <= first.min() <= first.max() <= 1


@by_policy
@settings(max_examples=15)
@given(view=st.integers(1, 40))
def test_a_grey_picture_stays_grey(policy: Policy, view: int) -> None:
    changed = augment(GREY, policy, seed=0, view=view, digest="a")
    np.testing.assert_array_equal(changed[0], changed[1])
    np.testing.assert_array_equal(changed[0], changed[2])


@pytest.mark.parametrize("name", [*_CHANGING, "crop+jitter+cutout"])
def test_pictures_views_and_seeds_differ(name: str) -> None:
    policy = find_policy(name)
    made = [
        augment(PIXELS, policy, seed=seed, view=view, digest=digest).tobytes()
        for seed, view, digest in ((0, 1, "a"), (0, 2, "a"), (1, 1, "a"), (0, 1, "b"))
        for view in (view, view + 2, view + 4, view + 6, view + 8)
    ]
    # Some changes are made in half of the views, or have two outcomes.
    assert len(set(made)) >= (2 if name == "flip" else 8)


def test_any_orientation_shows_the_eight_symmetries_in_eight_views() -> None:
    policy = find_policy("any-orientation")
    for view, way in enumerate(VIEWS):
        expected = turn(PIXELS.transpose(1, 2, 0), way).transpose(2, 0, 1)
        found = augment(PIXELS, policy, seed=0, view=view, digest="a")
        np.testing.assert_array_equal(found, expected)


def test_a_picture_that_is_not_square_keeps_its_shape() -> None:
    wide = PIXELS[:, :8]
    for policy in POLICIES:
        for view in range(1, 10):
            assert augment(wide, policy, seed=0, view=view, digest="a").shape == wide.shape


def test_only_policies_that_say_so_mirror() -> None:
    ramp = np.tile(np.linspace(0.2, 0.8, 32, dtype=np.float32), (3, 32, 1))

    def mirrored(policy: Policy) -> bool:
        views = [augment(ramp, policy, seed=0, view=view, digest="a") for view in range(1, 25)]
        return any(one[0, :, :8].mean() > one[0, :, -8:].mean() + 0.1 for one in views)

    # Inverted levels turn a ramp round as well, and what is hidden has no direction.
    others = ("strong", "erasing", "cutout", "auto-augment", "trivial-augment")
    asked = [policy for policy in POLICIES if policy.name not in others]
    assert [mirrored(policy) for policy in asked] == [policy.mirrors for policy in asked]


def test_moving_by_whole_pixels_moves_the_contents() -> None:
    moved = warped(PIXELS, down=2 / 16, right=1 / 16)
    np.testing.assert_allclose(moved[:, 2:, 1:], PIXELS[:, :-2, :-1], atol=1e-5)


def test_a_quarter_turn_is_the_view() -> None:
    turned = turn(PIXELS.transpose(1, 2, 0), "rot90").transpose(2, 0, 1)
    quarter = warped(PIXELS, degrees=90)
    back = warped(PIXELS, degrees=-90)
    assert min(abs(quarter - turned).max(), abs(back - turned).max()) < 1e-4


def test_known_levels() -> None:
    ramp = np.array([[[0.0, 0.25, 0.5, 1.0]]], np.float32)
    np.testing.assert_allclose(posterised(ramp, 1), [[[0, 0, 1, 1]]])
    # Four levels of one pixel each spread evenly: 0/3, 1/3, 2/3, 3/3.
    np.testing.assert_allclose(equalised(ramp), [[[0, 1 / 3, 2 / 3, 1]]], atol=1e-6)


def test_normalised_inputs_are_changed_as_pixels_are() -> None:
    policy, mean, std = find_policy("light"), (0.4, 0.5, 0.6), (0.2, 0.3, 0.4)
    centre, scale = (np.array(one, np.float32)[:, None, None] for one in (mean, std))
    found = augment_normalised(
        (PIXELS - centre) / scale, policy, seed=0, view=3, digest="a", mean=mean, std=std
    )
    expected = augment(PIXELS, policy, seed=0, view=3, digest="a")
    np.testing.assert_allclose(found * scale + centre, expected, atol=1e-5)


def test_a_wrong_name_is_answered_with_the_near_one() -> None:
    with pytest.raises(UsageError, match="Did you mean strong"):
        find_policy("strongg")

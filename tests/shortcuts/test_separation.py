"""Where classes are told apart: the map's mean is the gap between the logits."""

from __future__ import annotations

import numpy as np
import pytest

from foveal.shortcuts.separation import HeldOutMaps, separate


def made_up(num_images: int = 20, num_classes: int = 3, *, grid: int = 7) -> HeldOutMaps:
    random = np.random.default_rng(0)
    return HeldOutMaps(
        signed=random.standard_normal((num_images, num_classes, grid, grid)).astype(np.float32),
        bias=np.tile(random.standard_normal(num_classes).astype(np.float32), (num_images, 1)),
        labels=np.arange(num_images) % num_classes,
    )


def test_the_mean_of_the_separation_is_the_gap_between_the_logits() -> None:
    maps = made_up()
    inside = maps.labels == 1
    gap = maps.logits[inside, 1].mean() - maps.logits[~inside, 1].mean()
    assert separate(maps, 1).values.mean() == pytest.approx(gap)


def test_the_error_of_the_gap_is_welchs() -> None:
    from scipy.stats import ttest_ind

    maps = made_up()
    inside = maps.labels == 2
    means = maps.signed[:, 2].mean((1, 2))
    welch = ttest_ind(means[inside], means[~inside], equal_var=False).statistic
    found = separate(maps, 2)
    assert found.gap / found.gap_error == pytest.approx(welch, rel=1e-5)


def test_what_all_pictures_share_cancels() -> None:
    maps = made_up()
    shared = maps.signed + np.random.default_rng(1).random((7, 7)).astype(np.float32)
    moved = HeldOutMaps(shared, maps.bias, maps.labels)
    np.testing.assert_allclose(separate(moved, 0).values, separate(maps, 0).values, atol=1e-6)


def test_a_map_without_preference_has_the_borders_own_area_outside() -> None:
    labels = np.array([0, 0, 1, 1])
    signed = np.zeros((4, 2, 7, 7), np.float32)
    signed[:2, 0] = 1.0
    found = separate(HeldOutMaps(signed, np.zeros((4, 2), np.float32), labels), 0)
    assert found.outside_share == pytest.approx(found.outside_area) == (49 - 25) / 49


def test_nothing_positive_has_no_share() -> None:
    labels = np.array([0, 0, 1, 1])
    signed = np.zeros((4, 2, 7, 7), np.float32)
    assert separate(HeldOutMaps(signed, signed.mean((2, 3)), labels), 0).outside_share is None

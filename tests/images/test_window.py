"""Grey levels to [0, 1]."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from foveal.errors import UsageError
from foveal.images import Window
from foveal.images.window import stretch

FULL = Window(low_percentile=0, high_percentile=100)
SHAPES = npst.array_shapes(min_dims=2, max_dims=2, max_side=12)


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.int32, np.float32, np.float64])
def test_the_limits_are_numpys_percentiles(dtype):
    random = np.random.default_rng(0)
    levels = random.integers(-500 if np.dtype(dtype).kind != "u" else 0, 30_000, (101, 101))
    levels = levels.astype(dtype)
    low = np.percentile(levels, 0.5, method="lower")
    high = np.percentile(levels, 99.5, method="higher")
    expected = np.clip((levels.astype(float) - low) / (high - low), 0, 1)
    assert np.allclose(stretch(levels, Window()).values, expected, atol=1e-6)


@given(
    npst.arrays(
        st.sampled_from([np.uint16, np.int16, np.int32, np.uint32, np.int64, np.float32]), SHAPES
    )
)
def test_values_lie_in_the_unit_interval_and_keep_their_order(levels):
    if levels.dtype.kind == "f" and not np.isfinite(levels).any():
        return
    values = stretch(levels, Window()).values
    assert values.dtype == np.float32
    assert np.isfinite(values).all()
    assert values.min() >= 0
    assert values.max() <= 1
    if levels.dtype.kind != "f" or np.isfinite(levels).all():
        order = np.argsort(levels, axis=None, kind="stable")
        assert (np.diff(values.ravel()[order]) >= 0).all()


@given(npst.arrays(np.float64, SHAPES, elements=st.floats(allow_nan=False)))
def test_the_widest_range_does_not_overflow(levels):
    if np.isfinite(levels).any():
        assert np.isfinite(stretch(levels, FULL).values).all()


@given(npst.arrays(np.uint16, SHAPES, elements=st.integers(0, 4095)))
def test_a_negative_gives_exactly_its_positive(levels):
    positive = stretch(levels, Window()).values
    negative = stretch(4095 - levels, Window(), polarity="inverted").values
    assert np.array_equal(positive, negative)


def test_a_few_hot_pixels_do_not_darken_the_rest():
    levels = np.tile(np.arange(100, 200, dtype=np.uint16), (100, 1))
    levels[0, :3] = 65535
    assert stretch(levels, Window()).values.mean() > 0.4


def test_a_small_object_on_a_flat_ground_stays_visible():
    levels = np.full((100, 100), 50, np.uint16)
    levels[40:43, 40:43] = 900
    values = stretch(levels, Window()).values
    assert (values[41, 41], values[0, 0]) == (1, 0)


@pytest.mark.parametrize(("low", "high"), [(-1, 99), (50, 50), (60, 40), (0, 101)])
def test_percentiles_that_are_none_are_refused(low, high):
    with pytest.raises(UsageError, match="0 <= low < high <= 100"):
        Window(low, high)


def test_an_unknown_dicom_policy_is_refused():
    with pytest.raises(UsageError, match="'auto' is unknown"):
        Window(dicom="auto")

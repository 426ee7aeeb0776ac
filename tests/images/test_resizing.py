"""Where output pixels come from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from foveal.images.resizing import ResizePlan, plan_resize, resample

SIDES = st.integers(1, 4000)


@given(
    height=SIDES,
    width=SIDES,
    to_px=st.tuples(st.integers(1, 500), st.integers(1, 500)),
    fit=st.sampled_from(["squash", "crop", "pad"]),
    crop_fraction=st.floats(0.05, 1.0),
)
def test_a_plan_stays_inside_the_whole_and_inside_the_output(
    height, width, to_px, fit, crop_fraction
):
    plan = plan_resize(height, width, to_px=to_px, fit=fit, crop_fraction=crop_fraction)
    whole_height, whole_width = plan.whole_px
    assert 0 <= plan.upper_px <= whole_height - plan.height_px
    assert 0 <= plan.left_px <= whole_width - plan.width_px
    assert 1 <= plan.height_px <= to_px[0]
    assert 1 <= plan.width_px <= to_px[1]
    if fit != "pad":
        assert (plan.height_px, plan.width_px) == to_px


@given(height=SIDES, width=SIDES)
def test_squash_keeps_everything(height, width):
    assert plan_resize(height, width, to_px=(9, 7), fit="squash") == ResizePlan((9, 7), 0, 0, 9, 7)


@given(height=st.integers(50, 4000), width=st.integers(50, 4000))
def test_pad_keeps_everything_in_its_own_aspect(height, width):
    plan = plan_resize(height, width, to_px=(200, 200), fit="pad")
    assert plan.whole_px == (plan.height_px, plan.width_px)
    assert max(plan.whole_px) == 200
    assert abs(plan.height_px * width - plan.width_px * height) <= max(height, width)


def test_a_panorama_is_cut_before_it_is_resized():
    y, x = np.mgrid[0:20, 0:6000]
    levels = (128 + 100 * np.sin(x / 9) * np.cos(y / 7)).astype(np.uint8)
    image = Image.fromarray(levels)
    plan = plan_resize(20, 6000, to_px=(64, 64), fit="crop")
    whole = np.asarray(image.resize(plan.whole_px[::-1], Image.Resampling.BICUBIC))
    kept = whole[:, plan.left_px : plan.left_px + 64].astype(int)
    assert plan.whole_px[1] == 19200
    two_passes = image.resize((plan.whole_px[1], 20), Image.Resampling.BICUBIC)
    two_passes = two_passes.resize(plan.whole_px[::-1], Image.Resampling.BICUBIC)
    exact = np.asarray(two_passes)[:, plan.left_px : plan.left_px + 64]
    assert np.array_equal(resample(image, plan, "bicubic"), exact)
    assert np.abs(exact.astype(int) - kept).max() <= 2


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "lanczos"])
def test_a_deep_picture_is_resampled_as_its_eight_bit_twin(interpolation):
    # Smooth, since 8-bit arithmetic also clips between its two passes what overshoots.
    y, x = np.mgrid[0:50, 0:70]
    levels = (128 + 100 * np.sin(x / 9) * np.cos(y / 7)).astype(np.uint8)
    plan = plan_resize(50, 70, to_px=(32, 32), fit="crop", crop_fraction=0.9)
    eight = resample(Image.fromarray(levels), plan, interpolation)
    deep = resample(np.float32(levels) / np.float32(255), plan, interpolation)
    assert np.abs(deep * 255 - eight).max() < 2.01


def test_deep_overshoot_is_clipped():
    step = np.zeros((8, 8), np.float32)
    step[:, 4:] = 1
    enlarged = resample(step, plan_resize(8, 8, to_px=(40, 40), fit="squash"), "lanczos")
    assert (enlarged.min(), enlarged.max()) == (0, 1)

from __future__ import annotations

import numpy as np
import pytest

from foveal.visualisation.pixels import colour_covariance, colour_root


@pytest.mark.parametrize("num_channels", [1, 2, 3, 4])
def test_the_root_is_a_root_of_the_covariance(num_channels):
    root = colour_root(num_channels)
    assert np.allclose(root @ root.T, colour_covariance(num_channels), atol=1e-12)


# 0.277, 0.269, 0.282 are what others report for the pixels of Tiny ImageNet.
def test_each_channel_varies_as_reported_for_imagenet():
    spread = np.sqrt(np.diag(colour_covariance()))
    assert spread == pytest.approx([0.277, 0.269, 0.282], abs=0.01)


# Ruderman et al. 1998: brightness, then blue against yellow, then green against magenta.
def test_the_axes_are_those_of_natural_scenes():
    signs = np.sign(np.where(abs(colour_root()) < 0.01, 0, colour_root())).T
    brightness, blue_yellow, green_magenta = (row * np.sign(row[0]) for row in signs)
    assert brightness.tolist() == [1, 1, 1]
    assert blue_yellow.tolist() == [1, 0, -1]
    assert green_magenta.tolist() == [1, -1, 1]


def test_one_channel_varies_like_the_mean_of_three():
    noise = np.random.default_rng(0).standard_normal((3, 200_000))
    mean = (colour_root() @ noise).mean(axis=0)
    assert mean.var() == pytest.approx(colour_covariance(1)[0, 0], rel=0.02)

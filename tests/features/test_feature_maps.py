"""The last feature map: its mean is the feature vector, or there is none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from foveal.errors import ModelError
from foveal.features.feature_maps import open_feature_maps
from foveal.models import Backbone

SIZE = (64, 64)


def test_the_map_is_the_one_that_timm_pools(
    load_random: Callable[[str], Backbone], tmp_path: Path
) -> None:
    backbone = load_random("test_resnet")
    images = np.random.default_rng(0).standard_normal((2, 3, *SIZE)).astype(np.float32)
    (maps,) = open_feature_maps(backbone, SIZE, tmp_path)(images)
    with torch.inference_mode():
        expected = backbone.network.forward_features(torch.from_numpy(images)).numpy()  # type: ignore[operator]
    np.testing.assert_allclose(maps, expected, atol=1e-4)


def test_a_network_that_normalises_after_pooling_has_none(
    load_random: Callable[[str], Backbone], tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="test_convnext are not the mean of its last feature map"):
        open_feature_maps(load_random("test_convnext"), SIZE, tmp_path)

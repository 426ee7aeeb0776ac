"""Every stage of a network in the same forward pass, and the features unchanged."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from foveal.errors import ModelError
from foveal.features.backends import find_backend
from foveal.features.feature_maps import open_feature_maps
from foveal.features.reading import Reading, readable_network, reading_of, with_stages
from foveal.models import Backbone

SIZE = (64, 64)
Load = Callable[[str], Backbone]


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((2, 3, *SIZE)).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "stages", "widths"),
    [
        ("resnet18", ("layer1", "layer2", "layer3"), (64, 128, 256, 512)),
        ("regnety_002", ("stem", "s1", "s2", "s3"), (32, 24, 56, 152, 368)),
        (
            "tf_efficientnet_lite0",
            ("bn1", *(f"blocks.{index}" for index in range(6)), "blocks"),
            (32, 16, 24, 40, 80, 112, 192, 320, 1280),
        ),
    ],
)
def test_stages_end_where_the_width_changes(
    load_random: Load, name: str, stages: tuple[str, ...], widths: tuple[int, ...]
) -> None:
    staged = with_stages(load_random(name), SIZE)
    assert staged.stages == stages
    assert staged.widths == widths
    assert staged.num_features == sum(widths)


def test_each_part_is_the_mean_of_its_stage(load_random: Load, images: np.ndarray) -> None:
    backbone = load_random("resnet18")
    staged = with_stages(backbone, SIZE)
    network, batch = backbone.network, torch.from_numpy(images)
    with torch.inference_mode():
        found = staged.feature_network()(batch)
        value = network.maxpool(network.act1(network.bn1(network.conv1(batch))))  # type: ignore[operator]
        expected = []
        for name in ("layer1", "layer2", "layer3", "layer4"):
            value = network.get_submodule(name)(value)
            expected.append(value.mean((2, 3)))
    torch.testing.assert_close(found, torch.cat(expected, 1), rtol=1e-4, atol=1e-4)


def test_the_network_is_left_as_it_was(load_random: Load, images: np.ndarray) -> None:
    backbone = load_random("test_resnet")
    with_stages(backbone, SIZE).feature_network()(torch.from_numpy(images))
    assert not any(module._forward_hooks for module in backbone.network.modules())


def test_a_copy_has_taps_of_its_own(load_random: Load, images: np.ndarray) -> None:
    first = with_stages(load_random("test_resnet"), SIZE).feature_network()
    second = copy.deepcopy(first)
    with torch.inference_mode():
        torch.testing.assert_close(
            second(torch.from_numpy(images)), first(torch.from_numpy(images))
        )


@pytest.mark.parametrize("backend", ["torch", "torch-channels-last", "onnxruntime"])
def test_every_backend_gives_every_stage(
    load_random: Load, images: np.ndarray, tmp_path: Path, backend: str
) -> None:
    staged = with_stages(load_random("test_resnet"), SIZE)
    with torch.inference_mode():
        expected = staged.feature_network()(torch.from_numpy(images)).numpy()
    found = find_backend(backend).open(staged, SIZE, tmp_path).run(images)
    np.testing.assert_allclose(found, expected, atol=1e-3, rtol=1e-3)


def test_maps_of_every_stage_have_the_parts_as_means(
    load_random: Load, images: np.ndarray, tmp_path: Path
) -> None:
    staged = with_stages(load_random("test_resnet"), SIZE)
    maps = open_feature_maps(staged, SIZE, tmp_path)(images)
    assert [one.shape[1] for one in maps] == list(staged.widths)
    with torch.inference_mode():
        expected = staged.feature_network()(torch.from_numpy(images)).numpy()
    means = np.concatenate([one.mean((2, 3)) for one in maps], 1)
    np.testing.assert_allclose(means, expected, atol=1e-3, rtol=1e-3)


def test_other_stages_or_weights_have_another_digest(load_random: Load) -> None:
    one, other = (with_stages(load_random(name), SIZE) for name in ("resnet18", "test_resnet"))
    assert one.weights.digest != load_random("resnet18").weights.digest
    assert one.weights.digest != other.weights.digest


def test_a_network_whose_head_answers_otherwise_is_refused(load_random: Load) -> None:
    with pytest.raises(ModelError, match="stages of test_convnext cannot be read"):
        with_stages(load_random("test_convnext"), SIZE)


def test_a_reading_says_its_stages_and_is_read_again(load_random: Load) -> None:
    backbone = load_random("test_resnet")
    staged = with_stages(backbone, SIZE)
    reading = reading_of(staged, ("hflip",))
    assert (reading.views, reading.stages) == (("hflip",), staged.stages)
    assert readable_network(backbone, reading, SIZE) == staged
    assert reading_of(backbone, ("identity",)) == Reading()

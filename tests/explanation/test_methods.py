"""Every method by one name and one call."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from torch import nn

import foveal
from foveal.errors import UsageError
from foveal.explanation.explaining import MapMaker
from foveal.explanation.methods import METHODS, list_methods

NAMES = [method.name for method in METHODS]


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)
    ).eval()


def test_every_method_of_the_contract_is_there() -> None:
    assert set(NAMES) >= {
        "cam",
        "grad-cam",
        "grad-cam++",
        "hirescam",
        "layercam",
        "ablation-cam",
        "occlusion",
        "input-gradients",
    }
    assert [name for name, _ in list_methods()] == ["auto", *NAMES]


@pytest.mark.parametrize("method", METHODS, ids=NAMES)
def test_a_row_says_how_its_maps_are_made_and_who_published_it(method) -> None:
    forms = (method.gradient_form, method.closed_form, method.run)
    assert any(forms)
    assert method.run is None or not any(forms[:2])
    assert method.looks_at == "layer" or method.run is not None
    assert re.fullmatch(r"[A-Z][a-z]+ (19|20)\d\d", method.paper)


@pytest.mark.parametrize("name", NAMES)
def test_the_maps_say_which_method_made_them(network: nn.Module, name: str) -> None:
    maps = MapMaker(network, method=name)(torch.rand(2, 3, 16, 16), classes=[0, 1])
    assert [[one.method for one in several] for several in maps] == [[name] * 2] * 2


@pytest.mark.parametrize("name", NAMES)
def test_one_call_takes_arrays_and_every_method(network: nn.Module, name: str) -> None:
    images = np.random.default_rng(0).random((2, 3, 16, 16), np.float32)
    ((first,), _) = foveal.explain(network, images, method=name, classes=1)
    ((same,), _) = MapMaker(network, method=name)(torch.from_numpy(images), classes=1)
    np.testing.assert_array_equal(first.values, same.values)


def test_a_method_left_out_gives_its_reason(network: nn.Module) -> None:
    with pytest.raises(UsageError, match="fails the parameter-randomisation test"):
        MapMaker(network, method="guided-backprop")


def test_a_layer_for_a_method_on_pixels_is_refused(network: nn.Module) -> None:
    with pytest.raises(UsageError, match="occlusion looks at the pixels"):
        MapMaker(network, method="occlusion", layer="0")

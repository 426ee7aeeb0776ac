from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from foveal.explanation.faithfulness.completeness import explain_blank


def _network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    ).eval()


def _reason(model, heat_map):
    return explain_blank(model, heat_map, image_channels=1)


def test_a_map_that_shows_something_needs_no_reason(true_map):
    assert _reason(_network(), true_map) is None


def test_evidence_against_the_class_alone_is_no_fault(make_map):
    found = _reason(_network(), make_map(np.zeros((4, 4)), signed=-np.eye(4)))
    assert "speaks against the class" in found.reason
    assert not found.is_fault


def test_weights_of_zero_are_named(make_map):
    model = _network()
    model[4].weight.data[1] = 0
    found = _reason(model, make_map(np.zeros((4, 4)), signed=np.zeros((4, 4))))
    assert "weights for class 1 are all zero" in found.reason
    assert found.is_fault


def test_otherwise_the_features_are_dead(make_map):
    found = _reason(_network(), make_map(np.zeros((4, 4)), signed=np.zeros((4, 4))))
    assert "dead on this image" in found.reason
    assert found.is_fault


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_named(make_map, value: float):
    values = np.eye(4)
    values[0, 0] = value
    assert "not finite" in _reason(_network(), make_map(values)).reason


@pytest.mark.parametrize(
    ("method", "words"),
    [("occlusion", "Covering any area leaves"), ("input-gradients", "zero everywhere")],
)
def test_methods_that_look_at_pixels_say_it_of_pixels(make_map, method: str, words: str):
    assert words in _reason(_network(), make_map(np.zeros((4, 4)), method=method)).reason


def test_a_network_that_cannot_be_traced_still_gets_an_answer(make_map):
    class Branching(nn.Module):
        def forward(self, images):
            return images.mean((2, 3)) if images.sum() > 0 else images.amax((2, 3))

    found = _reason(Branching(), make_map(np.zeros((4, 4)), signed=np.zeros((4, 4))))
    assert "dead on this image" in found.reason

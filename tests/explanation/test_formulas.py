"""The formulas on numbers small enough to follow by hand."""

from __future__ import annotations

import pytest
import torch

from foveal.errors import UsageError
from foveal.explanation import class_activation_maps
from foveal.explanation.exact_head import pooled_logits
from foveal.explanation.mapping import closed_form_maps, gradient_map

# Two channels on 1 x 2 positions; one image.
FEATURES = torch.tensor([[[[1.0, 3.0]], [[4.0, 0.0]]]])
WEIGHT = torch.tensor([[2.0, -1.0], [0.0, 0.5]])
BIAS = torch.tensor([0.25, -1.0])


def test_class_activation_maps():
    expected = [[2 * 1 - 1 * 4, 2 * 3 - 0], [0.5 * 4, 0]]

    assert class_activation_maps(FEATURES, WEIGHT, BIAS)[0, :, 0].tolist() == expected


def test_the_mean_of_a_map_and_the_bias_are_the_logit():
    logits = pooled_logits(FEATURES, WEIGHT, BIAS)

    means = class_activation_maps(FEATURES, WEIGHT, BIAS).mean((2, 3))
    assert torch.equal(logits, means + BIAS)
    assert logits.tolist() == [[(-2 + 6) / 2 + 0.25, (2 + 0) / 2 - 1]]


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("grad-cam", [(2 * 1 - 1 * 4) / 2, 2 * 3 / 2]),
        ("hirescam", [(2 * 1 - 1 * 4) / 2, 2 * 3 / 2]),
        ("layercam", [2 * 1 / 2, 2 * 3 / 2]),  # the negative weight is dropped
        # weight relu(w) / (2 + w mean(A)) = 2 / (2 + 2 * 2)
        ("grad-cam++", [1 * 2 / 6, 3 * 2 / 6]),
    ],
)
def test_closed_forms(method, expected):
    found = closed_form_maps(method, FEATURES, WEIGHT, torch.tensor([[0]]))

    assert found[0, 0, 0].tolist() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        # Mean gradients 0.5 and -1.
        ("grad-cam", [0.5 * 1 - 1 * 4, 0.5 * 3 - 1 * 0]),
        ("hirescam", [2 * 1 - 2 * 4, -1 * 3 + 0]),
        ("layercam", [2 * 1, 0]),
        # Only the first position of the first channel has a positive gradient, g = 2, sum(A) = 4:
        # alpha = g^2 / (2 g^2 + 4 g^3) = 4 / (8 + 32), weight = alpha g.
        ("grad-cam++", [2 * 4 / 40 * 1, 2 * 4 / 40 * 3]),
    ],
)
def test_gradient_maps(method, expected):
    gradients = torch.tensor([[[[2.0, -1.0]], [[-2.0, 0.0]]]])

    assert gradient_map(method, FEATURES, gradients)[0, 0].tolist() == pytest.approx(expected)


def test_half_precision_is_summed_in_single():
    many = torch.full((1, 4096, 1, 1), 1.0, dtype=torch.float16)

    found = class_activation_maps(many, torch.full((1, 4096), 1.001, dtype=torch.float16))

    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(4096 * float(torch.tensor(1.001).half()), rel=1e-6)


@pytest.mark.parametrize(
    ("weight", "bias"), [(torch.ones(2, 3), None), (torch.ones(2), None), (WEIGHT, torch.ones(3))]
)
def test_shapes_that_do_not_fit_are_named(weight, bias):
    with pytest.raises(UsageError, match="expected"):
        class_activation_maps(FEATURES, weight, bias)

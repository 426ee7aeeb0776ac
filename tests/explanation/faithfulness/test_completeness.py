from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from foveal.explanation.faithfulness.completeness import check_completeness, tolerance_of


def test_a_map_that_adds_up_passes(make_map):
    signed = np.array([[1.0, 2.0], [3.0, -2.0]])
    found = check_completeness(make_map(signed, signed=signed, bias=0.5), 1.5, torch.float32)
    assert (found.status, found.value, found.reference) == ("passed", 1.5, 1.5)


def test_a_map_short_of_its_negative_part_fails(make_map):
    signed = np.array([[1.0, 2.0], [3.0, -2.0]])
    cut_off = np.maximum(signed, 0)
    found = check_completeness(make_map(cut_off, signed=cut_off, bias=0.5), 1.5, torch.float32)
    assert (found.status, found.value) == ("failed", 2.0)


@pytest.mark.parametrize("bias", [0.5, None])
def test_without_both_a_signed_map_and_a_bias_it_is_unavailable(make_map, bias: float | None):
    signed = None if bias is not None else np.ones((2, 2))
    found = check_completeness(
        make_map(np.ones((2, 2)), signed=signed, bias=bias), 1.5, torch.float32
    )
    assert found.status == "unavailable"


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_rounding_of_the_precision_is_forgiven(make_map, dtype: torch.dtype):
    torch.manual_seed(0)
    linear = nn.Linear(256, 4).to(dtype)
    features = torch.rand(1, 256, 7, 7).to(dtype)
    with torch.no_grad():
        logits = linear(features.mean((2, 3)))
        weight = linear.weight[2].double()
        signed = torch.tensordot(weight, features[0].double(), dims=1).numpy()
    found = check_completeness(
        make_map(signed, signed=signed, bias=linear.bias[2].item()), float(logits[0, 2]), dtype
    )
    assert found.status == "passed"


def test_half_the_bias_is_more_than_rounding(make_map):
    signed = np.full((2, 2), 2.0)
    found = check_completeness(make_map(signed, signed=signed, bias=1.0), 2.5, torch.bfloat16)
    assert found.status == "failed"


def test_tolerance_grows_with_the_step_between_numbers():
    assert tolerance_of(torch.float64) == tolerance_of(torch.float32) == 1e-4
    assert tolerance_of(torch.float16) == 8 * 2**-10

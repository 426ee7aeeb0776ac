"""What common functions return: as PyTorch says on the meta device, or left to PyTorch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from foveal.graph.execution import _known_result


def meta(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.empty(shape, dtype=dtype, device="meta")


def described(tensor: torch.Tensor) -> tuple[Any, ...]:
    return tuple(tensor.shape), tensor.dtype, tensor.stride(), tensor.device.type


X = meta(2, 6, 9, 7)
NARROW = meta(2, 6, 9, 7, dtype=torch.float16)


@pytest.mark.parametrize(
    ("function", "args", "kwargs"),
    [
        (functional.relu, (X,), {}),
        (functional.relu, (X,), {"inplace": False}),
        (functional.gelu, (X,), {"approximate": "tanh"}),
        (functional.silu, (NARROW,), {}),
        (torch.Tensor.sigmoid, (X,), {}),
        (torch.Tensor.add, (X, X), {}),
        (torch.Tensor.mul, (X, meta(2, 6, 1, 1)), {}),
        (torch.Tensor.mul, (meta(1, 6, 1, 7), X), {}),
        (torch.Tensor.sub, (NARROW, 2.5), {}),
        (torch.Tensor.div, (X, 3), {}),
        (functional.linear, (meta(2, 5, 8), meta(4, 8), meta(4)), {}),
        (functional.layer_norm, (X, (9, 7), meta(9, 7), None), {}),
        (torch.cat, ([X, meta(2, 3, 9, 7)], 1), {}),
        (torch.cat, ([X, meta(2, 6, 9, 1)],), {"dim": -1}),
        (functional.adaptive_avg_pool2d, (X, 1), {}),
        (functional.adaptive_avg_pool2d, (X, (3, 12)), {}),
    ],
)
def test_an_answer_is_pytorchs(function: Any, args: Any, kwargs: Any) -> None:
    found = _known_result(function, args, kwargs)
    assert described(found) == described(function(*args, **kwargs))


@settings(deadline=None)
@given(
    size=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.integers(1, 3),
    padding=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    dilation=st.integers(1, 3),
    groups=st.sampled_from([1, 2, 4]),
)
def test_convolutions_are_answered_where_pytorch_takes_them(
    size: tuple[int, int],
    kernel: tuple[int, int],
    stride: int,
    padding: tuple[int, int],
    dilation: int,
    groups: int,
) -> None:
    images, weight = meta(2, 4, *size), meta(8, 4 // groups, *kernel)
    options = (None, stride, padding, dilation, groups)
    found = _known_result(torch.conv2d, (images, weight, *options), {})
    try:
        # The meta device lets some windows pass that do not fit.
        expected = torch.conv2d(torch.zeros(images.shape), torch.zeros(weight.shape), *options)
    except RuntimeError:
        assert found is None
    else:
        assert described(found)[:3] == described(expected)[:3]


@pytest.mark.parametrize(
    ("function", "args", "kwargs"),
    [
        (torch.Tensor.add_, (X, meta(6, 7, 9, 5)), {}),
        (functional.relu, (X, True), {}),
        (functional.relu, (X.permute(0, 2, 3, 1),), {}),
        (functional.relu, (X.to(torch.int64),), {}),
        (functional.relu, (torch.zeros(2),), {}),
        (torch.Tensor.add, (X, meta(5)), {}),
        (torch.Tensor.add, (X, meta(2, 6, 9, 5)), {}),
        (torch.Tensor.add, (X, NARROW), {}),
        (torch.Tensor.mul, (X, True), {}),
        (functional.linear, (meta(2, 5), meta(4, 8)), {}),
        (functional.linear, (meta(2, 8), meta(4, 8, dtype=torch.float16)), {}),
        (functional.layer_norm, (X, (7, 9)), {}),
        (torch.cat, ([X, meta(2, 6, 9)], 1), {}),
        (torch.cat, ([X, meta(2, 3, 9, 5)], 1), {}),
        (torch.cat, ([X, X], 4), {}),
        (torch.conv2d, (X, meta(8, 6, 3, 3), None, 1, "same"), {}),
        (torch.conv2d, (X, meta(8, 3, 3, 3)), {}),
        (torch.conv2d, (X, meta(8, 6, 3, 3), meta(7)), {}),
        (functional.adaptive_avg_pool2d, (X, (None, 3)), {}),
        (torch.cumsum, (X, 1), {}),
    ],
)
def test_the_rest_is_left_to_pytorch(function: Any, args: Any, kwargs: Any) -> None:
    assert _known_result(function, args, kwargs) is None


@pytest.mark.parametrize(
    ("function", "args", "kwargs"),
    [
        (functional.relu, (), {"inplace": True}),
        (torch.Tensor.add_, (2.0,), {}),
        (torch.Tensor.mul_, (meta(2, 6, 1, 1),), {}),
    ],
)
def test_in_place_the_tensor_itself_comes_back_as_written(
    function: Any, args: Any, kwargs: Any
) -> None:
    written = meta(2, 6, 9, 5)
    version = written._version
    assert _known_result(function, (written, *args), kwargs) is written
    assert written._version == version + 1

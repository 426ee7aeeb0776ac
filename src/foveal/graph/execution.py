"""Running one recorded call on tensors that have shapes alone.

On the meta device PyTorch decomposes an activation or a normalisation in Python, which takes
a thousand times as long as finding the shape; most of the time of tracing would go there. So
what common functions return is worked out from their arguments. Only plain cases are: dense
floating-point maps of one type. Everything else, and whatever PyTorch would refuse, is left to
PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import increment_version
from torch.nn import functional

from foveal.graph.records import UnfollowableError

Arguments = tuple[Any, ...]
# torch.Tensor's own methods are what Python's operators call.
_POINTWISE: frozenset[Any] = frozenset(
    [
        functional.relu,
        functional.relu6,
        functional.gelu,
        functional.silu,
        functional.mish,
        functional.elu,
        functional.leaky_relu,
        functional.hardswish,
        functional.hardsigmoid,
        torch.relu,
        torch.sigmoid,
        torch.tanh,
        Tensor.sigmoid,
        Tensor.tanh,
    ]
)
_IN_PLACE: frozenset[Any] = frozenset([Tensor.add_, Tensor.sub_, Tensor.mul_, Tensor.div_])
_OF_TWO: frozenset[Any] = frozenset(
    [
        *(Tensor.add, Tensor.sub, Tensor.mul, Tensor.div),
        *(torch.add, torch.sub, torch.mul, torch.div),
    ]
)


def _known_result(func: Callable[..., Any], args: Arguments, kwargs: dict[str, Any]) -> Any:
    """Returns an empty tensor like the one that ``func`` returns; None to ask PyTorch."""
    if func in _POINTWISE:
        return _pointwise(args, kwargs)
    if func in _OF_TWO:
        return _of_two(args) if not kwargs and len(args) == 2 else None
    if func in _IN_PLACE and not kwargs and len(args) == 2:
        found = _of_two(args)
        fits = found is not None and found.shape == args[0].shape
        return _overwritten(args[0]) if fits else None
    known = _BY_FUNCTION.get(func)
    if known is None:
        return None
    try:
        return known(*args, **kwargs)
    except TypeError:  # called in a way that is not answered here
        return None


def _is_plain(tensor: Any) -> bool:
    return (
        isinstance(tensor, Tensor)
        and tensor.device.type == "meta"
        and tensor.is_floating_point()
        and tensor.is_contiguous()
    )


def _are_alike(first: Tensor, *others: Any) -> bool:
    """Whether all are plain tensors of one type; None stands for one left out."""
    return _is_plain(first) and all(
        other is None or (_is_plain(other) and other.dtype == first.dtype) for other in others
    )


def _pointwise(args: Arguments, kwargs: dict[str, Any]) -> Tensor | None:
    if len(args) != 1 or not _is_plain(args[0]):
        return None
    if kwargs and "out" in kwargs:
        return None
    source: Tensor = args[0]
    return _overwritten(source) if kwargs.get("inplace") else source.new_empty(source.shape)


def _overwritten(tensor: Tensor) -> Tensor:
    """Returns the tensor as an operation in place does: itself, with a new version."""
    increment_version(tensor)
    return tensor


def _of_two(args: Arguments) -> Tensor | None:
    given, second = args if isinstance(args[0], Tensor) else args[::-1]
    if not _is_plain(given):
        return None
    first: Tensor = given
    if type(second) is int or type(second) is float:
        return first.new_empty(first.shape)
    if not _are_alike(first, second) or first.dim() == 0 or second.dim() == 0:
        return None
    if first.shape == second.shape:
        return first.new_empty(first.shape)
    if first.dim() != second.dim():
        return None
    sizes = []
    for one, other in zip(first.shape, second.shape, strict=True):
        if one != other and one != 1 and other != 1:
            return None
        sizes.append(other if one == 1 else one)
    return first.new_empty(sizes)


def _convolution(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor | None:
    if isinstance(padding, str) or not _are_alike(input, weight, bias):
        return None
    if input.dim() != 4 or weight.dim() != 4 or groups < 1:
        return None
    width = weight.shape[0]
    if input.shape[1] != weight.shape[1] * groups or width % groups:
        return None
    if bias is not None and tuple(bias.shape) != (width,):
        return None
    sizes = []
    for axis in range(2):
        step, pad, spread = (_of_axis(value, axis) for value in (stride, padding, dilation))
        if step is None or pad is None or spread is None or step < 1 or pad < 0 or spread < 1:
            return None
        room = input.shape[2 + axis] + 2 * pad - spread * (weight.shape[2 + axis] - 1) - 1
        if room < 0:
            return None
        sizes.append(room // step + 1)
    return input.new_empty((input.shape[0], width, *sizes))


def _of_axis(value: Any, axis: int) -> int | None:
    if type(value) is int:
        return value
    if isinstance(value, (tuple, list)) and len(value) in (1, 2):
        found = value[axis % len(value)]
        return found if type(found) is int else None
    return None


def _linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor | None:
    if not _are_alike(input, weight, bias) or weight.dim() != 2 or input.dim() < 2:
        return None
    if input.shape[-1] != weight.shape[1]:
        return None
    if bias is not None and tuple(bias.shape) != (weight.shape[0],):
        return None
    return input.new_empty((*input.shape[:-1], weight.shape[0]))


def _layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor | None:
    shape = tuple(normalized_shape)
    if not shape or not _are_alike(input, weight, bias):
        return None
    if tuple(input.shape[-len(shape) :]) != shape or any(
        tensor is not None and tuple(tensor.shape) != shape for tensor in (weight, bias)
    ):
        return None
    return input.new_empty(input.shape)


def _concatenation(tensors: Any, dim: int = 0) -> Tensor | None:
    if not isinstance(tensors, (tuple, list)) or not tensors or not _are_alike(*tensors):
        return None
    first: Tensor = tensors[0]
    rank = first.dim()
    if any(tensor is None or tensor.dim() != rank for tensor in tensors) or not rank:
        return None
    if type(dim) is not int or not -rank <= dim < rank:
        return None
    axis = dim % rank
    sizes = list(first.shape)
    others = [[*tensor.shape[:axis], *tensor.shape[axis + 1 :]] for tensor in tensors]
    if any(other != others[0] for other in others):
        return None
    sizes[axis] = sum(tensor.shape[axis] for tensor in tensors)
    return first.new_empty(sizes)


def _adaptive_pooling(input: Tensor, output_size: Any) -> Tensor | None:
    height, width = (_of_axis(output_size, axis) for axis in range(2))
    if not _is_plain(input) or input.dim() != 4 or height is None or width is None:
        return None
    if min(height, width, *input.shape) < 1:
        return None
    return input.new_empty((*input.shape[:2], height, width))


_BY_FUNCTION: dict[Any, Callable[..., Tensor | None]] = {
    torch.conv2d: _convolution,
    functional.linear: _linear,
    functional.layer_norm: _layer_norm,
    torch.cat: _concatenation,
    functional.adaptive_avg_pool2d: _adaptive_pooling,
}


_DYNAMIC = frozenset({"DataDependentOutputException", "DynamicOutputShapeException"})


def run_on_shapes(
    func: Callable[..., Any], name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Returns what the call gives on the meta device.

    Raises:
        UnfollowableError: The shape of the result depends on values.
        Exception: Whatever the function raises about its arguments.
    """
    try:
        if func is torch.nn.functional.batch_norm:
            return _batch_norm(*args, **kwargs)
        if name in {"cpu", "cuda"}:
            return args[0]  # everything stays on the meta device, which cannot be left
        known = _known_result(func, args, kwargs)
        return func(*args, **kwargs) if known is None else known
    except NotImplementedError as error:
        if "meta" not in str(error).lower():
            raise
        raise UnfollowableError(f"{name} cannot be computed from shapes alone") from error
    except Exception as error:
        if type(error).__name__ not in _DYNAMIC:
            raise
        raise UnfollowableError(
            f"the shape of what {name} returns depends on the values in an image"
        ) from error


def _batch_norm(
    input: torch.Tensor,
    running_mean: torch.Tensor | None,
    running_var: torch.Tensor | None,
    weight: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> torch.Tensor:
    """As ``F.batch_norm`` on shapes, without its refusal of one value per channel in training.

    The graph of a network in training is the same for any batch size, and one image is all
    that tracing needs. PyTorch would also take most of the time of tracing for it.
    """
    channels = input.shape[1]
    given = {
        "running_mean": running_mean,
        "running_var": running_var,
        "weight": weight,
        "bias": bias,
    }
    for name, tensor in given.items():
        if tensor is not None and tensor.numel() != channels:
            raise RuntimeError(
                f"{name} has {tensor.numel()} values, expected {channels}, one for each channel"
            )
    return _empty(input, input.shape)


def _empty(like: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """As ``torch.empty_like`` where a map is dense, in a tenth of the time."""
    return like.new_empty(shape) if like.is_contiguous() else torch.empty_like(like)


def without_device(
    name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Returns the arguments without the device: everything happens on the meta device."""
    if name in {"cuda", "cpu"}:
        return args[:1], {}
    if name == "to":
        args = tuple(a for a in args if not isinstance(a, (torch.device, str)))
    if "device" in kwargs:
        kwargs = {key: value for key, value in kwargs.items() if key != "device"}
    if name == "to" and len(args) == 1 and not kwargs:
        args = (*args, args[0].dtype)
    return args, kwargs

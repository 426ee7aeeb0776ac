"""Running one recorded call on tensors that have shapes alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from foveal.graph.records import UnfollowableError

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
        return func(*args, **kwargs)
    except NotImplementedError as error:
        if "meta" not in str(error).lower():
            raise
        raise UnfollowableError(f"{name} cannot be computed from shapes alone") from error
    except Exception as error:
        if type(error).__name__ not in _DYNAMIC:
            raise
        raise UnfollowableError(
            f"the shape of what {name} returns depends on the values in a picture"
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
    return torch.empty_like(input)


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

"""How a network is built without paying for weights, and the shape of its input read."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from foveal.errors import WeightsError

if TYPE_CHECKING:
    from torch import nn

Weights = Literal["none", "random", "pretrained"]

_DEFAULT_SIZE = 224


def build_network(build: Callable[[], nn.Module], weights: Weights) -> nn.Module:
    """Builds on the meta device where no weights are wanted; a few networks refuse that."""
    import torch

    with warnings.catch_warnings():
        # Initialising on the meta device does nothing and warns about it.
        warnings.simplefilter("ignore")
        if weights != "none":
            return build().eval()
        try:
            with torch.device("meta"):
                return build().eval()
        except Exception:  # whatever reads a value while it is being built
            return build().eval()


def read_input_shape(size: Any, origin: str) -> tuple[tuple[int, int, int], str]:
    """Returns ``(C, H, W)`` and where it comes from: ``origin``, or an assumption."""
    if size is None or len(size) != 3:
        return (3, _DEFAULT_SIZE, _DEFAULT_SIZE), "assumed"
    channels, height, width = (int(value) for value in size)
    return (channels, height, width), origin


def stated_input_shape(network: nn.Module) -> tuple[tuple[int, int, int], str] | None:
    """Returns what the module says of its input, and where; None where it says nothing.

    It may do so in ``input_shape``, or as timm's networks do in ``pretrained_cfg`` or
    ``default_cfg``.
    """
    shape: Any = getattr(network, "input_shape", None)
    is_shape = isinstance(shape, (tuple, list)) and len(shape) == 3
    if is_shape and all(isinstance(size, int) for size in shape):
        return read_input_shape(shape, "the model")
    for name in ("pretrained_cfg", "default_cfg"):
        config = getattr(network, name, None)
        size = config.get("input_size") if config is not None and hasattr(config, "get") else None
        if size is not None and len(size) == 3:
            return read_input_shape(size, "timm's configuration")
    return None


def assumed_input_shape(network: nn.Module) -> tuple[int, int, int] | None:
    """Returns the channels of the first convolution at a usual size; None where there is none."""
    from torch import nn

    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            return int(module.in_channels), _DEFAULT_SIZE, _DEFAULT_SIZE
    return None


def input_shape_of(network: nn.Module) -> tuple[tuple[int, int, int], str]:
    """Returns what the module says of its input, else a guess that is told as one."""
    stated = stated_input_shape(network)
    if stated is not None:
        return stated
    return assumed_input_shape(network) or (3, _DEFAULT_SIZE, _DEFAULT_SIZE), "assumed"


def no_pretrained_weights(name: str, error: Exception) -> WeightsError:
    """Returns the error for weights that a library's hub did not give."""
    return WeightsError(
        f"The pretrained weights of {name} cannot be had ({type(error).__name__}).",
        next_step="Try again with a network, or give a file of weights, or none.",
    )

"""Dense convolutions made depthwise separable.

Sifre 2014 ("Rigid-Motion Scattering for Image Classification", section 6.2), Howard et al.
2017 ("MobileNets"): a k×k filter for each input channel, then a 1×1 convolution over channels.
It costs 1/C_out + 1/k² of the dense one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import nn

from foveal.errors import ModelError, UsageError
from foveal.layers import require_module
from foveal.models.surgery.changed_copy import own_copy, replace_module, unfilled

Initialise = Literal["svd", "random"]


class DepthwiseSeparable(nn.Sequential):
    """``depthwise`` (k×k, one filter a channel, no bias), then ``pointwise`` (1×1)."""

    def __init__(self, depthwise: nn.Conv2d, pointwise: nn.Conv2d) -> None:
        super().__init__()
        self.depthwise = depthwise
        self.pointwise = pointwise


def separate(
    model: nn.Module,
    layers: Sequence[str] | None = None,
    *,
    initialise: Initialise = "svd",
    seed: int = 0,
) -> nn.Module:
    """Returns a copy with dense convolutions replaced by depthwise separable ones.

    Preserves: shapes, strides, padding, dilation, biases, and every other layer. Outputs are
    **not** preserved in general, and a network treated so has to be trained on. They are
    preserved where the kernel is separable already: for each input channel, the filters to
    all outputs are multiples of one.

    ``"svd"`` starts with the best approximation: for each input channel the C_out × k²
    matrix of its filters is replaced by the nearest of rank one (Eckart and Young 1936),
    which is the nearest depthwise separable kernel in the sum of squares;
    ``separable_share`` says how near. ``"random"`` draws both parts evenly from ±1/√fan-in.

    Args:
        model: Left as it is.
        layers: Paths of dense convolutions with a kernel larger than 1; all of them that get
            smaller by it if None.
        initialise: Where the new weights start.
        seed: Of the random start.

    Raises:
        UsageError: A path is wrong or holds no dense convolution, or ``initialise`` is no choice.
    """
    if initialise not in get_args(Initialise):
        raise UsageError(f"initialise is {initialise!r}; 'svd' or 'random' was expected.")
    changed = own_copy(model)
    if layers is None:
        layers = [path for path, module in changed.named_modules() if _is_worth_it(module)]
    generator = torch.Generator().manual_seed(seed)
    for path in layers:
        dense = require_module(changed, path)
        if not _is_dense(dense) or not isinstance(dense, nn.Conv2d):
            raise UsageError(
                f"{path!r} is no dense 2-D convolution with a kernel larger than 1: {dense}.",
                next_step="Name layers of type nn.Conv2d with groups=1.",
            )
        replace_module(changed, path, _separated(dense, initialise, generator))
    return changed


def separable_share(weight: torch.Tensor) -> float:
    """Returns how much of a dense kernel its nearest depthwise separable one holds.

    Σ σ₁² / Σ σ², over the singular values of each input channel's C_out × k² matrix: the
    share of the sum of squares, 1 for a separable kernel.

    Args:
        weight: ``(C_out, C_in, k, k)``.

    Raises:
        ModelError: It has no values, or all are zero.
    """
    if weight.dim() != 4 or weight.device.type == "meta" or not bool((weight != 0).any()):
        raise ModelError(
            f"A weight of shape {tuple(weight.shape)} on {weight.device} has no singular values "
            "to compare; a dense kernel with numbers in it was expected."
        )
    squares = torch.linalg.svdvals(_by_input_channel(weight)).square()
    return float(squares[:, 0].sum() / squares.sum())


def _is_dense(module: nn.Module) -> bool:
    return type(module) is nn.Conv2d and module.groups == 1 and max(module.kernel_size) > 1


def _is_worth_it(module: nn.Module) -> bool:
    if not isinstance(module, nn.Conv2d) or not _is_dense(module):
        return False
    taps = math.prod(module.kernel_size)
    return module.in_channels * (taps + module.out_channels) < module.weight.numel()


def _separated(
    dense: nn.Conv2d, initialise: Initialise, generator: torch.Generator
) -> DepthwiseSeparable:
    weight = dense.weight
    like = {"device": weight.device, "dtype": weight.dtype}
    num_in, num_out = dense.in_channels, dense.out_channels
    geometry = {
        name: getattr(dense, name)
        for name in ("kernel_size", "stride", "padding", "dilation", "padding_mode")
    }
    depthwise = unfilled(nn.Conv2d, num_in, num_in, groups=num_in, bias=False, **geometry, **like)
    pointwise = unfilled(nn.Conv2d, num_in, num_out, 1, bias=dense.bias is not None, **like)
    if initialise == "random" or weight.device.type == "meta":
        filters = _drawn(depthwise.weight.shape, generator)
        mixing = _drawn(pointwise.weight.shape, generator)
    else:
        filters, mixing = _nearest(weight)
    with torch.no_grad():
        depthwise.weight.copy_(filters)
        pointwise.weight.copy_(mixing)
        if pointwise.bias is not None and dense.bias is not None:
            pointwise.bias.copy_(dense.bias)
    for part in (depthwise, pointwise):
        part.requires_grad_(weight.requires_grad)
    return DepthwiseSeparable(depthwise, pointwise)


def _nearest(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns depthwise ``(C_in, 1, k, k)`` and pointwise ``(C_out, C_in, 1, 1)`` weights."""
    num_out, num_in, *kernel = weight.shape
    left, values, right = torch.linalg.svd(_by_input_channel(weight), full_matrices=False)
    root = values[:, :1].sqrt()
    # A singular vector's sign is arbitrary: let every filter's largest tap be positive.
    taps = right[:, 0]
    sign = taps.gather(1, taps.abs().argmax(1, keepdim=True)).sign()
    filters = (root * sign * taps).reshape(num_in, 1, *kernel)
    mixing = (root * sign * left[:, :, 0]).T.reshape(num_out, num_in, 1, 1)
    return filters, mixing


def _by_input_channel(weight: torch.Tensor) -> torch.Tensor:
    """Returns ``(C_in, C_out, k * k)`` in double precision."""
    return weight.detach().double().transpose(0, 1).flatten(2)


def _drawn(shape: torch.Size, generator: torch.Generator) -> torch.Tensor:
    bound = 1.0 / math.sqrt(math.prod(shape[1:]))
    return torch.empty(shape).uniform_(-bound, bound, generator=generator)

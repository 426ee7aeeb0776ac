"""How far a batch is from what the first batch norm remembers of its input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from foveal.linting.behaviour.passes import has_learned_statistics


@dataclass(frozen=True, slots=True)
class Misfit:
    """The distance between the statistics of a batch and those of a norm; 0 is a perfect fit.

    Attributes:
        usual: The median over channels of log(1 + KL divergence) between the normal
            distributions of batch and memory. What is said of the form of a batch rests on
            it: pictures unlike those of training move a few channels far, a wrong form moves
            all of them.
        mean: The mean over channels of the same, plus that of the distance of the means in
            standard deviations. Only a few channels see colour, so the order of the three
            shows here and not in the median.
    """

    usual: float
    mean: float


class _ReachedError(Exception):
    """Ends a forward pass at the first batch norm."""


def reach_first_norm(
    model: nn.Module, norms: list[tuple[str, nn.Module]], images: Tensor
) -> tuple[str, nn.Module, Tensor] | None:
    """Returns path, module and input of the first batch norm that runs and has learned."""
    reached: list[tuple[str, nn.Module, Tensor]] = []
    handles = []
    for path, norm in norms:

        def stop(module: nn.Module, arguments: tuple[Any, ...], path: str = path) -> None:
            if has_learned_statistics(module):
                reached.append((path, module, arguments[0].detach().float()))
                raise _ReachedError

        handles.append(norm.register_forward_pre_hook(stop))
    try:
        with torch.no_grad():
            model(images.clone())
    except _ReachedError:
        pass
    finally:
        for handle in handles:
            handle.remove()
    return reached[0] if reached else None


def misfit(values: Tensor, norm: nn.Module) -> Misfit:
    """Returns how far the channels of ``values [N, C, ...]`` are from a norm's memory."""
    axes = [axis for axis in range(values.dim()) if axis != 1]
    mean, variance = values.mean(axes), values.var(axes, unbiased=False)
    memory_mean, memory_variance = norm.running_mean, norm.running_var
    assert isinstance(memory_mean, Tensor)
    assert isinstance(memory_variance, Tensor)
    epsilon = float(getattr(norm, "eps", 1e-5))
    expected = memory_variance.float() + epsilon
    share = (variance + epsilon) / expected
    shift = (mean - memory_mean.float()).square() / expected
    divergence = (0.5 * (share + shift - 1 - share.log())).clamp_min(0).log1p()
    return Misfit(
        usual=float(divergence.quantile(0.5)),
        mean=float(divergence.mean() + shift.sqrt().mean()),
    )

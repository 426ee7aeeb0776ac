"""The effective receptive field, measured from gradients.

Luo, Li, Urtasun and Zemel, "Understanding the Effective Receptive Field in Deep
Convolutional Neural Networks" (NeurIPS 2016): how strongly one unit depends on each pixel
falls off like a Gaussian, so the field that matters is far smaller than the theoretical one.

What is measured is the energy of the Jacobian of one unit's channels with respect to each
pixel, ``sqrt(sum_c (dy_c / dx)^2)``. Back-propagating random signs over the channels gives
that without one backward pass per channel (Hutchinson's estimator), where a plain sum of the
channels would cancel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from foveal.errors import ModelError
from foveal.inspection.inspection import Inspection
from foveal.inspection.reaching import reached_map

if TYPE_CHECKING:
    import torch

# Luo et al. count the pixels above 1 - 95.45 % of the largest value, two standard deviations.
LUO_THRESHOLD = 1 - 0.9545
_MASS = 0.95


@dataclass(frozen=True)
class EffectiveField:
    """How strongly one unit in the middle of a map depends on each pixel.

    Attributes:
        op_name: The operation whose unit it is.
        unit: Row and column of the unit.
        strength: Root of the mean squared gradient by pixel, the largest being 1. Float64
            ``[H, W]``.
        theoretical: First and last position that the unit can see, by axis, both included;
            may lie outside the image. None when it is not known.
        luo_px: Side of a square as large as the area above 4.55 % of the largest value.
        mass_px: For each axis, the shortest stretch that holds 95 % of the squared gradient.
        num_images: Over how many random images it was averaged; 1 for a given one.
    """

    op_name: str
    unit: tuple[int, int]
    strength: NDArray[np.float64] = field(repr=False)
    theoretical: tuple[tuple[int, int], tuple[int, int]] | None
    luo_px: float
    mass_px: tuple[int, int]
    num_images: int

    @property
    def theoretical_px(self) -> tuple[int, int] | None:
        """Height and width of the theoretical field, padding included."""
        if self.theoretical is None:
            return None
        (top, bottom), (left, right) = self.theoretical
        return bottom - top + 1, right - left + 1


def effective_receptive_field(
    model: torch.nn.Module,
    table: Inspection,
    *,
    at: str | None = None,
    images: NDArray[np.float32] | None = None,
    num_images: int = 8,
    seed: int = 0,
) -> EffectiveField:
    """Measures the effective receptive field of the middle unit of one operation.

    The model is left as found; no parameter gets a gradient. It runs in evaluation mode.

    Args:
        model: With real weights, on any device.
        table: Its inspection, for one input of shape ``(N, C, H, W)``.
        at: An operation or module; the last map before global pooling if None.
        images: Images ``[N, C, H, W]`` to measure on; white noise if None.
        num_images: How many images of white noise.
        seed: Of noise and signs.

    Raises:
        UsageError: There is no such operation, or it has no positions.
        ModelError: The model has no weights, or the operation does not see the input.
    """
    import torch

    shape = table.inputs[0].shape
    generator = torch.Generator().manual_seed(seed)
    anchor = next(model.parameters(), None)
    batch = (
        torch.randn((num_images, *shape[1:]), generator=generator)
        if images is None
        else torch.as_tensor(images)
    )
    if anchor is not None:
        batch = batch.to(device=anchor.device, dtype=anchor.dtype)
    with reached_map(model, table, at, purpose="the effective receptive field") as reached:
        height, width = reached.grid
        unit = (height // 2, width // 2)
        energy = np.zeros(shape[2:4])
        for image in batch:
            energy += _energy(reached.result, image[None], unit, generator)
    if not energy.max() > 0:
        raise ModelError(
            f"No gradient reaches the input from {reached.name!r}: it does not depend on the "
            "image.",
            next_step="Choose another layer with --layer, or look for dead layers: foveal lint.",
        )
    fields = () if reached.row is None else reached.row.receptive_field.fields
    known = len(fields) == 2 and all(item is not None for item in fields)
    spans = (
        tuple(
            (item.positions(index).first, item.positions(index).last)
            for item, index in zip(fields, unit, strict=True)
            if item is not None
        )
        if known
        else None
    )
    strength = np.sqrt(energy / energy.max())
    return EffectiveField(
        op_name=reached.name,
        unit=unit,
        strength=strength,
        theoretical=(spans[0], spans[1]) if spans is not None else None,
        luo_px=float(np.sqrt((strength > LUO_THRESHOLD).sum())),
        mass_px=(_extent(energy.sum(1)), _extent(energy.sum(0))),
        num_images=len(batch),
    )


def _extent(profile: NDArray[np.float64]) -> int:
    """Returns the length of the shortest run of pixels that holds 95 % of the sum."""
    sums = np.concatenate([[0.0], np.cumsum(profile)])
    wanted = _MASS * sums[-1]
    ends = np.searchsorted(sums, sums + wanted, side="left")
    lengths = ends - np.arange(len(sums))
    return int(lengths[ends < len(sums)].min(initial=len(profile)))


def _energy(
    result_of: Callable[[torch.Tensor], torch.Tensor],
    image: torch.Tensor,
    unit: tuple[int, int],
    generator: torch.Generator,
) -> NDArray[np.float64]:
    """Returns the squared gradient by pixel, ``[H, W]``, for random signs of the channels."""
    import torch

    image = image.clone().requires_grad_(True)
    with torch.enable_grad():
        result = result_of(image)
        values = result[0, :, unit[0], unit[1]]
        signs = torch.randint(0, 2, values.shape, generator=generator) * 2 - 1
        score = (values * signs.to(values)).sum()
        if not score.requires_grad:
            return np.zeros(tuple(image.shape[2:]))
        (gradient,) = torch.autograd.grad(score, image, materialize_grads=True)
    squared = gradient[0].detach().double().square().sum(0)
    return np.asarray(squared.cpu().numpy())

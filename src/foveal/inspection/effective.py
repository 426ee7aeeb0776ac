"""The effective receptive field: measured from gradients, and shown in words and as a heat map.

Luo, Li, Urtasun and Zemel, "Understanding the Effective Receptive Field in Deep
Convolutional Neural Networks" (NeurIPS 2016): how strongly one unit depends on each pixel
falls off like a Gaussian, so the field that matters is far smaller than the theoretical one.

What is measured is the energy of the Jacobian of one unit's channels with respect to each
pixel, ``sqrt(sum_c (dy_c / dx)^2)``. Back-propagating random signs over the channels gives
that without one backward pass per channel (Hutchinson's estimator), where a plain sum of the
channels would cancel.

The heat map lies over an image, with the theoretical field drawn around it.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from foveal.draw.numbers import percent
from foveal.draw.svg import element, words
from foveal.draw.text_layout import facts
from foveal.errors import ModelError
from foveal.inspection.inspection import Inspection
from foveal.inspection.reaching import reached_map

if TYPE_CHECKING:
    import torch


def render_effective_text(measured: EffectiveField) -> str:
    """Returns measured and theoretical sizes, side by side."""
    rows, columns = measured.mass_px
    pairs = [
        ("measured at", f"{measured.op_name}, unit {measured.unit}, {_images(measured)}"),
        (
            "effective",
            f"{measured.luo_px:.0f} px (Luo 2016: square root of the area above 4.55% of the peak)",
        ),
        ("95% of energy", f"within {rows} × {columns} px"),
    ]
    theoretical = measured.theoretical_px
    if theoretical is None:
        pairs.append(("theoretical", "unavailable"))
    else:
        rows, columns = theoretical
        area = measured.luo_px**2 / (rows * columns)
        pairs.append(
            (
                "theoretical",
                f"{rows} × {columns} px; the effective area is {percent(area, digits=1)} of it",
            )
        )
        height, width = measured.strength.shape
        if theoretical[0] > height or theoretical[1] > width:
            pairs.append(
                (
                    "note",
                    f"The theoretical field is larger than the {height} × {width} image, so the "
                    "edges cut it off: a larger --input shows all of it.",
                )
            )
    return facts(pairs)


def _images(measured: EffectiveField) -> str:
    if measured.num_images == 1:
        return "1 image"
    return f"mean over {measured.num_images} images of noise"


# From nothing over deep orange to pale yellow: readable on grey of any brightness.
_STOPS = np.array([0.0, 0.35, 0.7, 1.0])
_COLOURS = np.array([[120, 20, 60], [214, 60, 30], [250, 160, 40], [255, 250, 190]], dtype=float)


def draw_effective(measured: EffectiveField, background: NDArray[np.uint8] | None = None) -> str:
    """Returns an SVG with the strength of each pixel and both fields.

    Args:
        measured: What was measured.
        background: The image beneath, ``[H, W]`` or ``[H, W, 3]``; plain grey if None.
    """
    height, width = measured.strength.shape
    theoretical = measured.theoretical or ((0, height - 1), (0, width - 1))
    (top, bottom), (left, right) = theoretical
    x0, y0 = min(0, left), min(0, top)
    wide, tall = max(width, right + 1) - x0, max(height, bottom + 1) - y0
    line = max(wide, tall) / 300
    source = f"data:image/png;base64,{_png(measured.strength, background)}"
    parts = [
        element("image", href=source, x=0, y=0, width=width, height=height),
        element(
            "rect",
            x=0,
            y=0,
            width=width,
            height=height,
            fill="none",
            stroke="var(--soft)",
            stroke_width=line / 2,
        ),
    ]
    if measured.theoretical is not None:
        parts.append(
            element(
                "rect",
                x=left,
                y=top,
                width=right - left + 1,
                height=bottom - top + 1,
                fill="none",
                stroke="var(--c0)",
                stroke_width=line,
                stroke_dasharray=f"{4 * line:g} {3 * line:g}",
            )
        )
    middle_x, middle_y = _centre(measured.strength)
    side = measured.luo_px
    parts.append(
        element(
            "rect",
            x=middle_x - side / 2,
            y=middle_y - side / 2,
            width=side,
            height=side,
            fill="none",
            stroke="var(--c5)",
            stroke_width=line,
        )
    )
    margin = 2 * line
    name = words("Effective and theoretical receptive field")
    return element(
        "svg",
        name.replace("<text>", "<title>").replace("</text>", "</title>"),
        *parts,
        viewBox=f"{x0 - margin:g} {y0 - margin:g} {wide + 2 * margin:g} {tall + 2 * margin:g}",
        role="img",
        xmlns="http://www.w3.org/2000/svg",
    )


def _centre(strength: NDArray[np.float64]) -> tuple[float, float]:
    energy = strength**2
    rows, columns = energy.sum(1), energy.sum(0)
    middle_y = float((rows * (np.arange(len(rows)) + 0.5)).sum() / rows.sum())
    middle_x = float((columns * (np.arange(len(columns)) + 0.5)).sum() / columns.sum())
    return middle_x, middle_y


def _png(strength: NDArray[np.float64], background: NDArray[np.uint8] | None) -> str:
    from PIL import Image

    height, width = strength.shape
    if background is None:
        base = np.full((height, width, 3), 66.0)
    else:
        grey = background if background.ndim == 2 else background.mean(axis=2)
        base = np.repeat(grey[..., None], 3, axis=2).astype(float)
    heat = np.stack([np.interp(strength, _STOPS, _COLOURS[:, k]) for k in range(3)], axis=2)
    # Square root: the tail is what the figure is about, and it is faint.
    weight = np.sqrt(strength)[..., None] * 0.95
    mixed = (base * (1 - weight) + heat * weight).clip(0, 255).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(mixed).save(stream, format="PNG", optimize=True)
    return base64.b64encode(stream.getvalue()).decode("ascii")


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

"""Whether a layer's map moves with the image.

Convolution is equivariant: shift its input, and its output shifts. A stride breaks that for
shifts that it does not divide, since the map samples the image on another grid (Zhang 2019,
ICML, "Making Convolutional Networks Shift-Invariant Again"); padding breaks it at the border.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from foveal.arithmetic import AxisField
from foveal.errors import ModelError, UsageError
from foveal.inspection.inspection import Inspection
from foveal.inspection.reaching import Reached, reached_map

if TYPE_CHECKING:
    import torch

Borders = Literal["exclude", "keep"]

_AXIS_NAMES = ("rows", "columns")


@dataclass(frozen=True, slots=True)
class ShiftError:
    """How far a map is from having moved with the image.

    Attributes:
        shift_px: By how many pixels the image moved, once down and once to the right.
        error: √(Σ (found - expected)² / Σ expected²) over both; 0 is equivariant.
        is_on_grid: Whether the effective stride divides the shift along both axes.
        num_units: Units of one channel that were compared, both moves together.
    """

    shift_px: int
    error: float
    is_on_grid: bool
    num_units: int


@dataclass(frozen=True, slots=True)
class Equivariance:
    """The errors of one layer, by shift.

    Attributes:
        op_name: Whose map it is.
        effective_stride: Pixels from one unit to the next, by axis.
        borders: Whether units that see beyond the image were left out.
        num_images: Over how many images.
        shifts: One entry a shift.
    """

    op_name: str
    effective_stride: tuple[Fraction, ...]
    borders: Borders
    num_images: int
    shifts: tuple[ShiftError, ...]


def measure_equivariance(
    model: torch.nn.Module,
    table: Inspection,
    images: NDArray[np.float32],
    *,
    at: str | None = None,
    shifts_px: Sequence[int] = (1, 2, 4, 8),
    borders: Borders = "exclude",
) -> Equivariance:
    """Shifts images by s pixels and compares the map with itself shifted by s / stride.

    Where the stride does not divide the shift, the map is expected half-way between units, by
    linear interpolation along the axis: exact for a map that varies slowly, and just what a
    map that was sampled too coarsely cannot give.

    The model runs in evaluation mode and is left as found.

    Args:
        model: With real weights.
        table: Its inspection, for inputs of the size of ``images``.
        images: ``[N, C, H, W]``, prepared as the network wants them.
        at: An operation or module; the last map before global pooling if None.
        shifts_px: Pixels, each at least 1.
        borders: ``"exclude"`` compares only units whose receptive field lies inside the
            image before and after, so that neither padding nor what enters at the edge
            counts; ``"keep"`` compares all that both maps have, with the strip that opens
            up filled by reflection.

    Raises:
        UsageError: No unit is free of the border, a shift is none, or the sizes differ.
        ModelError: Where units are in the image is not known, or the map is all zero.
    """
    import torch

    expected = table.inputs[0].shape[1:]
    if images.ndim != 4 or images.shape[1:] != expected or not len(images):
        raise UsageError(
            f"got images of shape {images.shape}, expected (N, {', '.join(map(str, expected))}) "
            "as the network was inspected for."
        )
    if not shifts_px or min(shifts_px) < 1:
        raise UsageError(f"got shifts_px={tuple(shifts_px)}, expected whole numbers from 1 on.")
    anchor = next(model.parameters(), None)
    with reached_map(model, table, at, purpose="equivariance") as reached, torch.no_grad():
        fields = _fields(reached, borders)

        def map_of(images: NDArray[np.float32]) -> NDArray[np.float64]:
            batch = torch.from_numpy(np.ascontiguousarray(images))
            if anchor is not None:
                batch = batch.to(device=anchor.device, dtype=anchor.dtype)
            return np.asarray(reached.result(batch).double().cpu().numpy())

        still = map_of(images)
        shifts = tuple(
            _error(reached.name, images, still, map_of, fields, distance_px, borders)
            for distance_px in shifts_px
        )
    return Equivariance(
        op_name=reached.name,
        effective_stride=tuple(field.effective_stride for field in fields),
        borders=borders,
        num_images=len(images),
        shifts=shifts,
    )


def _error(
    name: str,
    images: NDArray[np.float32],
    still: NDArray[np.float64],
    map_of: Callable[[NDArray[np.float32]], NDArray[np.float64]],
    fields: tuple[AxisField, ...],
    distance_px: int,
    borders: Borders,
) -> ShiftError:
    from foveal.images.views import shift

    squares = reference = 0.0
    num_units = 0
    for axis, field in enumerate(fields):
        size_px, length = images.shape[2 + axis], still.shape[2 + axis]
        down, right = (distance_px, 0) if axis == 0 else (0, distance_px)
        moved = np.moveaxis(map_of(shift(images, down, right)), 2 + axis, 0)
        before = np.moveaxis(still, 2 + axis, 0)
        units = distance_px / field.effective_stride
        whole = floor(units)
        part = float(units - whole)
        reach = whole + (part > 0)
        chosen = [
            unit
            for unit in range(reach, length)
            if borders == "keep"
            or (
                field.positions(unit).first >= distance_px
                and field.positions(unit).last < size_px
                and field.positions(unit - reach).first >= 0
            )
        ]
        if not chosen:
            raise UsageError(
                f"No unit of {name!r} is free of the border along the {_AXIS_NAMES[axis]}: it "
                f"sees {field.size} px, and the image of {size_px} px moves by {distance_px}.",
                next_step='Inspect for a larger image, or compare all with borders="keep".',
            )
        at = np.array(chosen)
        expected = (1 - part) * before[at - whole]
        if part:
            expected = expected + part * before[at - reach]
        squares += float(np.square(moved[at] - expected).sum())
        reference += float(np.square(expected).sum())
        num_units += len(chosen) * (still.shape[2] * still.shape[3] // length)
    if reference == 0:
        raise ModelError(f"The map of {name!r} is all zero, so it says nothing about shifts.")
    return ShiftError(
        shift_px=int(distance_px),
        error=float(np.sqrt(squares / reference)),
        is_on_grid=all((distance_px / field.effective_stride).denominator == 1 for field in fields),
        num_units=num_units,
    )


def _fields(reached: Reached, borders: Borders) -> tuple[AxisField, ...]:
    seen = None if reached.row is None else reached.row.receptive_field
    known = () if seen is None else tuple(field for field in seen.fields if field is not None)
    reason = reached.reason
    if seen is not None:
        reason = seen.reason if seen.status != "complete" else None
    if len(known) < 2:
        reason = reason or "its units have no position"
    elif borders == "exclude" and seen is not None and any(seen.is_global):
        reason = "something before it reads the whole image, border included"
    if reason is not None:
        raise ModelError(
            f"Which pixels the units of {reached.name!r} see cannot be said: {reason}.",
            next_step='Choose a layer before that, or compare all units with borders="keep".',
        )
    return known

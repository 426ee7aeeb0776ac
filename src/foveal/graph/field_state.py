"""What is known about one tensor while receptive fields are followed through a graph."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, cast

from foveal.arithmetic import AxisField, union
from foveal.graph.graph import Op
from foveal.graph.layout import Dim, Layout, axes_in, with_dim

# A field for each unit of an axis is kept up to this many.
_MOST_UNITS = 1024


@dataclass(frozen=True, slots=True)
class AxisState:
    """One axis of one tensor.

    Attributes:
        field: The local field; None where there is none, or it is unknown.
        extent: Number of units along the axis.
        input_size: Length of the axis in the input.
        is_global: Whether everything is seen.
        reason: Why the local field is unknown.
        keeps_corners: Whether a resize with aligned corners was on the way, after which units
            drift against those of other branches.
    """

    field: AxisField | None
    extent: int
    input_size: int
    is_global: bool = False
    reason: str | None = None
    keeps_corners: bool = False

    def lost(self, reason: str) -> AxisState:
        """Returns the axis with its field given up; the first reason stays."""
        return replace(self, field=None, reason=self.reason or reason)


@dataclass(frozen=True, slots=True)
class FieldState:
    """One tensor. ``layout`` None: it is unknown which dimension holds which axis."""

    axes: tuple[AxisState, ...]
    layout: Layout | None

    @property
    def extents(self) -> tuple[int, ...]:
        """Number of units along each axis."""
        return tuple(axis.extent for axis in self.axes)

    def with_axis(self, index: int, axis: AxisState) -> FieldState:
        """Returns the state with one axis replaced."""
        axes = list(self.axes)
        axes[index] = axis
        return replace(self, axes=tuple(axes))

    def lost(self, reason: str) -> FieldState:
        """Returns the state with all fields and the layout given up."""
        return FieldState(tuple(axis.lost(reason) for axis in self.axes), None)


def absorb(op: Op, state: FieldState, dims: list[int]) -> FieldState:
    """Lets every result read all of the given dimensions, which then hold no positions."""
    layout = state.layout
    assert layout is not None
    for index in axes_in(layout[dim] for dim in dims):
        axis = state.axes[index]
        gone = [a for dim in dims for a in layout[dim] if a.axis == index]
        kept = [a for i, dim in enumerate(layout) if i not in dims for a in dim if a.axis == index]
        num_gone = 1
        for atom in gone:
            num_gone *= atom.size
        if any(atom.step == 0 for atom in gone) or (not kept and num_gone == axis.extent):
            if axis.extent > 1 or axis.reason:
                axis = replace(axis, field=None, is_global=True, reason=None, extent=1)
            state = state.with_axis(index, axis)
        elif len(gone) == 1 and gone[0].step == 1:
            # The inner part of an axis, as in space-to-depth: a window of that many units.
            size = gone[0].size
            field = axis.field
            if field is not None:
                field = field.through_convolution(kernel=size, stride=size)
            state = state.with_axis(index, replace(axis, field=field, extent=axis.extent // size))
            layout = tuple(
                tuple(
                    replace(a, step=a.step // size) if a.axis == index and a.step >= size else a
                    for a in dim
                )
                for dim in layout
            )
        else:
            return state.lost(f"{op.name!r} mixes positions in a pattern that is not a window")
    for dim in dims:
        layout = with_dim(layout, dim, ())
    return replace(state, layout=layout)


def meet(op: Op, state: FieldState, dims: list[Dim]) -> FieldState:
    """Marks what it means that all positions of these dimensions are read, positions kept."""
    for dim in dims:
        for index in axes_in([dim]):
            axis = state.axes[index]
            atoms = [atom for atom in dim if atom.axis == index]
            is_all = any(atom.step == 0 or atom.size == axis.extent for atom in atoms)
            if is_all:
                state = state.with_axis(index, replace(axis, is_global=axis.extent > 1))
            else:
                reason = (
                    f"{op.name!r} lets positions meet in groups (windows, a grid), so what is seen "
                    "depends on the position in the group"
                )
                state = state.with_axis(index, axis.lost(reason))
    return state


def drop_missing(state: FieldState) -> FieldState:
    """Returns the state without local fields of axes that no dimension holds any more."""
    present = axes_in(state.layout or ())
    axes = tuple(
        axis if i in present or axis.extent == 1 else replace(axis, field=None, extent=1)
        for i, axis in enumerate(state.axes)
    )
    return replace(state, axes=axes)


def scramble(op: Op, state: FieldState, dims: list[Dim]) -> FieldState:
    """Gives up the order along some axes; which dimension holds them stays known."""
    reason = f"{op.name!r} changes the order of positions"
    for index in axes_in(dims):
        state = state.with_axis(index, state.axes[index].lost(reason))
    return state


def join_axes(op: Op, state: FieldState, other: FieldState) -> FieldState:
    """Returns ``state`` with what the units of ``other`` saw added to its axes."""
    axes = tuple(_join(op, a, b) for a, b in zip(state.axes, other.axes, strict=True))
    return replace(state, axes=axes)


def _join(op: Op, left: AxisState, right: AxisState) -> AxisState:
    is_global = left.is_global or right.is_global
    wide, narrow = (left, right) if left.extent >= right.extent else (right, left)
    joined = replace(
        wide,
        is_global=is_global,
        reason=left.reason or right.reason,
        keeps_corners=left.keeps_corners or right.keeps_corners,
    )
    if joined.reason is not None:
        return replace(joined, field=None)
    if left.field is None or right.field is None:
        return replace(joined, field=left.field or right.field)
    if narrow.extent == 1 < wide.extent:
        # A single position that every unit reads, whatever its own position is.
        position = narrow.field.positions(0) if narrow.field is not None else None
        if position is not None and position.first <= 0 and position.last >= narrow.input_size - 1:
            return replace(joined, is_global=True)
        return joined.lost(f"{op.name!r} reads one and the same part of the input everywhere")
    if left.field.effective_stride != right.field.effective_stride:
        united = _united_by_unit(left, right) if joined.keeps_corners else None
        if united is not None:
            return replace(joined, field=united)
        return joined.lost(f"{op.name!r} joins branches with different strides")
    return replace(joined, field=left.field.merged_with(right.field))


def _united_by_unit(left: AxisState, right: AxisState) -> AxisField | None:
    """Returns the union of two branches over one image that drift against each other.

    Resizing with aligned corners keeps the first and the last unit in place and moves those
    between by a part of a unit, so every unit has a union of its own. None where the branches
    do not begin and end at the same positions.
    """
    a, b, num_units = left.field, right.field, left.extent
    if a is None or b is None or num_units != right.extent or num_units > _MOST_UNITS:
        return None
    for unit in (0, num_units - 1):
        first, second = a.positions(unit), b.positions(unit)
        if first.last < second.first or second.last < first.first:
            return None
    plainer = min(a, b, key=lambda field: len(field.phases))
    jump = plainer.effective_stride * num_units
    if jump.denominator != 1:
        jump = Fraction(left.input_size)
    unions = (union((a.positions(u), b.positions(u))) for u in range(num_units))
    return AxisField(int(jump), tuple(unions))


def numbers(op: Op, name: str) -> tuple[Any, ...]:
    """Returns an attribute that is a tuple."""
    return cast(tuple[Any, ...], op.attributes[name])

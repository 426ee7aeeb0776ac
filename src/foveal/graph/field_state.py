"""What is known about one tensor while receptive fields are followed through a graph."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

from foveal.arithmetic import AxisField
from foveal.graph.graph import Op
from foveal.graph.layout import Dim, Layout, axes_in, with_dim


@dataclass(frozen=True, slots=True)
class AxisState:
    """One axis of one tensor.

    Attributes:
        field: The local field; None where there is none, or it is unknown.
        extent: Number of units along the axis.
        input_size: Length of the axis in the input.
        is_global: Whether everything is seen.
        reason: Why the local field is unknown.
    """

    field: AxisField | None
    extent: int
    input_size: int
    is_global: bool = False
    reason: str | None = None

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
    """Lets every result read all of the given dimensions, which then hold no places."""
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
            return state.lost(f"{op.name!r} mixes places in a pattern that is not a window")
    for dim in dims:
        layout = with_dim(layout, dim, ())
    return replace(state, layout=layout)


def meet(op: Op, state: FieldState, dims: list[Dim]) -> FieldState:
    """Marks what it means that all positions of these dimensions are read, places kept."""
    for dim in dims:
        for index in axes_in([dim]):
            axis = state.axes[index]
            atoms = [atom for atom in dim if atom.axis == index]
            is_all = any(atom.step == 0 or atom.size == axis.extent for atom in atoms)
            if is_all:
                state = state.with_axis(index, replace(axis, is_global=axis.extent > 1))
            else:
                reason = (
                    f"{op.name!r} lets places meet in groups (windows, a grid), so what is seen "
                    "depends on the place in the group"
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
    reason = f"{op.name!r} changes the order of places"
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
    joined = replace(wide, is_global=is_global, reason=left.reason or right.reason)
    if joined.reason is not None:
        return replace(joined, field=None)
    if left.field is None or right.field is None:
        return replace(joined, field=left.field or right.field)
    if narrow.extent == 1 < wide.extent:
        # A single place that every unit reads, whatever its own place is.
        place = narrow.field.positions(0) if narrow.field is not None else None
        if place is not None and place.first <= 0 and place.last >= narrow.input_size - 1:
            return replace(joined, is_global=True)
        return joined.lost(f"{op.name!r} reads one and the same part of the input everywhere")
    if left.field.effective_stride != right.field.effective_stride:
        return joined.lost(f"{op.name!r} joins branches with different strides")
    return replace(joined, field=left.field.merged_with(right.field))


def numbers(op: Op, name: str) -> tuple[Any, ...]:
    """Returns an attribute that is a tuple."""
    return cast(tuple[Any, ...], op.attributes[name])

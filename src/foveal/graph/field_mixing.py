"""Receptive fields where several tensors meet, and where whole axes are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from foveal.arithmetic import AxisField
from foveal.graph.field_rules import through_linear, through_windows
from foveal.graph.field_state import (
    FieldState,
    absorb,
    drop_missing,
    join_axes,
    meet,
    numbers,
    scramble,
)
from foveal.graph.graph import Op
from foveal.graph.layout import Layout, axes_in, broadcast, plain, scrambled, with_dim


def attend(op: Op, before: list[FieldState]) -> FieldState:
    """Returns the field after a matrix product or an attention."""
    if op.kind == "matmul" and len(before) == 1:
        # One factor is made of weights.
        state = before[0]
        if state.layout is None or op.function != "matmul":
            return state.lost(f"what {op.name!r} ({op.function}) reads is not known")
        if (
            len(op.output_shape) == len(state.layout)
            and op.output_shape[:-1] == (op.input_shapes[0][:-1])
        ):
            return through_linear(op, state, state.layout)
        return state.lost(f"{op.name!r} multiplies by weights from the left")
    if any(state.layout is None for state in before) or op.function in {"einsum", "addmm"}:
        state = before[0]
        for other in before[1:]:
            state = join_axes(op, state, other)
        return state.lost(f"{op.name!r} ({op.function}) mixes positions that are not followed")
    if op.kind == "attention":
        return _scaled_dot_product(op, before)
    left, right = before[0], before[1]
    assert left.layout is not None
    assert right.layout is not None
    if len(left.layout) < 2 or len(right.layout) < 2:
        return left.lost(f"{op.name!r} multiplies vectors")
    state = join_axes(op, left, right)
    rows, columns = left.layout[:-1], right.layout[-1]
    contracted = [left.layout[-1], right.layout[-2]]
    # Queries times keys: each result belongs to a query, and has met every key.
    twice = axes_in(rows) & axes_in([columns])
    met = [*contracted, tuple(atom for atom in columns if atom.axis in twice)]
    state = meet(op, state, met)
    if twice:
        columns = plain(op.output_shape[-1])
    heads = broadcast(left.layout[:-2], right.layout[:-2])
    if heads is None:
        return state.lost(f"{op.name!r} multiplies tensors whose positions differ")
    return drop_missing(replace(state, layout=(*heads, left.layout[-2], columns)))


def _scaled_dot_product(op: Op, before: list[FieldState]) -> FieldState:
    if op.function == "multi_head_attention_forward":
        # Its projections read all features of a token.
        before = [_projected(op, state) for state in before]
    query, value = before[0], before[min(2, len(before) - 1)]
    if any(state.layout is None for state in before):
        return query.lost(f"{op.name!r} mixes features that hold positions")
    assert query.layout is not None
    assert value.layout is not None
    state = query
    for other in before[1:3]:
        state = join_axes(op, state, other)
    tokens = 0 if op.attributes["sequence_first"] else len(value.layout) - 2
    state = meet(op, state, [value.layout[tokens]])
    layout = (*query.layout[:-1], plain(op.output_shape[-1]))
    return drop_missing(replace(state, layout=layout))


def _projected(op: Op, state: FieldState) -> FieldState:
    """Returns the state after a projection of its last dimension."""
    layout = state.layout
    if layout is None:
        return state
    state = absorb(op, state, [len(layout) - 1])
    if state.layout is None:
        return state
    return replace(state, layout=(*state.layout[:-1], plain(op.output_shape[-1])))


def merge(op: Op, before: list[FieldState]) -> FieldState:
    """Returns the field where tensors are added, multiplied or put side by side."""
    state = before[0]
    for other in before[1:]:
        state = join_axes(op, state, other)
    layouts = [item.layout for item in before if item.layout is not None]
    if len(layouts) < len(before):
        return state.lost("what came before could not be followed")
    if op.kind in {"concat", "stack"}:
        return _place_side_by_side(op, state, layouts)
    merged = layouts[0]
    for layout in layouts[1:]:
        joined = broadcast(merged, layout)
        if joined is None:
            return state.lost(f"{op.name!r} joins tensors whose positions differ")
        merged = joined
    if op.kind == "assign" and op.input_shapes[0] != op.input_shapes[-1]:
        return state.lost(f"{op.name!r} writes into a part of a tensor")
    return replace(state, layout=merged)


def _place_side_by_side(op: Op, state: FieldState, layouts: list[Layout]) -> FieldState:
    dim = op.attributes.get("dim")
    if not isinstance(dim, int):
        return state.lost(f"{op.name!r} joins along an unknown dimension")
    if op.kind == "stack":
        if any(layout != layouts[0] for layout in layouts):
            return state.lost(f"{op.name!r} joins tensors whose positions differ")
        return replace(state, layout=(*layouts[0][:dim], plain(len(layouts)), *layouts[0][dim:]))
    rank = len(op.output_shape)
    own = [layout[dim] for layout in layouts]
    other: Layout | None = with_dim(layouts[0], dim, ())
    for layout in layouts[1:]:
        if other is not None:
            other = broadcast(other, with_dim(layout, dim, ()))
    if other is None or len(other) != rank:
        return state.lost(f"{op.name!r} joins tensors whose positions differ")
    size = op.output_shape[dim]
    inputs_are_all = len(op.input_shapes) > 1 or op.input_shapes[0][dim] == size
    if inputs_are_all and not axes_in(own):
        return replace(state, layout=with_dim(other, dim, plain(size)))
    return scramble(op, replace(state, layout=with_dim(other, dim, scrambled(own, size))), own)


def _fft(op: Op, state: FieldState, layout: Layout) -> FieldState:
    dims = list(numbers(op, "dims"))
    state = absorb(op, state, dims)
    if state.layout is None:
        return state
    for dim in dims:  # each holds frequencies now, or positions that have seen everything
        state = replace(
            state, layout=with_dim(state.layout or (), dim, plain(op.output_shape[dim]))
        )
    return state


def _max_unpool(op: Op, state: FieldState, layout: Layout) -> FieldState:
    kernel, stride = numbers(op, "kernel"), numbers(op, "stride")
    if kernel != stride or any(pair != (0, 0) for pair in numbers(op, "padding")):
        return state.lost(f"{op.name!r} puts values back where windows overlap or are padded")

    def change(field: AxisField, i: int, extent: int) -> AxisField:
        return field.through_interpolation(extent, extent * stride[i])

    return through_windows(op, state, len(kernel), change, is_trivial=lambda i: stride[i] == 1)


def _chosen_positions(op: Op, state: FieldState, layout: Layout) -> FieldState:
    return state.lost(f"{op.name!r} reads at positions that are computed, so any may be seen")


def _recurrent(op: Op, state: FieldState, layout: Layout) -> FieldState:
    if op.function.endswith("_cell"):
        return through_linear(op, state, layout)
    tokens = 1 if len(layout) == 3 and op.attributes["batch_first"] else 0
    state = absorb(op, state, [len(layout) - 1])
    if state.layout is None:
        return state
    new = (*state.layout[:-1], plain(op.output_shape[-1]))
    state = replace(state, layout=new)
    if op.attributes["is_bidirectional"]:
        return meet(op, state, [new[tokens]])
    for index in axes_in([new[tokens]]):
        reason = f"{op.name!r} reads all that came before, so what is seen depends on the position"
        state = state.with_axis(index, state.axes[index].lost(reason))
    return state


TRANSFORMS: dict[str, Callable[[Op, FieldState, Layout], FieldState]] = {
    "deform_conv": _chosen_positions,
    "grid_sample": _chosen_positions,
    "max_unpool": _max_unpool,
    "recurrent": _recurrent,
    "fft": _fft,
}

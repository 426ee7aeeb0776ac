"""Receptive fields through what reads whole axes, or places that are computed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from foveal.arithmetic import AxisField
from foveal.graph.field_rules import through_linear, through_windows
from foveal.graph.field_state import FieldState, absorb, meet, numbers
from foveal.graph.graph import Op
from foveal.graph.layout import Layout, axes_in, plain, with_dim


def _fft(op: Op, state: FieldState, layout: Layout) -> FieldState:
    dims = list(numbers(op, "dims"))
    state = absorb(op, state, dims)
    if state.layout is None:
        return state
    for dim in dims:  # each holds frequencies now, or places that have seen everything
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


def _chosen_places(op: Op, state: FieldState, layout: Layout) -> FieldState:
    return state.lost(f"{op.name!r} reads at places that are computed, so any may be seen")


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
        reason = f"{op.name!r} reads all that came before, so what is seen depends on the place"
        state = state.with_axis(index, state.axes[index].lost(reason))
    return state


TRANSFORMS: dict[str, Callable[[Op, FieldState, Layout], FieldState]] = {
    "deform_conv": _chosen_places,
    "grid_sample": _chosen_places,
    "max_unpool": _max_unpool,
    "recurrent": _recurrent,
    "fft": _fft,
}

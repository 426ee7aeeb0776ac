"""Receptive fields through operations on one tensor: windows, resizing, rearranging."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal, cast

from foveal.arithmetic import AxisField
from foveal.graph.field_state import FieldState, absorb, numbers, scramble
from foveal.graph.graph import Op
from foveal.graph.layout import (
    Atom,
    Dim,
    Layout,
    axes_in,
    plain,
    reshaped,
    scrambled,
    sole_axis,
    with_dim,
)


def through_windows(
    op: Op,
    state: FieldState,
    num_axes: int,
    change: Callable[[AxisField, int, int], AxisField],
    *,
    is_trivial: Callable[[int], bool],
) -> FieldState:
    """Applies ``change(field, axis of the op, old extent)`` to the last dimensions."""
    layout = state.layout
    assert layout is not None
    first = len(layout) - num_axes
    for i in range(num_axes):
        dim = layout[first + i]
        new_size = op.output_shape[first + i]
        axis_index = sole_axis(dim, state.extents)
        if axis_index is None:
            if axes_in([dim]):
                if is_trivial(i):
                    continue
                return state.lost(f"{op.name!r} slides over a mixture of axes")
            layout = with_dim(layout, first + i, plain(new_size))
            continue
        axis = state.axes[axis_index]
        field = None if axis.field is None else change(axis.field, i, axis.extent)
        state = state.with_axis(axis_index, replace(axis, field=field, extent=new_size))
        layout = with_dim(layout, first + i, (Atom(new_size, axis_index),))
    return replace(state, layout=layout)


def _conv(op: Op, state: FieldState, layout: Layout) -> FieldState:
    kernel = numbers(op, "kernel")
    channel_dim = len(layout) - len(kernel) - 1
    if axes_in([layout[channel_dim]]):
        if op.attributes["groups"] != 1:
            return state.lost(f"{op.name!r} mixes groups of channels that hold positions")
        state = absorb(op, state, [channel_dim])
    state = _window(op, state, is_transposed=op.kind == "conv_transpose")
    if state.layout is None:
        return state
    size = op.output_shape[channel_dim]
    return replace(state, layout=with_dim(state.layout, channel_dim, plain(size)))


def _pool(op: Op, state: FieldState, layout: Layout) -> FieldState:
    return _window(op, state, is_transposed=False)


def _window(op: Op, state: FieldState, *, is_transposed: bool) -> FieldState:
    kernel, stride = numbers(op, "kernel"), numbers(op, "stride")
    padding = numbers(op, "padding")
    dilation = cast(tuple[int, ...], op.attributes.get("dilation") or (1,) * len(kernel))

    def change(field: AxisField, i: int, extent: int) -> AxisField:
        settings = {
            "kernel": kernel[i],
            "stride": stride[i],
            "padding": padding[i][0],
            "dilation": dilation[i],
        }
        if is_transposed:
            return field.through_transposed_convolution(**settings)
        return field.through_convolution(**settings)

    def is_trivial(i: int) -> bool:
        return bool(kernel[i] == 1 and stride[i] == 1 and padding[i] == (0, 0))

    return through_windows(op, state, len(kernel), change, is_trivial=is_trivial)


def _adaptive_pool(op: Op, state: FieldState, layout: Layout) -> FieldState:
    sizes = numbers(op, "output_size")
    first = len(layout) - len(sizes)
    whole = [first + i for i, size in enumerate(sizes) if size == 1]
    state = absorb(op, state, whole)
    if state.layout is None:
        return state

    def change(field: AxisField, i: int, extent: int) -> AxisField:
        return field.through_adaptive_pooling(extent, sizes[i])

    def is_trivial(i: int) -> bool:
        return bool(op.input_shapes[0][first + i] == sizes[i])

    return through_windows(op, state, len(sizes), change, is_trivial=is_trivial)


def _global_pool(op: Op, state: FieldState, layout: Layout) -> FieldState:
    if op.kind == "global_pool" and "output_size" in op.attributes:
        return _adaptive_pool(op, state, layout)
    return _reduce(op, state, layout)


def _interpolate(op: Op, state: FieldState, layout: Layout) -> FieldState:
    sizes = numbers(op, "output_size")
    mode = str(op.attributes["mode"])
    corners: Literal["aligned", "half-pixel"] = (
        "aligned" if op.attributes["align_corners"] else "half-pixel"
    )
    filtering: Literal["none", "antialias"] = "antialias" if op.attributes["antialias"] else "none"
    kinds: dict[str, Literal["nearest", "linear", "cubic"]] = {
        "nearest": "nearest",
        "linear": "linear",
        "bilinear": "linear",
        "trilinear": "linear",
        "bicubic": "cubic",
    }
    if mode not in {*kinds, "area"}:
        return state.lost(f"{op.name!r} resizes with mode {mode!r}")

    def change(field: AxisField, i: int, extent: int) -> AxisField:
        if mode == "area":
            return field.through_adaptive_pooling(extent, sizes[i])
        return field.through_interpolation(
            extent, sizes[i], mode=kinds[mode], corners=corners, filtering=filtering
        )

    state = through_windows(op, state, len(sizes), change, is_trivial=lambda i: False)
    if corners == "aligned":
        state = replace(state, axes=tuple(replace(a, keeps_corners=True) for a in state.axes))
    return state


def _pad(op: Op, state: FieldState, layout: Layout) -> FieldState:
    pairs = tuple(reversed(numbers(op, "padding")))

    def change(field: AxisField, i: int, extent: int) -> AxisField:
        return field.through_slice(start=-pairs[i][0])

    def is_trivial(i: int) -> bool:
        return bool(pairs[i] == (0, 0))

    return through_windows(op, state, len(pairs), change, is_trivial=is_trivial)


def _pixel_shuffle(op: Op, state: FieldState, layout: Layout) -> FieldState:
    factor = op.attributes["factor"]
    assert isinstance(factor, int)
    if op.function == "channel_shuffle":
        return state

    def change(field: AxisField, i: int, extent: int) -> AxisField:
        if op.function == "pixel_shuffle":
            return field.through_interpolation(extent, extent * factor)
        return field.through_convolution(kernel=factor, stride=factor)

    state = through_windows(op, state, 2, change, is_trivial=lambda i: False)
    if state.layout is None:
        return state
    channel_dim = len(layout) - 3
    size = op.output_shape[channel_dim]
    return replace(state, layout=with_dim(state.layout, channel_dim, plain(size)))


def through_linear(op: Op, state: FieldState, layout: Layout) -> FieldState:
    """Returns the field after a map of the last dimension."""
    state = absorb(op, state, [len(layout) - 1])
    if state.layout is None:
        return state
    return replace(state, layout=(*state.layout[:-1], plain(op.output_shape[-1])))


def through_elements(op: Op, state: FieldState, layout: Layout) -> FieldState:
    """Returns the field after a function of single elements, which weights may have widened."""
    shape, before = op.output_shape, op.input_shapes[0]
    if op.function == "view_as_real":
        return replace(state, layout=(*layout, plain(2)))
    if op.function == "view_as_complex":
        return replace(state, layout=layout[:-1])
    if shape == before or len(shape) < len(layout):
        return state
    filled = ((),) * (len(shape) - len(layout)) + layout
    old = (1,) * (len(shape) - len(before)) + before
    dims = (
        # A single position that all units read stays one; weights make the rest of the dimension.
        dim if size == was else plain(size)
        for dim, size, was in zip(filled, shape, old, strict=True)
    )
    return replace(state, layout=tuple(dims))


def _reduce(op: Op, state: FieldState, layout: Layout) -> FieldState:
    dims = op.attributes.get("dims")
    if not isinstance(dims, tuple) or op.output_shape == op.input_shapes[0]:
        if axes_in(layout):
            return state.lost(f"{op.name!r} ({op.function}) mixes positions")
        return state
    chosen = [dim for dim in dims if isinstance(dim, int)]
    state = absorb(op, state, chosen)
    if state.layout is None or len(op.output_shape) == len(layout):
        return state
    left = tuple(dim for i, dim in enumerate(state.layout) if i not in chosen)
    return replace(state, layout=left)


def _reshape(op: Op, state: FieldState, layout: Layout) -> FieldState:
    new = reshaped(layout, op.output_shape)
    if new is None:
        return state.lost(f"{op.name!r} ({op.function}) rearranges positions in a way not followed")
    return replace(state, layout=new)


def _permute(op: Op, state: FieldState, layout: Layout) -> FieldState:
    dims = numbers(op, "dims")
    return replace(state, layout=tuple(layout[dim] for dim in dims))


def _expand(op: Op, state: FieldState, layout: Layout) -> FieldState:
    shape = op.output_shape
    old = ((),) * (len(shape) - len(layout)) + layout
    before = (1,) * (len(shape) - len(op.input_shapes[0])) + op.input_shapes[0]
    dims = []
    for dim, size, was in zip(old, shape, before, strict=True):
        if size == was:
            dims.append(dim)
        elif axes_in([dim]) and was > 1:
            return state.lost(f"{op.name!r} repeats positions")
        else:
            dims.append(plain(size))
    return replace(state, layout=tuple(dims))


def _roll(op: Op, state: FieldState, layout: Layout) -> FieldState:
    reason = f"{op.name!r} moves positions around the edge"
    axes = tuple(axis.lost(reason) if axis.extent > 1 else axis for axis in state.axes)
    return replace(state, axes=axes)


def _split(op: Op, state: FieldState, layout: Layout) -> FieldState:
    dim = op.attributes.get("dim")
    if not isinstance(dim, int) or axes_in([layout[dim]]):
        return state.lost(f"{op.name!r} splits positions")
    if len(op.output_shape) < len(layout):
        return replace(state, layout=(*layout[:dim], *layout[dim + 1 :]))
    return replace(state, layout=with_dim(layout, dim, plain(op.output_shape[dim])))


def _slice(op: Op, state: FieldState, layout: Layout) -> FieldState:
    index = list(numbers(op, "index"))
    used = sum(item not in {"newaxis", "..."} for item in index)
    if "tensor" in index or any(isinstance(item, bool) for item in index):
        return state.lost(f"{op.name!r} picks positions by a tensor")
    full: tuple[Any, ...] = ("slice", None, None, None)
    if "..." in index:
        at = index.index("...")
        index[at : at + 1] = [full] * (len(layout) - used)
    dims: list[Dim] = []
    remaining = iter(zip(layout, op.input_shapes[0], strict=True))
    for item in index:
        if item == "newaxis":
            dims.append(())
            continue
        dim, size = next(remaining)
        if isinstance(item, int):
            for axis_index in axes_in([dim]):
                axis = state.axes[axis_index].lost(f"{op.name!r} picks one position")
                state = state.with_axis(axis_index, replace(axis, extent=1))
            continue
        start, stop, step = slice(*item[1:]).indices(size)
        length = len(range(start, stop, step))
        axis_at = sole_axis(dim, state.extents)
        if length == size and step == 1:
            dims.append(dim)
        elif axis_at is not None and step > 0:
            axis = state.axes[axis_at]
            field = axis.field
            if field is not None:
                field = field.through_slice(start=start, step=step)
            state = state.with_axis(axis_at, replace(axis, field=field, extent=length))
            dims.append((Atom(length, axis_at),))
        else:
            dims.append(scrambled([dim], length))
            state = scramble(op, state, [dim])
    dims.extend(dim for dim, _ in remaining)
    return replace(state, layout=tuple(dims))


RULES: dict[str, Callable[[Op, FieldState, Layout], FieldState]] = {
    "conv": _conv,
    "conv_transpose": _conv,
    "linear": through_linear,
    "max_pool": _pool,
    "avg_pool": _pool,
    "adaptive_pool": _adaptive_pool,
    "global_pool": _global_pool,
    "interpolate": _interpolate,
    "pad": _pad,
    "pixel_shuffle": _pixel_shuffle,
    "reduce": _reduce,
    "flatten": _reshape,
    "reshape": _reshape,
    "permute": _permute,
    "expand": _expand,
    "roll": _roll,
    "split": _split,
    "slice": _slice,
}

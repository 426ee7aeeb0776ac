"""A finer feature map from the same weights: dilation in the place of strides.

Chen et al. 2018, "DeepLab" (IEEE TPAMI 40), section 3.1: where a stride is left out, every
later kernel reads with gaps as wide as the stride was, and finds the numbers it used to find.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from foveal.errors import ModelError, TraceError, UsageError
from foveal.graph import Graph, Kind, Op, Source, receptive_fields, trace
from foveal.graph.wiring import sizes
from foveal.models.surgery.changed_copy import own_copy, replace_module

# What reads neighbours, or moves positions, in a way that nn.Module settings cannot spread.
_UNSPREADABLE: frozenset[Kind] = frozenset(
    {
        *("conv_transpose", "interpolate", "pixel_shuffle", "unfold", "roll", "attention"),
        *("matmul", "pad", "avg_pool", "other", "deform_conv", "grid_sample", "max_unpool"),
        *("recurrent", "fft"),
    }
)
_RESIZES: frozenset[Kind] = frozenset(
    {"conv_transpose", "interpolate", "pixel_shuffle", "max_unpool"}
)
_ENDS_THE_GRID: frozenset[Kind] = frozenset({"global_pool", "adaptive_pool", "reduce"})
_WINDOWS: frozenset[Kind] = frozenset({"conv", "max_pool", "avg_pool"})
_ACROSS_PLACES: frozenset[Kind] = frozenset({"group_norm", "instance_norm"})


@dataclass(frozen=True, slots=True)
class _Grid:
    """A map's position in the image, by axis.

    Attributes:
        stride: Input pixels from one unit to the next, now.
        rate: How many times as fine as in the original: units between neighbours of then.
    """

    stride: tuple[int, ...]
    rate: tuple[int, ...]

    @property
    def is_finer(self) -> bool:
        return max(self.rate) > 1


def dilate(model: nn.Module, output_stride: int, *, input_shape: Sequence[int]) -> nn.Module:
    """Returns a copy whose feature maps are no coarser than ``output_stride`` pixels.

    Strides of convolutions and max pooling that would go beyond it become 1, and everything
    after them reads with dilation: dilation and padding are multiplied by what was left out.
    A stride of average pooling can be left out too, but nothing finer can be average-pooled.

    Preserves: all parameters and their names, bit for bit; the number of channels. Maps become
    larger, and what follows a global pooling averages over more positions.

    The finer map holds the original one: at the positions that ``shared_positions`` gives, values
    are equal up to rounding, borders included, where nothing before reads the whole map
    (squeeze and excitation, attention, group or instance norm) and padding is by zeros.

    Args:
        model: Left as it is.
        output_stride: Pixels of the input to one unit of the last map: 8, 16 and the like.
        input_shape: ``(C, H, W)`` of one image.

    Raises:
        ModelError: A layer cannot be dilated, or branches no longer fit each other (an even
            kernel gives one unit less than the stride did).
        UsageError: The strides do not multiply to ``output_stride`` anywhere.
        TraceError: The model refuses the input.
    """
    if output_stride < 1:
        raise UsageError(f"output_stride is {output_stride}; at least 1 pixel was expected.")
    changed = own_copy(model)
    graph = trace(changed, input_shape, mode="eval")
    if graph.status != "complete":
        raise TraceError(f"{graph.model_type} cannot be dilated: {graph.reason}.")
    modules = dict(changed.named_modules())
    grids: dict[Source, _Grid | None] = {
        Source("input", index): _Grid((1,) * (len(item.shape) - 2), (1,) * (len(item.shape) - 2))
        for index, item in enumerate(graph.inputs)
    }
    settings: dict[str, tuple[_Grid, _Grid]] = {}
    for op in graph.ops:
        grid = _merged(op, [grids.get(source) for source in op.inputs])
        after = None if grid is None else _step(op, grid, output_stride, modules)
        if grid is not None and after is not None and op.kind in _WINDOWS:
            kept = settings.setdefault(op.module_path, (grid, after))
            if kept != (grid, after):
                raise ModelError(f"{op.module_path!r} runs on maps of several resolutions.")
        for slot in range(len(op.output_shapes)):
            grids[Source("op", op.index, slot)] = after
    kinds = {op.module_path: op for op in graph.ops if op.kind in _WINDOWS}
    for path, (grid, after) in settings.items():
        if after.is_finer:
            _set(changed, path, kinds[path], grid, after)
    try:
        dilated = trace(changed, input_shape, mode="eval")
    except TraceError as error:
        raise ModelError(
            f"{graph.model_type} no longer fits together with an output stride of "
            f"{output_stride}: {error.message}",
            next_step="Take a coarser one; an even kernel loses a unit with its stride.",
        ) from error
    followed = {op.name for op in graph.ops if grids[Source("op", op.index)] is not None}
    _require_fine(dilated, followed, output_stride)
    return changed


def shared_positions(original: Graph, dilated: Graph, name: str) -> tuple[slice, ...]:
    """Returns where the map of one operation holds the original's values.

    ``dilated_map[:, :, rows, columns]`` equals ``original_map``. Found by the receptive
    fields: such units read exactly the same pixels.

    Args:
        original: Graph of the network that was given to ``dilate``.
        dilated: Graph of what it returned, for the same input.
        name: An operation of both with a map.

    Raises:
        ModelError: Values are not preserved there; says why.
    """
    op = original.op(name)
    before, after = (receptive_fields(graph)[graph.op(name).index] for graph in (original, dilated))
    blurred = next((o.name for o in original.ops[: op.index + 1] if o.kind in _ACROSS_PLACES), None)
    found = []
    for axis, (old, new) in enumerate(zip(before.fields, after.fields, strict=True)):
        reason = None
        if old is None or new is None or before.status != "complete":
            reason = before.reason or "its units have no position"
        elif before.is_global[axis]:
            reason = "something before it reads the whole map"
        elif blurred is not None and old != new:
            reason = f"{blurred} takes statistics over the whole map"
        if reason is not None or old is None or new is None:
            raise ModelError(f"The values of {name!r} are not preserved: {reason}.")
        step = old.effective_stride / new.effective_stride
        offset = (old.start - new.start) / new.effective_stride
        is_on_grid = step.denominator == offset.denominator == 1 and offset >= 0
        if not is_on_grid or old.positions(0) != new.positions(int(offset)):
            raise ModelError(f"The units of {name!r} no longer read the same pixels.")
        count = op.output_shape[2 + axis]
        found.append(slice(int(offset), int(offset + step * (count - 1)) + 1, int(step)))
    return tuple(found)


def _require_fine(dilated: Graph, names: set[str], output_stride: int) -> None:
    """Raises if a map is still too coarse: its strides were no settings of a module."""
    for op, seen in zip(dilated.ops, receptive_fields(dilated), strict=True):
        strides = [stride for stride in seen.effective_stride if stride is not None]
        if op.name in names and max(strides, default=0) > output_stride:
            raise ModelError(
                f"{op.name!r} still has one unit to {max(strides)} pixels: it gets there by no "
                "stride that could be left out.",
                next_step="Take a coarser output stride.",
            )


def _merged(op: Op, grids: list[_Grid | None]) -> _Grid | None:
    known = list(dict.fromkeys(grid for grid in grids if grid is not None))
    if len(known) > 1:
        raise ModelError(
            f"{op.name!r} joins maps of different resolution, so a stride before it cannot be "
            "left out.",
            next_step="Dilate the part of the network before it.",
        )
    return known[0] if known else None


def _step(op: Op, grid: _Grid, output_stride: int, modules: dict[str, nn.Module]) -> _Grid | None:
    module = modules[op.module_path]
    shape, before = op.output_shape, op.input_shapes[0]
    if op.kind in _ENDS_THE_GRID:
        # Attention over positions takes a mean over the channels and keeps the map.
        return grid if len(shape) == len(before) and shape[2:] == before[2:] else None
    if op.kind in _WINDOWS:
        return _window(op, grid, output_stride, module)
    # Padding that a convolution works out for itself, as TensorFlow's "same" is in timm.
    own = op.kind == "pad" and isinstance(module, nn.Conv2d | nn.MaxPool2d)
    if op.kind in _UNSPREADABLE and grid.is_finer and not own:
        raise _cannot(op)
    if op.kind in _RESIZES or (op.kind == "slice" and _skips(op)):
        raise ModelError(
            f"{op.name!r} ({op.kind}) changes the resolution by no stride that could be left out.",
            next_step="Dilate the part of the network before it.",
        )
    return grid


def _skips(op: Op) -> bool:
    """Whether a slice takes every second position or the like."""
    index = op.attributes.get("index")
    parts = index if isinstance(index, tuple) else ()
    steps = [part[-1] for part in parts if isinstance(part, tuple) and part[:1] == ("slice",)]
    return any(step not in (None, 1) for step in steps)


def _window(op: Op, grid: _Grid, output_stride: int, module: nn.Module) -> _Grid:
    strides, kept = sizes(op, "stride"), []
    for stride, now in zip(strides, grid.stride, strict=True):
        keep = stride if now * stride <= output_stride else output_stride // now
        if keep < 1 or stride % keep or (keep != stride and now * keep != output_stride):
            raise UsageError(
                f"An output stride of {output_stride} falls inside the stride of {op.name!r}: "
                f"{now} pixels before it, {now * stride} after.",
                next_step="Choose a product of the network's strides.",
            )
        kept.append(keep)
    after = _Grid(
        tuple(now * keep for now, keep in zip(grid.stride, kept, strict=True)),
        tuple(
            rate * stride // keep
            for rate, stride, keep in zip(grid.rate, strides, kept, strict=True)
        ),
    )
    if not after.is_finer:
        return after
    expected = {"conv": nn.Conv2d, "max_pool": nn.MaxPool2d, "avg_pool": nn.AvgPool2d}[op.kind]
    is_spread = grid.is_finer and (op.kind != "conv" or max(sizes(op, "kernel")) > 1)
    if not isinstance(module, expected) or (op.kind == "avg_pool" and is_spread):
        raise _cannot(op)
    return after


def _set(model: nn.Module, path: str, op: Op, grid: _Grid, after: _Grid) -> None:
    """Gives the layer at ``path`` its new stride, dilation and padding."""
    module = model.get_submodule(path)
    assert isinstance(module, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d)
    kernel = sizes(op, "kernel")
    rows, columns = (
        stride * before // now
        for stride, before, now in zip(sizes(op, "stride"), grid.rate, after.rate, strict=True)
    )
    module.stride = (rows, columns)
    if isinstance(module, nn.AvgPool2d):
        return
    # With one tap there is nothing to spread.
    rows, columns = (
        old if taps == 1 else old * rate
        for old, taps, rate in zip(sizes(op, "dilation"), kernel, grid.rate, strict=True)
    )
    module.dilation = (rows, columns)
    if isinstance(module.padding, str):  # "same" follows the dilation by itself
        return
    old = module.padding if isinstance(module.padding, tuple) else (module.padding,) * 2
    rows, columns = (side * rate for side, rate in zip(old, grid.rate, strict=True))
    module.padding = (rows, columns)
    around = (columns, columns, rows, rows)
    if isinstance(module, nn.Conv2d):
        module._reversed_padding_repeated_twice = list(around)
    elif rows > kernel[0] // 2 or columns > kernel[1] // 2:
        # More than max pooling pads by itself, whatever its dilation.
        module.padding = 0
        pad = nn.ConstantPad2d(around, -math.inf)
        replace_module(model, path, nn.Sequential(pad, module))


def _cannot(op: Op) -> ModelError:
    return ModelError(
        f"{op.name!r} ({op.kind}) cannot read a finer map with gaps.",
        next_step="Take a coarser output stride, or dilate the part of the network before it.",
    )

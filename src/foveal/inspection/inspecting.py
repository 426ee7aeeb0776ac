"""From a model, and an input shape as people type it, to its table."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from foveal.errors import TraceError, UsageError
from foveal.graph.graph import Graph
from foveal.graph.quantity import total
from foveal.graph.receptive_field import ReceptiveField, receptive_fields
from foveal.inspection.inspection import Inspection, OpRow, Stage, Totals
from foveal.inspection.memory import Memory, dtype_bytes, measure_memory
from foveal.inspection.stages import StageSpan, find_stages
from foveal.text import near_names, printable

if TYPE_CHECKING:
    import torch

    from foveal.graph.inputs import InputShape
    from foveal.graph.tracing import Mode


_MAX_SIZE = 1_000_000
# Two numbers as large as these are meant as height and width.
_SMALLEST_SIDE = 16
_TYPES = ("float32", "float64", "float16", "bfloat16", "int64", "int32", "uint8", "bool")
_SPELLINGS = {"float": "float32", "int": "int64", "long": "int64", "half": "float16"}


def parse_input(spec: str) -> InputShape:
    """Returns the shape, or one for each input where commas separate several.

    ``CxHxW`` is one image, four numbers have the batch first; ``CxL`` and ``CxDxHxW`` are one
    sequence and one volume for networks of that many axes. A name before ``=`` gives an input
    by name, or an entry of the dictionary that the network takes. A type after ``:`` stands
    for whole numbers and the like; the shape is then whole, the batch first.

    >>> parse_input("3x224x224"), parse_input("8x3x64x48"), parse_input("1x32x32,3x64x64")
    ((3, 224, 224), (8, 3, 64, 48), ((1, 32, 32), (3, 64, 64)))
    >>> parse_input("image=3x32x32,mask=1x32x32")
    {'image': (3, 32, 32), 'mask': (1, 32, 32)}
    >>> parse_input("2x16:int64").dtype
    torch.int64

    Raises:
        UsageError: It cannot be read as shapes.
    """
    parts = [part.strip() for part in spec.split(",")]
    names = [part.partition("=")[0].strip() if "=" in part else "" for part in parts]
    shapes = [_parse_one(part.rpartition("=")[2].strip(), spec) for part in parts]
    if not any(names):
        return shapes[0] if len(shapes) == 1 else tuple(shapes)
    if not all(names) or len(set(names)) < len(names):
        raise _refusal(spec, "where one input has a name, each needs one of its own")
    return dict(zip(names, shapes, strict=True))


def _parse_one(text: str, spec: str) -> Any:
    text, colon, dtype = text.partition(":")
    words = re.split(r"[x×X*]", text.strip().strip("()[] "))
    sizes = tuple(int(word) for word in words if re.fullmatch(r"\s*[0-9]{1,9}\s*", word))
    if len(sizes) == len(words) == 1 and not colon:
        raise _refusal(spec, f"{sizes[0]} alone says too little; a vector is 1x{sizes[0]}")
    if len(sizes) != len(words):
        raise _refusal(spec, "it is no list of whole numbers joined by x")
    if not all(0 < size <= _MAX_SIZE for size in sizes):
        raise _refusal(spec, f"every size must be between 1 and {_MAX_SIZE:,}")
    if colon:
        return _of_type(sizes, dtype.strip(), spec)
    if len(sizes) == 2 and min(sizes) >= _SMALLEST_SIDE:
        raise _refusal(spec, f"the channels are missing: 3x{sizes[0]}x{sizes[1]} may be meant")
    return sizes


def _of_type(sizes: tuple[int, ...], word: str, spec: str) -> Any:
    """Returns a tensor that has the shape and the type, and no values."""
    import torch

    name = _SPELLINGS.get(word, word)
    if name not in _TYPES:
        near = near_names(word, (*_TYPES, *_SPELLINGS)) or _TYPES
        raise _refusal(spec, f"{printable(word)!r} is no type; {', '.join(near)} are")
    return torch.empty(sizes, dtype=getattr(torch, name), device="meta")


def _refusal(spec: str, why: str) -> UsageError:
    return UsageError(
        f"The input {printable(spec)!r} cannot be read as a shape: {why}.",
        next_step="Give channels x height x width, such as --input 3x224x224; commas separate "
        "several inputs, as in --input image=3x64x64,tokens=1x16:int64.",
    )


_NONLINEAR = frozenset({"activation"})


def inspect(
    model: torch.nn.Module,
    input_shape: InputShape,
    *,
    name: str | None = None,
    mode: Mode = "eval",
    sizes: Literal["as given", "any"] = "as given",
) -> Inspection:
    """Returns the table of ``model`` for inputs of the given shape.

    Nothing is computed, so time and memory do not depend on the size of the image; the
    model may be on any device, the meta device included, and is left as found.

    Args:
        model: Any module that is called with tensors alone.
        input_shape: ``(C, H, W)`` of one image, or a whole shape with the batch first; a
            sequence of these for several inputs; a mapping for inputs by name.
        name: What to call it; its class name if None.
        mode: ``"eval"`` looks at the network that predicts, ``"train"`` at the one that
            trains (auxiliary heads and all), ``"as found"`` at each module as it is.
        sizes: ``"any"`` also finds out what holds for other sizes, by tracing several.

    Returns:
        The table. Every figure says whether it is exact, a lower bound or unavailable.

    Raises:
        TraceError: The model refuses the input or raises; names the layer.
        UsageError: The shape is none.
    """
    from foveal.graph.tracing import trace

    graph = trace(model, input_shape, mode=mode)
    table = inspect_graph(graph, name=name or graph.model_type)
    if sizes == "as given":
        return table
    from foveal.inspection.sizes import find_size_law

    return replace(table, sizes=find_size_law(model, graph, mode=mode))


def inspect_graph(graph: Graph, *, name: str | None = None) -> Inspection:
    """Returns the table of a graph that was traced before."""
    fields = receptive_fields(graph)
    memory = measure_memory(graph)
    rows = _rows(graph, fields, memory)
    totals = _totals(graph, rows, memory)
    return Inspection(
        name=name or graph.model_type,
        model_type=graph.model_type,
        mode=graph.modes,
        inputs=graph.inputs,
        outputs=graph.outputs,
        ops=rows,
        stages=tuple(_stage(span, rows, totals) for span in find_stages(graph)),
        totals=totals,
        status=graph.status,
        reason=graph.reason,
        notes=_notes(graph, totals),
    )


def _rows(graph: Graph, fields: tuple[ReceptiveField, ...], memory: Memory) -> tuple[OpRow, ...]:
    counted_at: dict[str, str] = {}
    rows = []
    for op, seen in zip(graph.ops, fields, strict=True):
        trainable = frozen = 0
        shared_with = None
        for parameter_name in op.parameters:
            if parameter_name in counted_at:
                shared_with = counted_at[parameter_name]
                continue
            counted_at[parameter_name] = op.name
            parameter = graph.parameter(parameter_name)
            if parameter.is_trainable:
                trainable += parameter.count
            else:
                frozen += parameter.count
        rows.append(
            OpRow(
                op=op,
                trainable_parameters=trainable,
                frozen_parameters=frozen,
                shared_with=shared_with,
                activation_bytes=memory.activation_bytes[op.index],
                kept_bytes=memory.kept_bytes[op.index],
                receptive_field=seen,
            )
        )
    return tuple(rows)


def _totals(graph: Graph, rows: tuple[OpRow, ...], memory: Memory) -> Totals:
    last = _last_map(graph, rows)
    return Totals(
        parameters=graph.parameter_count,
        trainable_parameters=graph.trainable_parameter_count,
        unused_parameters=sum(p.count for p in graph.parameters if not p.op_indices)
        if graph.status == "complete"
        else None,
        parameter_bytes=sum(p.count * dtype_bytes(p.dtype) for p in graph.parameters),
        macs=graph.macs,
        activation_bytes=memory.total_activation_bytes,
        peak_bytes=memory.peak_bytes,
        kept_bytes=memory.total_kept_bytes,
        receptive_field=None if last is None else last.receptive_field,
        receptive_field_of=None if last is None else last.name,
        num_weighted_layers=sum(row.kind in {"conv", "conv_transpose", "linear"} for row in rows),
        num_nonlinearities=sum(row.kind in _NONLINEAR for row in rows),
    )


def _last_map(graph: Graph, rows: tuple[OpRow, ...]) -> OpRow | None:
    """Returns the last operation with positions: what the head pools, else the last map."""
    from foveal.graph.head import head

    try:
        found = head(graph).features
    except TraceError:
        found = None
    if found is not None:
        return next(row for row in rows if row.name == found)
    for row in reversed(rows):
        if any(field is not None for field in row.receptive_field.fields):
            return row
        has_positions = len(row.output_shape) > 3 and max(row.output_shape[2:]) > 1
        if has_positions and row.receptive_field.status == "unavailable":
            return row
    return None


def _stage(span: StageSpan, rows: tuple[OpRow, ...], totals: Totals) -> Stage:
    own = rows[span.first : span.last + 1]
    macs = total(row.macs for row in own)
    parameters = sum(row.parameters for row in own)
    memory = sum(row.activation_bytes for row in own)
    return Stage(
        name=span.name,
        first=span.first,
        last=span.last,
        output_shape=own[-1].output_shape,
        resolution=span.resolution,
        parameters=parameters,
        trainable_parameters=sum(row.trainable_parameters for row in own),
        macs=macs,
        activation_bytes=memory,
        kept_bytes=total(row.kept_bytes for row in own),
        receptive_field=own[-1].receptive_field,
        share_of_parameters=_share(parameters, totals.parameters),
        share_of_macs=_share(macs.value, totals.macs.value),
        share_of_memory=_share(memory, totals.activation_bytes.value),
    )


def _share(part: int | None, whole: int | None) -> float | None:
    return None if part is None or not whole else part / whole


def _notes(graph: Graph, totals: Totals) -> tuple[str, ...]:
    notes = []
    if totals.unused_parameters:
        names = [p.name for p in graph.parameters if not p.op_indices]
        modules = dict.fromkeys(n.partition(".")[0] for n in names)
        shown = ", ".join(list(modules)[:3]) + (", …" if len(modules) > 3 else "")
        notes.append(
            f"{totals.unused_parameters:,} parameters are not used in this forward pass ({shown})."
        )
    shared = [p for p in graph.parameters if p.is_shared]
    if shared:
        notes.append(
            f"{len(shared)} parameter{'s are' if len(shared) > 1 else ' is'} shared "
            f"({shared[0].name}{', …' if len(shared) > 1 else ''}); each counts once."
        )
    return tuple(notes)

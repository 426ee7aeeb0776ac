"""From a model to its table."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from foveal.errors import TraceError
from foveal.graph.graph import Graph
from foveal.graph.quantity import total
from foveal.graph.receptive_field import ReceptiveField, receptive_fields
from foveal.inspection.inspection import Inspection, OpRow, Stage, Totals
from foveal.inspection.memory import Memory, dtype_bytes, measure_memory
from foveal.inspection.stages import StageSpan, find_stages

if TYPE_CHECKING:
    import torch

    from foveal.graph.inputs import InputShape
    from foveal.graph.tracing import Mode

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

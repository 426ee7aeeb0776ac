"""Where one tensor separates a network, and what lies on either side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from foveal.errors import TraceError, UsageError
from foveal.graph.graph import Graph, Op, Shape, Source
from foveal.graph.quantity import Quantity
from foveal.text import near_names


@dataclass(frozen=True, slots=True)
class CutPoint:
    """A tensor through which everything passes that the network computes.

    Attributes:
        name: The largest module that ends here (``"layer3"``), else the operation's name.
        source: The tensor: a result of the last operation of the prefix.
        shape: Of the tensor, with the batch first.
        macs_before: Multiply-accumulates of the prefix.
        macs_after: Multiply-accumulates of the suffix.
        parameters_before: Elements of the parameters that the prefix uses.
        parameters_after: Elements of the parameters that the suffix uses. A parameter used
            on both sides counts in both.
    """

    name: str
    source: Source
    shape: Shape
    macs_before: Quantity[int]
    macs_after: Quantity[int]
    parameters_before: int
    parameters_after: int

    @property
    def op_index(self) -> int:
        """The last operation of the prefix."""
        return self.source.index


def cut_points(graph: Graph) -> tuple[CutPoint, ...]:
    """Returns every position where a single tensor separates the network, first to last.

    The input itself and the outputs are no cut points.

    Raises:
        TraceError: The graph is not complete, so that what comes after is not known.
    """
    require_complete(graph, purpose="finding cut points")
    last_use: dict[Source, int] = {}
    for op in graph.ops:
        for source in op.inputs:
            last_use[source] = op.index
    for output in graph.outputs:
        if output.source is not None:
            last_use[output.source] = len(graph.ops)
    # A result that nothing reads is alive nowhere, so it does not stand in the way.
    alive: set[Source] = {source for source in last_use if source.kind == "input"}
    found = []
    for op in graph.ops:
        made = {Source("op", op.index, slot) for slot in range(len(op.output_shapes))}
        alive |= {source for source in made if source in last_use}
        alive = {source for source in alive if last_use[source] > op.index}
        if len(alive) == 1 and alive <= made and last_use[next(iter(alive))] < len(graph.ops):
            found.append((op, next(iter(alive))))
    ends = _last_op_of_modules(graph)
    before = _running_costs(graph, "forward")
    after = _running_costs(graph, "backward")
    return tuple(
        CutPoint(
            name=_name(op, ends),
            source=source,
            shape=graph.shape_of(source),
            macs_before=before[op.index][0],
            macs_after=after[op.index + 1][0],
            parameters_before=before[op.index][1],
            parameters_after=after[op.index + 1][1],
        )
        for op, source in found
    )


def find_cut_point(graph: Graph, name: str) -> CutPoint:
    """Returns the cut point of that name, or the one whose operation has it.

    Raises:
        UsageError: There is none; the nearest are offered.
        TraceError: The graph is not complete.
    """
    points = {point.name: point for point in cut_points(graph)}
    by_op = {graph.ops[point.op_index].name: point for point in points.values()}
    found = points.get(name) or by_op.get(name)
    if found is None:
        near = near_names(name, points) or tuple(points)[-3:]
        raise UsageError(
            f"{graph.model_type} has no cut point named {name!r}: either nothing is called so, "
            "or more than one tensor passes there.",
            next_step=f"Cut points near it: {', '.join(near)}." if near else None,
        )
    return found


def require_complete(graph: Graph, *, purpose: str) -> None:
    """Raises if tracing stopped early.

    Raises:
        TraceError: With the reason and the location at which tracing stopped.
    """
    if graph.status != "complete":
        raise TraceError(
            f"{purpose} needs the whole graph of {graph.model_type}, but {graph.reason}.",
            next_step="Trace a part of the model that does not contain that operation.",
        )


def _running_costs(
    graph: Graph, direction: Literal["forward", "backward"]
) -> list[tuple[Quantity[int], int]]:
    """Returns, for each operation, the MACs and parameters of it and all before it, or after it.

    One pass: a sum for each of ten thousand operations would take minutes.
    """
    costs = []
    known, num_parameters = 0, 0
    reasons: tuple[str, ...] = ()  # in the order of the network, each where it is met first
    names: set[str] = set()
    for op in graph.ops if direction == "forward" else reversed(graph.ops):
        known += op.macs.value or 0
        reason = op.macs.reason
        if reason is not None and direction == "backward":
            reasons = (reason, *(other for other in reasons if other != reason))
        elif reason is not None and reason not in reasons:
            reasons = (*reasons, reason)
        new = set(op.parameters) - names
        names |= new
        num_parameters += sum(graph.parameter(name).count for name in new)
        macs = Quantity.partial(known, "; ".join(reasons)) if reasons else Quantity(known)
        costs.append((macs, num_parameters))
    return costs if direction == "forward" else costs[::-1]


def _last_op_of_modules(graph: Graph) -> dict[str, int]:
    last: dict[str, int] = {}
    for op in graph.ops:
        path = op.module_path
        while path:
            last[path] = op.index
            path = path.rpartition(".")[0]
    return last


def _name(op: Op, ends: dict[str, int]) -> str:
    parts = op.module_path.split(".") if op.module_path else []
    for length in range(1, len(parts) + 1):
        path = ".".join(parts[:length])
        if ends[path] == op.index:
            return path
    return op.name

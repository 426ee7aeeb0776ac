"""Dividing a network into stages: runs of modules that end with one resolution.

That is how papers divide networks (conv2_x at 56 x 56, conv3_x at 28 x 28), and unlike the
names of modules it means the same in every code base.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from foveal.graph.graph import Graph, Op, Shape

Resolution = tuple[int, ...] | None

# A module is opened up when it holds more than this share of all operations and several
# resolutions; smaller ones (a block that halves the map) are taken whole.
_OPEN_ABOVE = (1 / 3, 2 / 3, 1.0)
_MOST_STAGES = 20
_DOMINANT_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class Segment:
    """Consecutive operations of one module, or a single operation.

    Attributes:
        path: The module's path, or the operation's name.
        first: Index of the first operation.
        last: Index of the last.
        is_module: Whether ``path`` is a module.
    """

    path: str
    first: int
    last: int
    is_module: bool


def segments_below(ops: Sequence[Op], first: int, last: int, path: str) -> tuple[Segment, ...]:
    """Divides ops ``first`` to ``last`` of the module at ``path`` among its children."""
    found: list[Segment] = []
    skip = len(path) + 1 if path else 0
    for op in ops[first : last + 1]:
        rest = op.module_path[skip:] if op.module_path != path else ""
        child = rest.partition(".")[0]
        name = ".".join(filter(None, (path, child))) if child else op.name
        before = found[-1] if found else None
        if before is not None and child and before.is_module and before.path == name:
            found[-1] = Segment(name, before.first, op.index, True)
        else:
            found.append(Segment(name, op.index, op.index, bool(child)))
    return tuple(found)


def resolution_of(shape: Shape, input_shape: Shape) -> Resolution:
    """Returns height and width of a map, None for a vector or a map of one position.

    Some networks keep channels last; of the two readings the one whose proportions are the
    image's is taken.
    """
    axes = len(input_shape) - 2
    if axes < 1 or len(shape) != len(input_shape):
        return None
    normal, last = shape[2:], shape[1:-1]
    if axes == 2 and _skew(last, input_shape) < _skew(normal, input_shape):
        normal = last
    return None if all(size == 1 for size in normal) else normal


def _skew(sizes: Shape, input_shape: Shape) -> float:
    wanted = input_shape[2] / input_shape[3]
    ratio = sizes[0] / sizes[1]
    return max(ratio / wanted, wanted / ratio)


@dataclass(frozen=True, slots=True)
class StageSpan:
    """The operations of a stage, before they are summed."""

    name: str
    first: int
    last: int
    resolution: Resolution


def find_stages(graph: Graph) -> tuple[StageSpan, ...]:
    """Returns the stages of a network in order; together they hold every operation."""
    if not graph.ops or not graph.inputs:
        return ()
    spans: tuple[StageSpan, ...] = ()
    for share in _OPEN_ABOVE:
        units = tuple(_units(graph, Segment("", 0, len(graph.ops) - 1, True), share, True))
        spans = _joined(graph, units)
        if len(spans) <= _MOST_STAGES:
            break
    return spans


def _units(graph: Graph, segment: Segment, share: float, is_root: bool) -> Iterator[Segment]:
    parts = segments_below(graph.ops, segment.first, segment.last, segment.path)
    if not segment.is_module or not (is_root or _is_opened(graph, segment, parts, share)):
        yield segment
        return
    for part in parts:
        yield from _units(graph, part, share, False)


def _is_opened(graph: Graph, segment: Segment, parts: tuple[Segment, ...], share: float) -> bool:
    if (segment.last - segment.first + 1) <= share * len(graph.ops):
        return False
    if len(parts) == 1:
        return parts[0].is_module
    ends = [_end(graph, part) for part in parts]
    maps = {end for end in ends if end is not None}
    return len(maps) > 1 or (bool(maps) and ends[-1] is None)


def _end(graph: Graph, segment: Segment) -> Resolution:
    return resolution_of(graph.ops[segment.last].output_shape, graph.inputs[0].shape)


def _joined(graph: Graph, units: tuple[Segment, ...]) -> tuple[StageSpan, ...]:
    runs: list[tuple[Resolution, list[Segment]]] = []
    for unit in units:
        end = _end(graph, unit)
        if runs and runs[-1][0] == end:
            runs[-1][1].append(unit)
        else:
            runs.append((end, [unit]))
    # A vector in the middle (squeeze and excitation written out) belongs to its map.
    merged: list[tuple[Resolution, list[Segment]]] = []
    for resolution, run in runs:
        if len(merged) > 1 and merged[-1][0] is None and merged[-2][0] == resolution:
            vector = merged.pop()
            merged[-1][1].extend((*vector[1], *run))
        else:
            merged.append((resolution, run))
    return tuple(
        StageSpan(_name(graph, run), run[0].first, run[-1].last, resolution)
        for resolution, run in merged
    )


def _name(graph: Graph, run: list[Segment]) -> str:
    for weight in (_macs, _parameters):
        weights = [weight(graph, segment) for segment in run]
        largest = max(weights)
        if largest and largest >= _DOMINANT_SHARE * sum(weights):
            return run[weights.index(largest)].path
    first, last = run[0].path, run[-1].path
    if first == last:
        return first
    stem, _, tail = first.rpartition(".")
    other_stem, _, other_tail = last.rpartition(".")
    if stem and stem == other_stem:
        return f"{stem}.{tail}–{other_tail}"
    return f"{first}–{last}"


def _macs(graph: Graph, segment: Segment) -> int:
    return sum(op.macs.value or 0 for op in graph.ops[segment.first : segment.last + 1])


def _parameters(graph: Graph, segment: Segment) -> int:
    names = {n for op in graph.ops[segment.first : segment.last + 1] for n in op.parameters}
    return sum(graph.parameter(name).count for name in names)

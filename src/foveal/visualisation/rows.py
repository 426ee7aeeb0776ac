"""Which layers stand for a network: spread over its depth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from foveal.errors import UsageError
from foveal.graph import Graph, ReceptiveField, cut_points, receptive_fields
from foveal.graph.cut_points import require_complete
from foveal.inspection.stages import find_stages
from foveal.visualisation.objectives import Channel, ClassLogit
from foveal.visualisation.targets import Target, find_target

CLASSES = "classes"

# These hand on the numbers they are given.
_MOVES = frozenset({"pad", "copy", "permute"})


@dataclass(frozen=True, slots=True)
class RowLayer:
    """One layer that a sheet shows.

    Attributes:
        name: Of the operation, or ``"classes"``.
        num_channels: How many it has.
        receptive_field_px: Height and width of what one unit sees; None where unknown.
        is_classes: Whether its channels are the classes.
    """

    name: str
    num_channels: int
    receptive_field_px: tuple[int, int] | None
    is_classes: bool = False


def choose_rows(graph: Graph, *, num_rows: int) -> tuple[RowLayer, ...]:
    """Returns up to ``num_rows`` layers in order, the classes last where there are several.

    Raises:
        UsageError: The network has no layer with a map.
        TraceError: The graph is not complete.
    """
    require_complete(graph, purpose="a sheet by depth")
    classes = _classes(graph)
    room = num_rows - (classes is not None and num_rows > 1)
    fields = receptive_fields(graph)
    known = _maps(graph, fields)
    if not known:
        raise UsageError(
            f"{graph.model_type} has no layer with a map, so there is nothing to show by depth.",
            next_step="Use maximise with a ClassLogit instead.",
        )
    chosen = _spread(graph, fields, sorted(known), room)
    rows = []
    for index in chosen:
        sizes = [size for size in fields[index].size if size is not None]
        rows.append(
            RowLayer(
                graph.ops[index].name,
                known[index].num_channels,
                (sizes[0], sizes[1]) if len(sizes) == 2 else None,
            )
        )
    if classes is not None and len(rows) < num_rows:
        rows.append(RowLayer(CLASSES, classes.num_channels, None, is_classes=True))
    return tuple(rows)


def _classes(graph: Graph) -> Target | None:
    source = graph.outputs[0].source if graph.outputs else None
    if source is None or source.kind != "op" or len(graph.shape_of(source)) != 2:
        return None
    target = find_target(graph, ClassLogit(0))
    return target if target.num_channels > 1 else None


def _maps(graph: Graph, fields: tuple[ReceptiveField, ...]) -> dict[int, Target]:
    """Returns the operations that may stand for a layer: a single tensor, with positions.

    Those that read one tensor, or see as much in as many channels (a convolution, its norm,
    its activation), are one layer; the last of them stands for it.
    """
    by_target: dict[str, tuple[int, Target]] = {}
    ends = [output.source for output in graph.outputs[:1]]
    indices = [
        *(point.op_index for point in cut_points(graph)),
        *(end.index for end in ends if end is not None and end.kind == "op"),
    ]
    for op in (graph.ops[index] for index in indices):
        if len(op.output_shape) != 4 or op.kind in _MOVES:
            continue
        target = find_target(graph, Channel(op.name, 0))
        positions = target.shape[2:] if target.layout == "map" else target.shape[1:3]
        if target.layout != "vector" and 1 not in positions:
            by_target[target.name] = (op.index, target)
    layers: dict[object, tuple[int, Target]] = {}
    for index, target in by_target.values():
        size = fields[index].size
        is_known = len(size) == 2 and None not in size
        layers[(size, target.num_channels) if is_known else index] = (index, target)
    return dict(layers.values())


def _spread(
    graph: Graph, fields: tuple[ReceptiveField, ...], known: list[int], count: int
) -> list[int]:
    """Chooses ``count`` of the known operations: the first, the ends of stages, then others."""
    ends = [span.last for span in find_stages(graph) if span.resolution is not None]
    anchors = [max((i for i in known if i <= end), default=known[0]) for end in ends]
    chosen = sorted({known[0], *anchors})
    if count == 1:
        return chosen[-1:]
    depth = _depths(fields, known)
    while len(chosen) > count:
        # Of the two nearest the deeper one goes, but never the deepest of all.
        gaps = [depth[after] - depth[before] for before, after in pairwise(chosen)]
        nearest = gaps.index(min(gaps))
        del chosen[min(nearest + 1, len(chosen) - 2)]
    while len(chosen) < min(count, len(known)):
        free = [index for index in known if index not in chosen]
        farthest = max(free, key=lambda i: min(abs(depth[i] - depth[c]) for c in chosen))
        chosen = sorted([*chosen, farthest])
    return chosen


def _depths(fields: tuple[ReceptiveField, ...], known: list[int]) -> dict[int, float]:
    """Returns how deep each layer is: by how much a unit sees, else by its position in order."""
    sizes = {index: [size for size in fields[index].size if size is not None] for index in known}
    if all(len(size) == 2 for size in sizes.values()):
        return {index: math.log(max(size)) for index, size in sizes.items()}
    return {index: float(index) for index in known}

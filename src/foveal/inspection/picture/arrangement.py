"""Where everything is, for any set of open groups: sums and maxima over rows and tracks.

``page/arrangement.js`` is the same arithmetic for a browser; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise

from foveal.inspection.picture.picture import Node, Picture, View

TRACK_GAP = 24.0
LANE = 18.0
ROW_GAP = 26.0
MOST_EXTRA_GAP = 46.0
BEND = 0.07  # so much more room between rows for each pixel that a wire goes sideways
BAR = 34.0  # the title of an open group
PADDING = 14.0
LEAST_OPEN = 260.0
MARGIN = 16.0

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of the drawing.

    Attributes:
        node: What is drawn there.
        x: Left.
        y: Top.
        width: To the right.
        height: Downward; of an open group with all that is inside.
        depth: How many open groups are around it.
        is_open: Whether it is an open group.
    """

    node: Node
    x: float
    y: float
    width: float
    height: float
    depth: int
    is_open: bool


@dataclass(frozen=True, slots=True)
class Path:
    """A wire as it is drawn: straight down through rows, a curve between them.

    Attributes:
        points: Where it is straight or bends; from an even to an odd one straight, else curved.
        is_shortcut: See ``Grid``.
        has_head: Whether it ends at a box, and not at a port.
    """

    points: tuple[Point, ...]
    is_shortcut: bool
    has_head: bool


@dataclass(frozen=True, slots=True)
class Arrangement:
    """The drawing: its size, its boxes from the outside inward, and its wires."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    paths: tuple[Path, ...]


def arrange(picture: Picture, opened: Collection[int] | None = None) -> Arrangement:
    """Returns where everything is while ``opened`` groups are open; None: those at first."""
    shown = picture.first_open if opened is None else opened
    sized = _Sized(picture.top, shown)
    boxes: list[Box] = []
    paths: list[Path] = []
    sized.draw(MARGIN, MARGIN, 0, boxes, paths)
    return Arrangement(
        sized.width + 2 * MARGIN, sized.height + 2 * MARGIN, tuple(boxes), tuple(paths)
    )


class _Sized:
    """A level with its size, which depends on what is open inside."""

    def __init__(self, view: View, opened: Collection[int]) -> None:
        self._view = view
        grid = view.grid
        self._inner = {
            k: _Sized(node.inside, opened)
            for k, node in enumerate(view.nodes)
            if node.inside is not None and node.number in opened
        }
        nodes = range(len(view.nodes))
        self._sizes = [self._size(k) for k in nodes]
        lefts = [LANE / 2 if is_lane else 0.0 for is_lane in grid.is_lane]
        rights = list(lefts)
        for k in nodes:
            if not grid.is_alone[k]:
                track, (left, right, _) = grid.tracks[k], self._sizes[k]
                lefts[track] = max(lefts[track], left + TRACK_GAP / 2)
                rights[track] = max(rights[track], right + TRACK_GAP / 2)
        anchors: list[float] = []
        end = 0.0
        for left, right in zip(lefts, rights, strict=True):
            anchors.append(end + left)
            end += left + right
        with_boxes = [t for t, is_lane in enumerate(grid.is_lane) if not is_lane] or [0]
        middle = (anchors[with_boxes[0]] + anchors[with_boxes[-1]]) / 2 if anchors else 0.0
        alone = [self._sizes[k] for k in nodes if grid.is_alone[k]]
        shift = max([left + TRACK_GAP / 2 - middle for left, _, _ in alone] + [0.0])
        reach = max([right + TRACK_GAP / 2 for _, right, _ in alone] + [0.0])
        self.width = shift + max(end, middle + reach)
        self.anchor = shift + middle
        self._tracks = [shift + anchor for anchor in anchors]
        self._anchors = [
            self.anchor if grid.is_alone[k] else self._tracks[grid.tracks[k]] for k in nodes
        ]
        num_rows = max(grid.rows, default=-1) + 1
        self._heights = [0.0] * num_rows
        for k, (_, _, tall) in enumerate(self._sizes):
            self._heights[grid.rows[k]] = max(self._heights[grid.rows[k]], tall)
        sideways = [0.0] * num_rows
        for wire_number in range(len(view.wires)):
            stops = self._stops(wire_number)
            for (row, a), (_, b) in pairwise(stops):
                sideways[row] = max(sideways[row], abs(a - b))
        self._tops: list[float] = []
        y = 0.0
        for row in range(num_rows):
            self._tops.append(y)
            y += self._heights[row]
            if row + 1 < num_rows:
                y += ROW_GAP + min(MOST_EXTRA_GAP, BEND * sideways[row])
        self.height = y

    def _size(self, k: int) -> tuple[float, float, float]:
        """Returns how far a node reaches to both sides of where wires meet it, and its height."""
        node = self._view.nodes[k]
        if k not in self._inner:
            return node.width / 2, node.width / 2, node.height
        inner = self._inner[k]
        wide = max(LEAST_OPEN, inner.width + 2 * PADDING)
        left = (wide - inner.width) / 2 + inner.anchor
        return left, wide - left, BAR + inner.height

    def _port(self, k: int, port: int, *, leaves: bool) -> float:
        """Returns where a port of node ``k`` is, from the left of this level."""
        if k not in self._inner:
            return self._anchors[k]
        inner = self._inner[k]
        view = inner._view
        at = len(view.nodes) - view.num_leaving + port if leaves else port
        return self._anchors[k] - inner.anchor + inner._anchors[at]

    def _stops(self, wire_number: int) -> list[tuple[int, float]]:
        """Returns the rows that a wire touches, and where."""
        grid = self._view.grid
        wire, lane = self._view.wires[wire_number], grid.lanes[wire_number]
        first, last = grid.rows[wire.source], grid.rows[wire.target]
        stops = [(first, self._port(wire.source, wire.source_port, leaves=True))]
        if lane is not None:
            stops += [(row, self._tracks[lane]) for row in range(first + 1, last)]
        stops.append((last, self._port(wire.target, wire.target_port, leaves=False)))
        return stops

    def _top_of(self, k: int) -> float:
        """Boxes stand in the middle of their row; ports at its edge."""
        row = self._view.grid.rows[k]
        return self._tops[row] + (self._heights[row] - self._sizes[k][2]) / 2

    def draw(self, x: float, y: float, depth: int, boxes: list[Box], paths: list[Path]) -> None:
        """Adds boxes and wires of this level, whose top left corner is at ``x``, ``y``."""
        paths += [self._path(number, x, y) for number in range(len(self._view.wires))]
        for k, node in enumerate(self._view.nodes):
            if node.role in ("enter", "leave"):
                continue
            reach, right, tall = self._sizes[k]
            left, top = x + self._anchors[k] - reach, y + self._top_of(k)
            boxes.append(Box(node, left, top, reach + right, tall, depth, k in self._inner))
            if k in self._inner:
                inner = self._inner[k]
                inner.draw(left + reach - inner.anchor, top + BAR, depth + 1, boxes, paths)

    def _path(self, number: int, x: float, y: float) -> Path:
        wire = self._view.wires[number]
        stops = self._stops(number)
        points: list[Point] = []
        for index, (row, across) in enumerate(stops):
            top, bottom = self._tops[row], self._tops[row] + self._heights[row]
            if index == 0:
                top = self._top_of(wire.source) + self._sizes[wire.source][2]
            if index == len(stops) - 1:
                bottom = self._top_of(wire.target)
            points += [(x + across, y + top), (x + across, y + bottom)]
        return Path(
            tuple(points),
            self._view.grid.is_shortcut[number],
            self._view.nodes[wire.target].role != "leave",
        )

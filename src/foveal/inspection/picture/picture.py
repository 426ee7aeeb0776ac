"""The whole picture as a value: nodes on grids, group within group. Needs no torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from foveal.graph.vocabulary import words
from foveal.inspection.inspection import Inspection
from foveal.inspection.picture.grid import Grid, lay_out
from foveal.inspection.picture.parts import Part, fold_parts
from foveal.inspection.picture.wires import Level, Value, Wire, Wiring

Role = Literal["input", "enter", "part", "leave", "output", "stop"]

MOST_AT_FIRST = 15
_MERGES = words("add sub mul div concat stack")
_BOX = (196.0, 62.0)
_MERGE = (124.0, 42.0)
_PILL = (150.0, 42.0)
_STOP = (300.0, 96.0)


@dataclass(frozen=True, slots=True)
class Node:
    """One thing that is drawn at a position.

    Attributes:
        number: Unique in the picture.
        role: What it is: a part, an input or output of the network, a port of an open group,
            or where the network could not be followed further.
        width: When closed.
        height: When closed.
        title: Its name, without the path of the group that holds it.
        part: For a part.
        inside: The level inside, for a group.
        indices: Which of the network's inputs or outputs it stands for.
    """

    number: int
    role: Role
    width: float
    height: float
    title: str = ""
    part: Part | None = None
    inside: View | None = None
    indices: tuple[int, ...] = ()


@dataclass(frozen=True)
class View:
    """One level: what is seen inside an open group, or at the top.

    Attributes:
        nodes: In order: what enters, the parts, what leaves.
        wires: Between them, numbered within this level.
        grid: Their rows and tracks.
        num_entering: So many of the nodes enter.
        num_leaving: So many leave.
    """

    nodes: tuple[Node, ...]
    wires: tuple[Wire, ...]
    grid: Grid
    num_entering: int
    num_leaving: int

    @property
    def parts(self) -> tuple[Node, ...]:
        """The nodes that stand for operations."""
        return tuple(node for node in self.nodes if node.part is not None)


@dataclass(frozen=True)
class Picture:
    """A network, folded and laid out.

    Attributes:
        table: What it shows.
        top: The whole network.
        first_open: Numbers of the groups that are open at first, so that at most fifteen
            boxes are seen.
    """

    table: Inspection = field(repr=False)
    top: View = field(repr=False)
    first_open: frozenset[int]

    def nodes(self) -> Iterator[Node]:
        """Yields every node, a group before what is inside."""
        yield from _walk(self.top)


def _walk(view: View) -> Iterator[Node]:
    for node in view.nodes:
        yield node
        if node.inside is not None:
            yield from _walk(node.inside)


def picture_of(table: Inspection) -> Picture:
    """Returns the picture of a network that was inspected."""
    top = _Builder(table).top()
    return Picture(table, top, _open_at_first(top))


def _open_at_first(top: View) -> frozenset[int]:
    """Opens groups level by level while there is room for what is inside."""
    opened: set[int] = set()
    seen = len(top.nodes)
    level = list(top.parts)
    while level:
        below: list[Node] = []
        for node in level:
            if node.inside is None:
                continue
            more = len(node.inside.parts) - 1
            if seen + more <= MOST_AT_FIRST:
                opened.add(node.number)
                seen += more
                below += node.inside.parts
        level = below
    return frozenset(opened)


class _Builder:
    def __init__(self, table: Inspection) -> None:
        self._table = table
        self._parts = fold_parts(table)
        self._wiring = Wiring(table, self._parts)
        self._next = 0

    def top(self) -> View:
        level, outputs = self._wiring.whole()
        entering = [
            self._node("input", _PILL, title=item.name, indices=(k,))
            for k, item in enumerate(self._table.inputs)
        ]
        parts = self._part_nodes(self._parts, level, "")
        leaving = [
            self._node("output", _PILL, title=self._output_title(indices), indices=indices)
            for indices in outputs
        ]
        if self._table.status == "complete":
            return _view(entering, parts, leaving, level.wires)
        # What could not be followed is a closed box that says why.
        stop = self._node("stop", _STOP, title="not followed further")
        last = len(entering) + len(parts)
        ends = range(last - 1, last) if parts else range(len(entering))
        wires = [wire for wire in level.wires if wire.target < last]
        wires += [Wire(end, 0, last, port) for port, end in enumerate(ends)]
        return _view(entering, parts, [stop], wires)

    def _output_title(self, indices: tuple[int, ...]) -> str:
        paths = [self._table.outputs[k].path for k in indices]
        named = [path for path in paths if path]
        if not named:
            return "output"
        more = f" and {len(named) - 1} more" if len(named) > 1 else ""
        return f"output {named[0]}{more}"

    def _part_nodes(self, parts: Sequence[Part], level: Level, path: str) -> list[Node]:
        return [
            self._part_node(part, level.entering[number], path) for number, part in enumerate(parts)
        ]

    def _part_node(self, part: Part, entering: tuple[frozenset[Value], ...], path: str) -> Node:
        skip = len(path) + 1
        title = part.name[skip:] if path and part.name.startswith(path + ".") else part.name
        if title[:1].isdigit() and path and part.name != path:  # "layer1.0" says more than "0"
            words = path.split(".")
            named = [k for k, word in enumerate(words) if not word.isdigit()]
            title = ".".join((*words[named[-1] if named else 0 :], title))
        if part.line is not None:
            is_merge = part.line.main.kind in _MERGES
            size = _MERGE if is_merge else _BOX
            return self._node("part", size, title=title, part=part)
        number = self._take()
        level = self._wiring.inside(part, entering)
        view = _view(
            [self._node("enter", (0.0, 0.0)) for _ in entering],
            self._part_nodes(part.parts, level, _shared_path(part)),
            [self._node("leave", (0.0, 0.0)) for _ in range(level.num_leaving)],
            level.wires,
        )
        return Node(number, "part", *_BOX, title=title, part=part, inside=view)

    def _node(
        self,
        role: Role,
        size: tuple[float, float],
        *,
        title: str = "",
        part: Part | None = None,
        indices: tuple[int, ...] = (),
    ) -> Node:
        return Node(self._take(), role, *size, title=title, part=part, indices=indices)

    def _take(self) -> int:
        self._next += 1
        return self._next - 1


def _view(
    entering: Sequence[Node], parts: Sequence[Node], leaving: Sequence[Node], wires: Sequence[Wire]
) -> View:
    nodes = (*entering, *parts, *leaving)
    grid = lay_out(len(nodes), len(entering), len(leaving), wires)
    return View(nodes, tuple(wires), grid, len(entering), len(leaving))


def _shared_path(part: Part) -> str:
    """Returns the module that holds the parts: what all of their names begin with."""
    names = [inner.name for inner in part.parts]
    # An operation on the module's own weights bears the module's name.
    if all(name == part.name or name.startswith(part.name + ".") for name in names):
        return part.name
    stem = part.name.rpartition(".")[0]
    return stem if stem and all(name.startswith(stem + ".") for name in names) else ""

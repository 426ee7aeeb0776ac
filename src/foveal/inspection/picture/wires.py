"""Which part feeds which, at every level of the tree of parts.

Inside a group, what comes from outside enters by one port for each outer source, and what is
read outside leaves by one port for each inner source, so that a wire can be followed through
an open group.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field

from foveal.inspection.inspection import Inspection
from foveal.inspection.picture.parts import Part

Value = int
"""An operation's index, or ``-1 - k`` for the k-th input of the network."""


@dataclass(frozen=True, slots=True)
class Wire:
    """A connection between two nodes of one level.

    Nodes are numbered: the ports that enter, then the parts, then the ports that leave.

    Attributes:
        source: Number of the node that it comes from.
        source_port: Which of the ports by which values leave that node.
        target: Number of the node that it leads to.
        target_port: Which of the ports by which values enter that node.
    """

    source: int
    source_port: int
    target: int
    target_port: int


@dataclass(frozen=True)
class Level:
    """The wiring inside one group, or of the whole network.

    Attributes:
        num_entering: Ports at the top.
        num_leaving: Ports at the bottom.
        wires: Between ports and parts.
        entering: For each part, the values that come in by each of its ports.
    """

    num_entering: int
    num_leaving: int
    wires: tuple[Wire, ...]
    entering: tuple[tuple[frozenset[Value], ...], ...] = field(repr=False)


class Wiring:
    """Answers, for any group, how its parts are wired."""

    def __init__(self, table: Inspection, parts: tuple[Part, ...]) -> None:
        self._table = table
        self._parts = parts
        self._sources: list[tuple[Value, ...]] = [
            tuple(dict.fromkeys(row.op.input_indices)) for row in table.ops
        ]
        self._last_reader = [-1] * len(table.ops)
        self._readers: list[list[int]] = [[] for _ in table.ops]
        for index, sources in enumerate(self._sources):
            for value in sources:
                if value >= 0:
                    self._readers[value].append(index)
        end = len(table.ops)
        for output in table.outputs:
            if output.source is not None and output.source.kind == "op":
                self._readers[output.source.index].append(end)
        self._leaving: dict[int, tuple[tuple[int, int], ...]] = {}

    def inside(self, part: Part, entering: tuple[frozenset[Value], ...]) -> Level:
        """Returns the wiring of a group's first copy, given what enters by each of its ports."""
        wires, fed = self._level(part.parts, entering)
        before = len(entering)
        ports = self._ports(part)
        leaving = [
            Wire(before + child, port, before + len(part.parts) + number, 0)
            for number, (child, port) in enumerate(ports)
        ]
        return Level(before, len(ports), (*wires, *leaving), fed)

    def whole(self) -> tuple[Level, tuple[tuple[int, ...], ...]]:
        """Returns the wiring of the network, and the outputs that each last port stands for."""
        entering = tuple(frozenset({-1 - k}) for k in range(len(self._table.inputs)))
        wires, fed = self._level(self._parts, entering)
        before = len(entering)
        made: dict[tuple[int, int], list[int]] = {}
        for number, output in enumerate(self._table.outputs):
            source = output.source
            if source is None or source.kind == "weights":
                continue
            if source.kind == "input":
                at = (source.index, 0)
            else:
                child = _holder(self._parts, source.index)
                at = (before + child, self._port_of(self._parts[child], source.index))
            made.setdefault(at, []).append(number)
        last = before + len(self._parts)
        leaving = [Wire(*at, last + number, 0) for number, at in enumerate(made)]
        level = Level(before, len(made), (*wires, *leaving), fed)
        return level, tuple(map(tuple, made.values()))

    def _level(
        self, parts: tuple[Part, ...], entering: tuple[frozenset[Value], ...]
    ) -> tuple[list[Wire], tuple[tuple[frozenset[Value], ...], ...]]:
        before = len(entering)
        port_of_value = {value: k for k, values in enumerate(entering) for value in values}
        wires: list[Wire] = []
        fed: list[tuple[frozenset[Value], ...]] = []
        for number, part in enumerate(parts):
            ports: dict[tuple[int, int], set[Value]] = {}
            for index in range(part.first, part.last + 1):
                for value in self._sources[index]:
                    if part.first <= value <= part.last:
                        continue
                    if value in port_of_value:
                        at = (port_of_value[value], 0)
                    else:
                        child = _holder(parts, value)
                        at = (before + child, self._port_of(parts[child], value))
                    ports.setdefault(at, set()).add(value)
            wires += [Wire(*at, before + number, port) for port, at in enumerate(ports)]
            fed.append(tuple(map(frozenset, ports.values())))
        return wires, tuple(fed)

    def _port_of(self, part: Part, value: Value) -> int:
        """Returns by which port of ``part`` the value leaves."""
        if part.is_box:
            return 0
        value = part.in_first_copy(value)
        child = _holder(part.parts, value)
        return self._ports(part).index((child, self._port_of(part.parts[child], value)))

    def _ports(self, part: Part) -> tuple[tuple[int, int], ...]:
        """Returns part and port inside from which values leave, in order."""
        key = id(part)
        if key not in self._leaving:
            found: dict[tuple[int, int], None] = {}
            for index in range(part.first, part.last + 1):
                begin = part.first + (index - part.first) // part.size * part.size
                if any(not begin <= r < begin + part.size for r in self._readers[index]):
                    value = part.in_first_copy(index)
                    child = _holder(part.parts, value)
                    found[(child, self._port_of(part.parts[child], value))] = None
            self._leaving[key] = tuple(sorted(found))
        return self._leaving[key]


def _holder(parts: tuple[Part, ...], value: Value) -> int:
    """Returns which part holds the operation."""
    return bisect_right(parts, value, key=lambda part: part.first) - 1

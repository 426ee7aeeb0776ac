"""Rows and tracks: a layered drawing whose positions are sums, whatever is open.

Sugiyama, Tagawa, Toda (1981), in the form that swim lanes have: every node has a row, so that
wires lead downward, and a track, so that a chain of parts is straight. A wire that passes by
other rows has a lane of its own there. Positions follow from the sizes of rows and tracks
alone; what a part grows to when it opens cannot make two of them overlap, and no wire can
cross a box, because between rows there are none and within a row each has its cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from foveal.inspection.picture.wires import Wire


@dataclass(frozen=True, slots=True)
class Grid:
    """Where the nodes of one level go.

    Attributes:
        rows: Of each node, from the top.
        tracks: Of each node, from the left.
        is_alone: For each node, whether neither a node nor a lane is in its row besides.
        is_lane: For each track, whether only wires run in it.
        lanes: For each wire, the track in which it passes by other rows; None where it leads
            to the next row.
        is_shortcut: For each wire, whether other parts lead from its source to its target too.
    """

    rows: tuple[int, ...]
    tracks: tuple[int, ...]
    is_alone: tuple[bool, ...]
    is_lane: tuple[bool, ...]
    lanes: tuple[int | None, ...]
    is_shortcut: tuple[bool, ...]


def lay_out(num_nodes: int, num_entering: int, num_leaving: int, wires: Sequence[Wire]) -> Grid:
    """Returns rows and tracks for nodes numbered as ``Wire`` says."""
    followers: list[list[int]] = [[] for _ in range(num_nodes)]
    for wire in wires:
        if wire.target not in followers[wire.source]:
            followers[wire.source].append(wire.target)
    rows = _rows(num_nodes, num_entering, num_leaving, followers)
    plan = _Tracks(rows, followers)
    for wire in wires:
        plan.add_lane(wire)
    lanes = plan.lanes(wires)
    order = {id(track): index for index, track in enumerate(plan.tracks)}
    tracks = tuple(order[id(track)] for track in plan.of_node)
    positions = [None if lane is None else order[id(lane)] for lane in lanes]
    passed = {
        row
        for wire, lane in zip(wires, lanes, strict=True)
        if lane is not None
        for row in range(rows[wire.source] + 1, rows[wire.target])
    }
    return Grid(
        rows=tuple(rows),
        tracks=tracks,
        is_alone=tuple(rows.count(row) == 1 and row not in passed for row in rows),
        is_lane=tuple(track.is_lane for track in plan.tracks),
        lanes=tuple(positions),
        is_shortcut=_shortcuts(num_nodes, followers, wires),
    )


def _rows(
    num_nodes: int, num_entering: int, num_leaving: int, followers: list[list[int]]
) -> list[int]:
    """Returns the longest path to each node; ports are in the first and the last row."""
    rows = [0 if node < num_entering else 1 for node in range(num_nodes)]
    is_fed = [node < num_entering for node in range(num_nodes)]
    for node in range(num_nodes):  # wires lead from lower to higher numbers
        for other in followers[node]:
            rows[other] = max(rows[other], rows[node] + 1)
            is_fed[other] = True
    for node in reversed(range(num_entering, num_nodes)):
        # What depends on no input stands beside what reads it.
        if not is_fed[node] and followers[node]:
            rows[node] = max(1, min(rows[other] for other in followers[node]) - 1)
    last = max(rows, default=0)
    if num_leaving:
        last = max([rows[node] for node in range(num_nodes - num_leaving)], default=0) + 1
    for node in range(num_nodes - num_leaving, num_nodes):
        rows[node] = last
    return rows


def _shortcuts(
    num_nodes: int, followers: list[list[int]], wires: Sequence[Wire]
) -> tuple[bool, ...]:
    reached = [0] * num_nodes  # as bits
    for node in reversed(range(num_nodes)):
        for other in followers[node]:
            reached[node] |= reached[other] | 1 << other
    return tuple(
        any(reached[other] >> wire.target & 1 for other in followers[wire.source]) for wire in wires
    )


class _Track:
    """One column of cells."""

    def __init__(self, *, is_lane: bool) -> None:
        self.is_lane = is_lane
        self.busy: set[int] = set()


class _Tracks:
    """Gives chains of nodes a track each, the longest in the middle, and lanes beside them."""

    def __init__(self, rows: list[int], followers: list[list[int]]) -> None:
        self._rows = rows
        self._followers = followers
        self.tracks: list[_Track] = []
        self.of_node: list[_Track] = [_Track(is_lane=False)] * len(rows)
        self._middle = _Track(is_lane=False)
        self.tracks.append(self._middle)
        self._lane_of: dict[tuple[int, int], _Track] = {}
        self._wanted: dict[tuple[int, int], list[int]] = {}
        for number, chain in enumerate(self._chains()):
            self._add_chain(chain, to_the_right=number % 2 == 1)

    def _chains(self) -> list[list[int]]:
        """Divides the nodes into paths, each the longest of what is left."""
        left = set(range(len(self._rows)))
        chains = []
        while left:
            length: dict[int, int] = {}
            following: dict[int, int | None] = {}
            for node in sorted(left, reverse=True):
                best = max(
                    (other for other in self._followers[node] if other in left),
                    key=lambda other: (length[other], -other),
                    default=None,
                )
                length[node] = 1 + (0 if best is None else length[best])
                following[node] = best
            at: int | None = max(left, key=lambda node: (length[node], -node))
            chain = []
            while at is not None:
                chain.append(at)
                at = following[at]
            left.difference_update(chain)
            chains.append(chain)
        return chains

    def _add_chain(self, chain: list[int], *, to_the_right: bool) -> None:
        first, last = self._rows[chain[0]], self._rows[chain[-1]]
        needed = set(range(first, last + 1))
        tail = [
            self._rows[other]
            for other in self._followers[chain[-1]]
            if self._rows[other] > last + 1
        ]
        with_tail = needed | set(range(last + 1, max(tail, default=last)))
        sides = self.tracks if to_the_right else self.tracks[::-1]
        middle = sides.index(self._middle)
        free = (track for track in sides[middle:] if not track.busy & with_tail)
        chosen = next(free, None)
        if chosen is None:
            chosen = _Track(is_lane=False)
            self.tracks.insert(len(self.tracks) if to_the_right else 0, chosen)
        chosen.busy |= with_tail if not chosen.busy & with_tail else needed
        for node in chain:
            self.of_node[node] = chosen
        # Where the chain passes by a row, and where it ends, its own track is the lane.
        for node in chain:
            targets = [
                other for other in self._followers[node] if self._rows[other] > self._rows[node] + 1
            ]
            after = chain.index(node) + 1
            if after < len(chain) and chain[after] in targets:
                self._lane_of[node, chain[after]] = chosen
            if node == chain[-1]:
                for other in targets:
                    self._lane_of[node, other] = chosen

    def add_lane(self, wire: Wire) -> None:
        """Notes that a wire passes by rows in which its own track is busy."""
        is_long = self._rows[wire.target] > self._rows[wire.source] + 1
        if is_long and (wire.source, wire.target) not in self._lane_of:
            self._wanted.setdefault((wire.source, wire.source_port), []).append(wire.target)

    def lanes(self, wires: Sequence[Wire]) -> list[_Track | None]:
        """Returns the lane of each wire; wires of one value share theirs."""
        shared: dict[tuple[int, int], _Track] = {}

        def length(key: tuple[int, int]) -> tuple[int, int]:
            last = max(self._rows[target] for target in self._wanted[key])
            return last - self._rows[key[0]], -key[0]

        for key in sorted(self._wanted, key=length):
            shared[key] = self._lane(key[0], self._wanted[key])
        found: list[_Track | None] = []
        for wire in wires:
            if self._rows[wire.target] <= self._rows[wire.source] + 1:
                found.append(None)
            else:
                own = self._lane_of.get((wire.source, wire.target))
                found.append(own or shared[wire.source, wire.source_port])
        return found

    def _lane(self, source: int, targets: list[int]) -> _Track:
        last = max(self._rows[target] for target in targets)
        needed = set(range(self._rows[source] + 1, last))
        index = self.tracks.index(self.of_node[source])
        ends = [self.tracks.index(self.of_node[target]) for target in targets]
        step = -1 if max(ends) < index else 1
        at = index + step
        while 0 <= at < len(self.tracks) and self.tracks[at].is_lane:
            if not self.tracks[at].busy & needed:
                break
            at += step
        else:
            at = at if step == 1 else at + 1
            self.tracks.insert(at, _Track(is_lane=True))
        lane = self.tracks[at]
        lane.busy |= needed
        return lane

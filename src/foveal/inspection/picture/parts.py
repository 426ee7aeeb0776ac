"""The parts of a network as a tree: boxes of one layer, and groups that open.

A box is a layer with the normalisation and the activation that act on its result alone. A
group is a module; a run of parts of equal structure, shapes and wiring is one part that stands
for all of them. Where a module has too many parts for one look, neighbours are gathered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from foveal.graph.graph import Source
from foveal.inspection.blocks import FOLLOWERS, Line, structure_of
from foveal.inspection.inspection import Inspection
from foveal.inspection.stages import segments_below

MOST_AT_THE_TOP = 13
MOST_IN_A_GROUP = 24
_LONGEST_PERIOD = 4


@dataclass(frozen=True, slots=True)
class Part:
    """One box or group; it stands for consecutive operations.

    Attributes:
        name: Path of the module, or name of the operation.
        first: Index of its first operation.
        last: Index of the last operation of its last copy.
        copies: How many equal parts it stands for; ``parts`` and ``line`` are of the first.
        line: The layer, for a box.
        parts: What is inside, for a group.
    """

    name: str
    first: int
    last: int
    copies: int = 1
    line: Line | None = None
    parts: tuple[Part, ...] = ()

    @property
    def size(self) -> int:
        """Operations in one copy."""
        return (self.last - self.first + 1) // self.copies

    @property
    def is_box(self) -> bool:
        """Whether there is nothing to open."""
        return self.line is not None

    def in_first_copy(self, index: int) -> int:
        """Returns the operation of the first copy that stands for operation ``index``."""
        return self.first + (index - self.first) % self.size


def fold_parts(table: Inspection) -> tuple[Part, ...]:
    """Returns the parts of the whole network in order; together they hold every operation."""
    if not table.ops:
        return ()
    return _Folder(table).parts()


class _Folder:
    """What folding needs to know of every operation, found once."""

    def __init__(self, table: Inspection) -> None:
        self._rows = table.ops
        self._ops = [row.op for row in table.ops]
        self._consumers: list[set[int]] = [set() for _ in self._ops]
        for op in self._ops:
            for source in op.inputs:
                if source.kind == "op":
                    self._consumers[source.index].add(op.index)
        for output in table.outputs:  # the caller reads it too
            if output.source is not None and output.source.kind == "op":
                self._consumers[output.source.index].add(len(self._ops))
        known: dict[tuple[object, ...], int] = {}
        self._structure = [
            known.setdefault((*structure_of(row), row.activation_bytes), len(known))
            for row in table.ops
        ]
        self._stage_ends = {stage.last for stage in table.stages}
        self._crossing = self._count_crossing()

    def parts(self) -> tuple[Part, ...]:
        parts = self._inside("", 0, len(self._ops) - 1)
        while len(parts) == 1 and parts[0].parts and parts[0].copies == 1:
            parts = parts[0].parts
        return self._gathered(parts, MOST_AT_THE_TOP)

    def _inside(self, path: str, first: int, last: int) -> tuple[Part, ...]:
        """Returns the parts of the module at ``path``, joined and folded."""
        found: list[Part] = []
        for segment in segments_below(self._ops, first, last, path):
            if segment.is_module:
                inner = self._inside(segment.path, segment.first, segment.last)
                if len(inner) == 1:
                    is_layer = inner[0].is_box and inner[0].copies == 1
                    part = replace(inner[0], name=segment.path) if is_layer else inner[0]
                else:
                    inner = self._gathered(inner, MOST_IN_A_GROUP)
                    part = Part(segment.path, segment.first, segment.last, parts=inner)
            else:
                row = self._rows[segment.first]
                line = Line(segment.path, (row,), (row,))
                part = Part(segment.path, segment.first, segment.last, line=line)
            joined = self._join(found[-1], part) if found else None
            if joined is None:
                found.append(part)
            else:
                found[-1] = joined
        return self._fold(found)

    def _join(self, before: Part, part: Part) -> Part | None:
        """Joins an activation to its layer, if nothing else reads what is between them."""
        if before.line is None or part.line is None or before.copies > 1 or part.copies > 1:
            return None
        follows = part.line.main
        sources = [source for source in follows.op.inputs if source.kind != "weights"]
        if (
            follows.kind not in FOLLOWERS
            or [source.index for source in sources if source.kind == "op"] != [before.last]
            or len(sources) != 1
            or self._consumers[before.last] != {part.first}
        ):
            return None
        rows = (*before.line.rows, *part.line.rows)
        line = Line(before.line.name, rows, rows)
        return Part(before.name, before.first, part.last, line=line)

    def _fold(self, parts: Sequence[Part]) -> tuple[Part, ...]:
        """Makes runs of equal parts one; also runs of two to four that alternate."""
        folded: list[Part] = []
        index = 0
        while index < len(parts):
            best = (1, 1)
            for period in range(1, _LONGEST_PERIOD + 1):
                copies = self._num_copies(parts, index, period)
                if copies > 1 and copies * period > best[0] * best[1]:
                    best = (period, copies)
            period, copies = best
            run = parts[index : index + period * copies]
            folded.append(self._as_one(run, period, copies) if copies > 1 else run[0])
            index += period * copies
        return tuple(folded)

    def _as_one(self, run: Sequence[Part], period: int, copies: int) -> Part:
        first, last = run[0].first, run[-1].last
        if period == 1:
            if run[0].line is not None and run[-1].line is not None:
                line = replace(run[0].line, last_copy=run[-1].line.rows)
                return replace(run[0], last=last, copies=copies, line=line)
            if run[0].copies == 1:
                return replace(run[0], last=last, copies=copies)
        name = span_name(run[0].name, run[period - 1].name)
        return Part(name, first, last, copies, parts=tuple(run[:period]))

    def _num_copies(self, parts: Sequence[Part], index: int, period: int) -> int:
        """Returns how many equal runs of ``period`` parts begin at ``index``."""
        if index + 2 * period > len(parts):
            return 1
        first, last = parts[index].first, parts[index + period - 1].last
        size = last - first + 1
        copies = 1
        kind: str | None = None
        while index + (copies + 1) * period <= len(parts):
            begin = parts[index + copies * period].first
            end = parts[index + (copies + 1) * period - 1].last
            if end - begin + 1 != size or begin != first + copies * size:
                break
            if not self._is_equal(begin - size, begin, size, is_first_pair=copies == 1):
                break
            how = self._how_linked(begin - size, begin, size)
            # What is read from inside the last copy alone would seem to come from all.
            is_tapped = not self._leaving(begin, size) <= self._leaving(begin - size, size)
            if how is None or is_tapped or (kind is not None and how != kind):
                break
            kind = how
            copies += 1
        return copies

    def _is_equal(self, one: int, two: int, size: int, *, is_first_pair: bool) -> bool:
        """Whether two runs of operations are equal and wired alike."""
        if self._structure[one : one + size] != self._structure[two : two + size]:
            return False
        outside: dict[Source, Source] = {}
        for step in range(size):
            pairs = zip(self._ops[one + step].inputs, self._ops[two + step].inputs, strict=True)
            for a, b in pairs:
                if (a.kind == "weights") != (b.kind == "weights"):
                    return False
                if a.kind == "weights" or a == b:
                    continue
                is_shifted = (
                    (a.kind, a.output) == (b.kind, b.output)
                    and a.kind == "op"
                    and b.index - a.index == size
                )
                if is_shifted and a.index >= one:
                    continue
                a_inside = a.kind == "op" and a.index >= one
                b_inside = b.kind == "op" and b.index >= two
                if a_inside or b_inside:
                    return False
                # The first copy may be fed by anything; the others by the one before.
                enters = is_first_pair and b.kind == "op" and one <= b.index < two
                if not (is_shifted or enters) or outside.setdefault(a, b) != b:
                    return False
        return len(set(outside.values())) == len(outside)

    def _how_linked(self, one: int, two: int, size: int) -> str | None:
        """Returns ``chain``, ``parallel``, or None where a copy is read from elsewhere too."""
        readers = self._readers(one, size)
        if all(two <= index < two + size for index in readers):
            return "chain" if readers else "parallel"
        after = {index for index in readers if index >= two + size}
        return "parallel" if readers == after == self._readers(two, size) else None

    def _leaving(self, first: int, size: int) -> set[int]:
        """Returns which of ``size`` operations are read from outside, counted from the first."""
        inside = range(first, first + size)
        return {
            index - first
            for index in inside
            if any(r not in inside for r in self._consumers[index])
        }

    def _readers(self, first: int, size: int) -> set[int]:
        """Returns who reads, from outside, what ``size`` operations make."""
        inside = range(first, first + size)
        return {
            reader for index in inside for reader in self._consumers[index] if reader not in inside
        }

    def _gathered(self, parts: tuple[Part, ...], most: int) -> tuple[Part, ...]:
        """Gathers neighbours into groups, so that at most ``most`` are seen at once."""
        if len(parts) <= most:
            return parts
        runs: list[list[Part]] = [[]]
        for part in parts:  # by resolution first, as papers divide networks
            runs[-1].append(part)
            if part.last in self._stage_ends:
                runs.append([])
        runs = [run for run in runs if run]
        if not 1 < len(runs) <= most:
            runs = self._chunks(parts, most)
        return tuple(self._gather(run) for run in runs)

    def _gather(self, run: list[Part]) -> Part:
        if len(run) == 1:
            return run[0]
        inner = self._gathered(tuple(run), MOST_IN_A_GROUP)
        return Part(span_name(run[0].name, run[-1].name), run[0].first, run[-1].last, parts=inner)

    def _chunks(self, parts: tuple[Part, ...], most: int) -> list[list[Part]]:
        """Divides where the fewest values cross."""
        length = max(2, -(-len(parts) // max(2, most // 2)))
        runs: list[list[Part]] = []
        start = 0
        while start < len(parts):
            low, high = start + max(1, 3 * length // 4), start + length
            if high >= len(parts):
                runs.append(list(parts[start:]))
                break
            end = min(
                range(low, high + 1), key=lambda at: (self._crossing[parts[at - 1].last], -at)
            )
            runs.append(list(parts[start:end]))
            start = end
        return runs

    def _count_crossing(self) -> list[int]:
        """Returns how many values are still needed after each operation."""
        change = [0] * (len(self._ops) + 2)
        for index, readers in enumerate(self._consumers):
            if readers:
                change[index] += 1
                change[max(readers)] -= 1
        counts, alive = [], 0
        for step in change[: len(self._ops)]:
            alive += step
            counts.append(alive)
        return counts


def span_name(first: str, last: str) -> str:
    """Returns one name for neighbours, what they share of their paths written once.

    >>> span_name("layer1.0", "layer1.2"), span_name("stem", "pool"), span_name("a", "a")
    ('layer1.0–2', 'stem–pool', 'a')
    """
    if first == last:
        return first
    stem, _, tail = first.rpartition(".")
    other_stem, _, other_tail = last.rpartition(".")
    if stem == other_stem:
        return f"{stem}.{tail}–{other_tail}" if stem else f"{tail}–{other_tail}"
    return f"{first}–{last}"

"""Folding a table of operations to the blocks a reader thinks in.

A line is a layer with what acts on its result alone (normalisation, activation). Lines are
gathered in blocks, the smallest modules that are chained one after the other (a residual
block, an inception block), and equal neighbours become one block with a count.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from foveal.graph.quantity import Quantity, total
from foveal.graph.vocabulary import words
from foveal.inspection.inspection import Inspection, OpRow
from foveal.inspection.stages import Segment, segments_below

FOLLOWERS = words(
    "batch_norm layer_norm group_norm instance_norm norm activation dropout copy softmax "
    "flatten permute reshape"
)


@dataclass(frozen=True, slots=True)
class Line:
    """A layer and what acts on its result alone.

    Attributes:
        name: Of the first operation, without the block's path.
        rows: The first operation and its followers.
        last_copy: The same rows in the last of the folded blocks.
    """

    name: str
    rows: tuple[OpRow, ...]
    last_copy: tuple[OpRow, ...]

    @property
    def main(self) -> OpRow:
        """The row that the line is about."""
        return self.rows[0]

    @property
    def parameters(self) -> int:
        """Sum over the rows of one copy."""
        return sum(row.parameters for row in self.rows)

    @property
    def macs(self) -> Quantity[int]:
        """Sum over the rows of one copy."""
        return total(row.macs for row in self.rows)

    @property
    def activation_bytes(self) -> int:
        """Sum over the rows of one copy."""
        return sum(row.activation_bytes for row in self.rows)


@dataclass(frozen=True, slots=True)
class Block:
    """Lines that belong together.

    Attributes:
        names: Paths of the modules that are folded into one; empty for loose lines.
        lines: Of one copy.
    """

    names: tuple[str, ...]
    lines: tuple[Line, ...]

    @property
    def count(self) -> int:
        """How many equal blocks it stands for."""
        return max(1, len(self.names))


def fold_blocks(table: Inspection, first: int = 0, last: int | None = None) -> tuple[Block, ...]:
    """Returns the blocks of operations ``first`` to ``last``, equal neighbours folded."""
    if not table.ops:
        return ()
    end = len(table.ops) - 1 if last is None else last
    ops = [row.op for row in table.ops]
    parts = [
        part for segment in segments_below(ops, first, end, "") for part in _blocks(table, segment)
    ]
    blocks: list[Block] = []
    index = 0
    while index < len(parts):
        segment = parts[index]
        copies = [segment]
        if segment.is_module:
            wanted = _signature(table, segment)
            while index + len(copies) < len(parts):
                following = parts[index + len(copies)]
                if not following.is_module or _signature(table, following) != wanted:
                    break
                copies.append(following)
        index += len(copies)
        blocks.append(_block(table, copies))
    return tuple(_join_loose(blocks))


def _blocks(table: Inspection, segment: Segment) -> Iterator[Segment]:
    """Opens up a module that is a chain of larger modules."""
    if not segment.is_module:
        yield segment
        return
    ops = [row.op for row in table.ops]
    parts = segments_below(ops, segment.first, segment.last, segment.path)
    if len(parts) == 1 and parts[0].is_module:
        inner = tuple(_blocks(table, parts[0]))
        if len(inner) > 1:
            yield from inner
        else:
            yield segment
        return
    large = [part for part in parts if _num_lines(table, part) > 1]
    if len(large) > 1 and _is_chain(table, large):
        for part in parts:
            yield from _blocks(table, part)
    else:
        yield segment


def _is_chain(table: Inspection, parts: list[Segment]) -> bool:
    """Whether each of the parts reads what the one before it made (branches do not)."""
    for before, after in pairwise(parts):
        reads = {
            source.index
            for row in table.ops[after.first : after.last + 1]
            for source in row.op.inputs
            if source.kind == "op"
        }
        if not any(before.first <= index < after.first for index in reads):
            return False
    return True


def _num_lines(table: Inspection, segment: Segment) -> int:
    return len(_lines(table, segment))


def _lines(table: Inspection, segment: Segment) -> list[list[OpRow]]:
    lines: list[list[OpRow]] = []
    for row in table.ops[segment.first : segment.last + 1]:
        before = lines[-1][-1] if lines else None
        sources = row.op.inputs
        follows = (
            before is not None
            and row.kind in FOLLOWERS
            and len(sources) == 1
            and sources[0].kind == "op"
            and sources[0].index == before.op.index
        )
        if follows:
            lines[-1].append(row)
        else:
            lines.append([row])
    return lines


def _signature(table: Inspection, segment: Segment) -> tuple[object, ...]:
    skip = len(segment.path)
    return tuple(
        (
            row.name[skip:] if row.name.startswith(segment.path) else row.name,
            *structure_of(row),
        )
        for row in table.ops[segment.first : segment.last + 1]
    )


def structure_of(row: OpRow) -> tuple[object, ...]:
    """Returns all that two equal operations have in common: settings, shapes and counts."""
    return (
        row.kind,
        row.op.function,
        tuple(sorted((key, str(value)) for key, value in row.op.attributes.items())),
        row.op.input_shapes,
        row.op.output_shapes,
        row.trainable_parameters,
        row.frozen_parameters,
        row.macs,
    )


def _block(table: Inspection, copies: list[Segment]) -> Block:
    first, last = _lines(table, copies[0]), _lines(table, copies[-1])
    # A module of one line needs no header of its own.
    path = copies[0].path if copies[0].is_module and (len(first) > 1 or len(copies) > 1) else ""
    lines = tuple(
        Line(_relative(rows[0].name, path), tuple(rows), tuple(copy))
        for rows, copy in zip(first, last, strict=True)
    )
    return Block(tuple(copy.path for copy in copies) if path else (), lines)


def _relative(name: str, path: str) -> str:
    if path and name.startswith(path + "."):
        return name[len(path) + 1 :]
    return name


def _join_loose(blocks: list[Block]) -> Iterator[Block]:
    """Joins loose lines, so that an activation follows its layer also across modules."""
    waiting: list[Line] = []
    for block in blocks:
        if block.names:
            if waiting:
                yield Block((), tuple(waiting))
                waiting = []
            yield block
            continue
        for line in block.lines:
            row = line.main
            before = waiting[-1].rows[-1] if waiting else None
            sources = row.op.inputs
            if (
                before is not None
                and row.kind in FOLLOWERS
                and len(sources) == 1
                and sources[0].kind == "op"
                and sources[0].index == before.op.index
            ):
                rows = (*waiting[-1].rows, *line.rows)
                waiting[-1] = Line(waiting[-1].name, rows, rows)
            else:
                waiting.append(line)
    if waiting:
        yield Block((), tuple(waiting))

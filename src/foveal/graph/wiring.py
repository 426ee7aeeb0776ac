"""Walking a graph: who feeds an operation and who reads it."""

from __future__ import annotations

from collections.abc import Collection
from typing import cast

from foveal.graph.graph import Graph, Kind, Op

# What leaves every number as it is, or only moves it; dropout does so in evaluation mode.
SAME_NUMBERS: frozenset[Kind] = frozenset({"copy", "dropout", "reshape", "flatten", "permute"})
WEIGHTED: frozenset[Kind] = frozenset({"conv", "conv_transpose", "linear"})


def producer(graph: Graph, op: Op, position: int = 0) -> Op | None:
    """Returns the operation that makes an input of ``op``; None for the network's own input."""
    if position >= len(op.inputs) or op.inputs[position].kind != "op":
        return None
    return graph.ops[op.inputs[position].index]


def producer_through(graph: Graph, op: Op, kinds: Collection[Kind]) -> Op | None:
    """Returns the first operation before ``op`` that is none of ``kinds``."""
    before = producer(graph, op)
    while before is not None and before.kind in kinds:
        before = producer(graph, before)
    return before


def sole_consumer(graph: Graph, op: Op) -> Op | None:
    """Returns the one operation that reads ``op``; None if several do or it is an output."""
    readers = graph.consumers[op.index]
    if len(readers) != 1 or is_output(graph, op):
        return None
    return graph.ops[readers[0]]


def is_output(graph: Graph, op: Op) -> bool:
    """Whether the network returns a result of ``op``."""
    return any(
        output.source is not None and output.source.kind == "op" and output.source.index == op.index
        for output in graph.outputs
    )


def output_op(graph: Graph, *, through: Collection[Kind] = ()) -> Op | None:
    """Returns the operation behind the first output, looking back through ``through``."""
    source = graph.outputs[0].source if graph.outputs else None
    if source is None or source.kind != "op":
        return None
    op = graph.ops[source.index]
    return producer_through(graph, op, through) if op.kind in through else op


def sizes(op: Op, name: str) -> tuple[int, ...]:
    """Returns an attribute that has one number for each axis, such as ``"kernel"``."""
    return cast(tuple[int, ...], op.attributes[name])


def number(op: Op, name: str) -> int:
    """Returns an attribute that is one whole number, such as ``"groups"``."""
    return cast(int, op.attributes[name])


def paddings(op: Op) -> tuple[tuple[int, int], ...]:
    """Returns the padding before and after each axis."""
    return cast(tuple[tuple[int, int], ...], op.attributes["padding"])


def channels(op: Op) -> tuple[int, int]:
    """Returns what a convolution or linear layer reads and gives."""
    if op.kind == "linear":
        return number(op, "in_features"), number(op, "out_features")
    return number(op, "in_channels"), number(op, "out_channels")


def groups(op: Op) -> int:
    """Returns the groups of a convolution, 1 for a linear layer."""
    return 1 if op.kind == "linear" else number(op, "groups")


def is_depthwise(op: Op) -> bool:
    """Whether each output channel of a convolution reads a single input channel."""
    return op.kind == "conv" and number(op, "groups") == number(op, "in_channels") > 1


def is_spatial(op: Op) -> bool:
    """Whether a convolution reads more than one position."""
    return op.kind in {"conv", "conv_transpose"} and max(sizes(op, "kernel")) > 1


def dimensions(values: Collection[int]) -> str:
    """Returns sizes as people write them.

    >>> dimensions((7, 7))
    '7×7'
    """
    return "×".join(str(value) for value in values)

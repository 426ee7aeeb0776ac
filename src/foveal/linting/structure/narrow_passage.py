"""S124 and S125: softmax between layers, and passages of a single number."""

from __future__ import annotations

from math import prod

from foveal.graph import Graph, Op, cut_points
from foveal.graph.wiring import SAME_NUMBERS, WEIGHTED
from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, NotApplicable, Outcome
from foveal.linting.rule import Rule


def check_softmax(context: LintContext) -> Outcome:
    """Finds softmax over channels whose result is read by a convolution or linear layer.

    Attention and mixtures multiply with it instead, and a softmax over places is no
    activation; neither is a reading of bins by frozen weights (Li et al. 2020).
    """
    graph = context.graph
    found = []
    for op in graph.ops:
        dim = op.attributes.get("dim")
        if op.kind != "softmax" or dim not in {1, None, 1 - len(op.output_shape)}:
            continue
        if len(op.output_shape) not in {2, 4} or prod(op.output_shape[1:]) == 1:
            continue
        reader = _weighted_reader(graph, op)
        if reader is None or not _may_train(context, reader):
            continue
        found.append(
            Finding(
                "S124",
                "warning",
                op.name,
                f"{op.name} is a softmax over {op.output_shape[1]} channels in the middle of the "
                f"network, read by {reader.name}: the channels add to 1, so one can only speak "
                "where the others are silent, and gradients shrink.",
                "Use ReLU between layers; softmax belongs to the loss.",
                data={"reader": reader.name},
            )
        )
    if not any(op.kind == "softmax" for op in graph.ops):
        return NotApplicable("there is no softmax")
    return Checked(tuple(found))


def _weighted_reader(graph: Graph, op: Op) -> Op | None:
    waiting = list(graph.consumers[op.index])
    while waiting:
        reader = graph.ops[waiting.pop()]
        if reader.kind in WEIGHTED:
            return reader
        if reader.kind in SAME_NUMBERS - {"permute", "reshape"} or reader.kind in {
            "max_pool",
            "avg_pool",
            "batch_norm",
        }:
            waiting += graph.consumers[reader.index]
    return None


def _may_train(context: LintContext, op: Op) -> bool:
    return any(context.parameters[name].requires_grad for name in op.parameters)


def check_passage(context: LintContext) -> Outcome:
    """Finds a place where all that is known of an image is one number, before several answers."""
    graph = context.graph
    outputs = [prod(output.shape[1:]) for output in graph.outputs]
    if not outputs or max(outputs) <= 2:
        return NotApplicable("the network gives no more than two numbers")
    narrow = [point for point in cut_points(graph) if prod(point.shape[1:]) == 1]
    if not narrow:
        return Checked()
    return Checked(
        (
            Finding(
                "S125",
                "warning",
                narrow[0].name,
                f"At {narrow[0].name} all that is known of an image is a single number, from which "
                f"{max(outputs):,} outputs are made.",
                "Give that layer more channels or units.",
                data={"outputs": max(outputs)},
            ),
        )
    )


SOFTMAX = Rule("S124", "softmax between layers", "warning", check_softmax, (19,))
PASSAGE = Rule("S125", "a passage of a single number", "warning", check_passage, (17,))

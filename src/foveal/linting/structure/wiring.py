"""Results that nobody reads, and passages that let little through: S118, S124, S125."""

from __future__ import annotations

from math import prod

from foveal.graph import Graph, Op, cut_points
from foveal.graph.wiring import SAME_NUMBERS, WEIGHTED
from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, NotApplicable, Outcome


def unread_layer(context: LintContext) -> Outcome:
    """Finds weighted layers from which no path leads to anything that the network returns."""
    graph = context.graph
    if not any(op.kind in WEIGHTED for op in graph.ops):
        return NotApplicable("there is no convolution and no linear layer")
    if not any(output.source is not None for output in graph.outputs):
        return NotApplicable("what the network returns depends on no operation")
    unread = unread_layers(graph)
    total = len({op.module_path for op in graph.ops if op.kind in WEIGHTED})
    return Checked(
        tuple(
            Finding(
                "S118",
                "warning",
                path,
                f"{path} is computed and nothing that the network returns depends on it"
                + (
                    f" (so it is with {len(unread)} of {total} layers)." if len(unread) > 1 else "."
                ),
                "Use its result in forward (was an older variable passed on?), or remove it.",
                data={"num_unread": len(unread)},
            )
            for path in unread[:1]
        )
    )


def unread_layers(graph: Graph) -> list[str]:
    """Returns the paths of weighted layers whose every result is read by nobody, in order."""
    read: set[int] = set()
    waiting = [
        output.source.index
        for output in graph.outputs
        if output.source is not None and output.source.kind == "op"
    ]
    if not waiting:
        return []
    while waiting:
        index = waiting.pop()
        if index not in read:
            read.add(index)
            waiting += [s.index for s in graph.ops[index].inputs if s.kind == "op"]
    weighted = [op for op in graph.ops if op.kind in WEIGHTED and op.parameters]
    used = {op.module_path for op in weighted if op.index in read}
    return list(dict.fromkeys(op.module_path for op in weighted if op.module_path not in used))


def softmax_between_layers(context: LintContext) -> Outcome:
    """Finds softmax over channels whose result is read by a convolution or linear layer.

    Attention and mixtures multiply with it instead, and a softmax over positions is no
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
                f"network, read by {reader.name}: the channels add to 1, so one can be large "
                "only where the others are small, and gradients shrink.",
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


def narrow_passage(context: LintContext) -> Outcome:
    """Finds an operation that leaves one number of an image, before several answers."""
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

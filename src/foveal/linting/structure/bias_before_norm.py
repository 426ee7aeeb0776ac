"""S101: a bias that the following normalisation takes away."""

from __future__ import annotations

from torch import nn

from foveal.graph import Graph, Op
from foveal.graph.wiring import WEIGHTED, channels, sole_consumer
from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, NotApplicable, Outcome
from foveal.linting.rule import Rule


def check(context: LintContext) -> Outcome:
    """Finds convolutions and linear layers with a bias that only a normalisation reads.

    Batch norm, instance norm and group norm with one channel a group subtract a mean of
    each channel, and the bias with it. Layer norm and wider groups subtract a mean over
    several channels, which leaves the bias's differences: there it counts.
    """
    graph = context.graph
    norms = [op for op in graph.ops if _centres_each_channel(op)]
    if not norms:
        return NotApplicable("no normalisation here subtracts a mean of each channel")
    found = []
    for op in graph.ops:
        norm = sole_consumer(graph, op)
        if op.kind not in WEIGHTED or norm is None or not _centres_each_channel(norm):
            continue
        bias = _own_bias(graph, context, op)
        if bias is None or norm.input_shapes[0] != op.output_shape:
            continue
        found.append(
            Finding(
                "S101",
                "info",
                op.name,
                f"{op.name} adds a bias of {channels(op)[1]:,} numbers that {norm.name} "
                f"({norm.function}) subtracts again with the mean of each channel.",
                "Build the layer with bias=False; what the bias did, the shift of the "
                "normalisation does.",
                fix_id="drop-bias" if _is_own_batch_norm(context, norm) else None,
                data={
                    "parameters": channels(op)[1],
                    "normalisation": norm.name,
                    "norm_module": norm.module_path,
                    "bias": bias,
                },
            )
        )
    return Checked(tuple(found))


def _centres_each_channel(op: Op) -> bool:
    if op.kind == "group_norm":
        shape = op.input_shapes[0]
        return len(shape) > 1 and op.attributes["num_groups"] == shape[1]
    return op.kind in {"batch_norm", "instance_norm"}


def _is_own_batch_norm(context: LintContext, norm: Op) -> bool:
    """Whether it is a batch norm module that no other operation uses."""
    users = [op for op in context.graph.ops if op.module_path == norm.module_path]
    return isinstance(context.module_of(norm), nn.modules.batchnorm._BatchNorm) and (
        sum(op.kind == "batch_norm" for op in users) == 1
    )


def _own_bias(graph: Graph, context: LintContext, op: Op) -> str | None:
    """Returns the name of the layer's bias, if it is a plain parameter of this layer alone."""
    name = f"{op.module_path}.bias".lstrip(".")
    if not op.attributes["bias"] or name not in op.parameters or name not in context.parameters:
        return None
    return None if graph.parameter(name).is_shared else name


RULE = Rule("S101", "bias before a normalisation", "info", check, (11,))

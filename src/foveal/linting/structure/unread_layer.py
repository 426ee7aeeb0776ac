"""S118: a layer that is computed and whose result nobody reads."""

from __future__ import annotations

from foveal.graph import Graph
from foveal.graph.wiring import WEIGHTED
from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, NotApplicable, Outcome
from foveal.linting.rule import Rule


def check(context: LintContext) -> Outcome:
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


RULE = Rule("S118", "layer whose result nobody reads", "warning", check, (2,))

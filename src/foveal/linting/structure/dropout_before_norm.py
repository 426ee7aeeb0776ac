"""S112: dropout in front of a batch norm."""

from __future__ import annotations

from foveal.graph import Graph, Kind, Op
from foveal.graph.wiring import WEIGHTED
from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, NotApplicable, Outcome
from foveal.linting.rule import Rule

# Adding or concatenating dilutes the shift, so the walk ends there.
_CARRIES: frozenset[Kind] = WEIGHTED | {
    "activation",
    "copy",
    "reshape",
    "flatten",
    "permute",
    "pad",
    "max_pool",
    "avg_pool",
    "adaptive_pool",
    "global_pool",
}


def check(context: LintContext) -> Outcome:
    """Finds batch norms that learn their variance with dropout on and use it with dropout off.

    Li et al. 2018 ("Understanding the Disharmony between Dropout and Batch Normalization by
    Variance Shift").
    """
    graph = context.graph
    if not any(op.kind == "batch_norm" for op in graph.ops):
        return NotApplicable("there is no batch norm")
    dropouts = [op for op in graph.ops if op.kind == "dropout" and _probability(op) > 0]
    if not dropouts:
        return NotApplicable("no dropout here has a probability above 0")
    found = []
    for op in dropouts:
        norm = _next_norm(graph, op)
        if norm is None:
            continue
        ratio = 1 / (1 - _probability(op)) if _probability(op) < 1 else float("inf")
        found.append(
            Finding(
                "S112",
                "warning",
                op.name,
                f"{op.name} (p = {_probability(op):g}) stands before {norm.name}: what it lets "
                f"through has {ratio:.2f} times the mean square in training that it has "
                "afterwards, and the running variance is learned from the former.",
                "Move dropout behind the last batch norm, just before the classifier.",
                data={"p": _probability(op), "ratio": ratio, "batch_norm": norm.name},
            )
        )
    return Checked(tuple(found))


def _probability(op: Op) -> float:
    p = op.attributes["p"]
    return float(p) if isinstance(p, int | float) else 0.0


def _next_norm(graph: Graph, op: Op) -> Op | None:
    waiting = list(graph.consumers[op.index])
    while waiting:
        reader = graph.ops[waiting.pop(0)]
        if reader.kind == "batch_norm":
            return reader
        if reader.kind in _CARRIES:
            waiting += graph.consumers[reader.index]
    return None


RULE = Rule("S112", "dropout before batch norm", "warning", check, (27,))

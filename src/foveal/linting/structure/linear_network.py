"""S121: a network of several layers without any nonlinearity."""

from __future__ import annotations

from foveal.graph import Kind
from foveal.graph.wiring import SAME_NUMBERS, WEIGHTED
from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, NotApplicable, Outcome
from foveal.linting.rule import Rule

# Batch norm is linear once its statistics are given; so is all that only moves numbers.
_LINEAR: frozenset[Kind] = frozenset(
    SAME_NUMBERS
    | WEIGHTED
    | {
        "batch_norm",
        "avg_pool",
        "global_pool",
        "add",
        "sub",
        "concat",
        "stack",
        "split",
        "slice",
        "expand",
        "roll",
        "pad",
        "interpolate",
        "pixel_shuffle",
        "unfold",
    }
)


def check(context: LintContext) -> Outcome:
    """Looks for anything that is not linear between the first and the last weighted layer."""
    graph = context.graph
    weighted = [op.index for op in graph.ops if op.kind in WEIGHTED]
    if len(weighted) < 2:
        return NotApplicable("there are not two weighted layers")
    between = graph.ops[weighted[0] : weighted[-1] + 1]
    if any(op.kind not in _LINEAR and not _is_average(op.kind, op.function) for op in between):
        return Checked()
    first, last = graph.ops[weighted[0]].name, graph.ops[weighted[-1]].name
    return Checked(
        (
            Finding(
                "S121",
                "warning",
                first,
                f"From {first} to {last} stand {len(weighted)} weighted layers and nothing that is "
                "not linear: together they are one linear map, and deeper is not stronger.",
                "Put an activation (ReLU) behind each layer but the last.",
                data={"num_layers": len(weighted)},
            ),
        )
    )


def _is_average(kind: Kind, function: str) -> bool:
    return kind in {"adaptive_pool", "reduce"} and function in {"avg", "mean", "sum"}


RULE = Rule("S121", "layers without any nonlinearity", "warning", check, (7,))

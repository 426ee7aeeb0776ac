"""S109: a deep stack without any shortcut."""

from __future__ import annotations

from foveal.graph.wiring import WEIGHTED, is_depthwise
from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, NotApplicable, Outcome
from foveal.linting.rule import Rule

# He et al. 2015: 18 plain layers train as well as 18 residual ones, 34 do worse.
INFO_LAYERS = 20
WARNING_LAYERS = 30
_JOINS = frozenset({"add", "concat", "stack"})


def check(context: LintContext) -> Outcome:
    """Finds long runs of weighted layers between which nothing is added or concatenated.

    He et al. 2015 ("Deep Residual Learning for Image Recognition"), figure 4. A depthwise
    convolution and its pointwise one count as one layer.
    """
    graph = context.graph
    if not any(op.kind in WEIGHTED for op in graph.ops):
        return NotApplicable("there is no convolution and no linear layer")
    runs: list[tuple[int, int]] = []
    longest, last = (0, -1), -1
    for op in graph.ops:
        before = [runs[source.index] for source in op.inputs if source.kind == "op"]
        joins = op.kind in _JOINS and len(op.inputs) > 1
        length, first = (0, -1) if joins else max(before, default=(0, -1))
        if op.kind in WEIGHTED and not is_depthwise(op):
            length, first = length + 1, op.index if first < 0 else first
        runs.append((length, first))
        if length > longest[0]:
            longest, last = (length, first), op.index
    if longest[0] < INFO_LAYERS:
        return Checked()
    begin, end = graph.ops[longest[1]].name, graph.ops[last].name
    return Checked(
        (
            Finding(
                "S109",
                "warning" if longest[0] >= WARNING_LAYERS else "info",
                begin,
                f"From {begin} to {end} stand {longest[0]} weighted layers in a row, and no "
                "shortcut joins them anywhere.",
                "Add the input of every two or three layers to their output (y = F(x) + x), "
                "with a 1×1 convolution where the shapes differ.",
                data={"num_layers": longest[0], "first": begin, "last": end},
            ),
        )
    )


RULE = Rule("S109", "deep plain stack without shortcut", "warning", check, (6, 24))

"""S107: transposed convolutions that write unevenly."""

from __future__ import annotations

from collections import Counter

from foveal.graph import Op
from foveal.graph.wiring import dimensions, sizes
from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, NotApplicable, Outcome
from foveal.linting.rule import Rule


def check(context: LintContext) -> Outcome:
    """Finds transposed convolutions whose kernel the stride does not divide.

    Odena, Dumoulin and Olah 2016 ("Deconvolution and Checkerboard Artifacts").
    """
    graph = context.graph
    transposed = [op for op in graph.ops if op.kind == "conv_transpose"]
    if not transposed:
        return NotApplicable("there is no transposed convolution")
    found = []
    for op in transposed:
        reached = [taps_per_phase(op, axis) for axis in range(len(sizes(op, "kernel")))]
        if all(len(set(counts)) == 1 for counts in reached):
            continue
        fewest, most = 1, 1
        for counts in reached:
            fewest, most = fewest * min(counts), most * max(counts)
        stride = sizes(op, "stride")
        better = tuple(s * -(-k // s) for k, s in zip(sizes(op, "kernel"), stride, strict=True))
        found.append(
            Finding(
                "S107",
                "warning",
                op.name,
                f"{op.name} has a kernel of {dimensions(sizes(op, 'kernel'))} and stride "
                f"{dimensions(stride)}: some outputs are sums of {most} taps, others of "
                + (f"{fewest}" if fewest else "none, so they hold the bias alone")
                + ", in a regular pattern.",
                f"Use a kernel that the stride divides ({dimensions(better)}), or resize "
                "(nearest or bilinear) and then convolve.",
                data={"fewest_taps": fewest, "most_taps": most},
            )
        )
    return Checked(tuple(found))


def taps_per_phase(op: Op, axis: int) -> tuple[int, ...]:
    """Returns how many taps reach output positions 0, 1, ... stride - 1, away from edges."""
    stride = sizes(op, "stride")[axis]
    dilation = sizes(op, "dilation")[axis]
    counts = Counter(tap * dilation % stride for tap in range(sizes(op, "kernel")[axis]))
    return tuple(counts[phase] for phase in range(stride))


RULE = Rule("S107", "checkerboard of a transposed convolution", "warning", check, (12,))

"""S114: even kernels that keep the size and shift the picture."""

from __future__ import annotations

from fractions import Fraction

from foveal.graph import Graph, Op
from foveal.lint.context import LintContext
from foveal.lint.finding import Checked, Finding, NotApplicable, Outcome
from foveal.lint.rule import Rule
from foveal.lint.wiring import dimensions, paddings, producer, sizes

# As a part of the input's longer side; less than that no classifier will notice.
MAX_SHIFT = 0.01


def check(context: LintContext) -> Outcome:
    """Finds convolutions of stride 1 that keep the size with one more zero on one side.

    Wu et al. 2019 ("Convolution with even-sized kernels and symmetric padding").
    """
    graph = context.graph
    convolutions = [op for op in graph.ops if op.kind == "conv" and len(op.output_shape) == 4]
    if not convolutions:
        return NotApplicable("there is no 2-d convolution")
    found = []
    total = Fraction(0)
    for op in convolutions:
        shift = _shift(graph, op)
        if shift is None:
            continue
        stride = (
            context.receptive_fields[op.inputs[0].index].effective_stride
            if (op.inputs[0].kind == "op")
            else (Fraction(1), Fraction(1))
        )
        pixels = max((s for s in stride if s is not None), default=Fraction(1)) * shift
        total += pixels
        found.append(
            Finding(
                "S114",
                "warning" if total > MAX_SHIFT * max(context.input_shape[1:]) else "info",
                op.name,
                f"{op.name} has an even kernel ({dimensions(sizes(op, 'kernel'))}, dilation "
                f"{sizes(op, 'dilation')[0]}) padded to keep {dimensions(op.output_shape[2:])}: "
                f"its output is shifted by {float(shift):g} of a unit, {float(pixels):g} input "
                f"pixels; with the layers before it {float(total):g}.",
                "Use an odd kernel, whose padding is the same on both sides.",
                data={"shift_units": float(shift), "shift_px": float(pixels)},
            )
        )
    return Checked(tuple(found))


def _shift(graph: Graph, op: Op) -> Fraction | None:
    """Returns how far the output is shifted, in units of the map; None if it is not."""
    if set(sizes(op, "stride")) != {1}:
        return None
    pairs = list(paddings(op))
    shape = op.input_shapes[0]
    pad = producer(graph, op)
    if pad is not None and pad.kind == "pad" and len(pad.input_shapes[0]) == 4:
        extra = tuple(reversed(paddings(pad)))[-2:]
        if len(extra) == 2:
            pairs = [(a + c, b + d) for (a, b), (c, d) in zip(pairs, extra, strict=True)]
            shape = pad.input_shapes[0]
    shifts = [
        Fraction(abs(after - before), 2)
        for axis, (before, after) in enumerate(pairs)
        if sizes(op, "dilation")[axis] * (sizes(op, "kernel")[axis] - 1) % 2
        and op.output_shape[2 + axis] == shape[2 + axis] > 1
    ]
    return max(shifts, default=None)


RULE = Rule("S114", "even kernel that shifts", "warning", check, (2, 3))

"""S114: even kernels that keep the size and shift the picture."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from foveal.graph import Graph, Op
from foveal.graph.wiring import dimensions, paddings, producer, sizes
from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, NotApplicable, Outcome
from foveal.linting.rule import Rule

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
    paths: list[_Drift] = []
    for op in graph.ops:
        before = [paths[i.index] if i.kind == "op" else _STILL for i in op.inputs]
        drift = _STILL if not before else before[0].joined_with(*before[1:])
        shift = _shift(graph, op) if op.kind == "conv" and len(op.output_shape) == 4 else None
        if shift is None or not any(shift):
            paths.append(drift)
            continue
        stride: tuple[Fraction, ...] = (Fraction(1), Fraction(1))
        if op.inputs[0].kind == "op":
            stride = tuple(
                Fraction(1) if axis is None else axis
                for axis in context.receptive_fields[op.inputs[0].index].effective_stride
            )
        moved = tuple(units * step for units, step in zip(shift, stride, strict=True))
        drift = drift.moved_by(moved)
        paths.append(drift)
        pixels, units = max(map(abs, moved)), max(map(abs, shift))
        found.append(
            Finding(
                "S114",
                "warning" if drift.largest > MAX_SHIFT * max(context.input_shape[1:]) else "info",
                op.name,
                f"{op.name} has an even kernel ({dimensions(sizes(op, 'kernel'))}, dilation "
                f"{sizes(op, 'dilation')[0]}) padded to keep {dimensions(op.output_shape[2:])}: "
                f"its output is shifted by {float(units):g} of a unit, {float(pixels):g} input "
                f"pixels; the most shifted path from the input to here, by "
                f"{float(drift.largest):g}.",
                "Use an odd kernel, whose padding is the same on both sides.",
                data={"shift_units": float(units), "shift_px": float(pixels)},
            )
        )
    return Checked(tuple(found))


@dataclass(frozen=True, slots=True)
class _Drift:
    """How far the paths from the input to a place are shifted, in input pixels.

    Attributes:
        low: Per axis, of the path shifted most towards the end of the axis.
        high: Per axis, of the path shifted most towards its start.
    """

    low: tuple[Fraction, ...]
    high: tuple[Fraction, ...]

    @property
    def largest(self) -> Fraction:
        return max(map(abs, (*self.low, *self.high)))

    def moved_by(self, pixels: tuple[Fraction, ...]) -> _Drift:
        return _Drift(
            tuple(a + b for a, b in zip(self.low, pixels, strict=True)),
            tuple(a + b for a, b in zip(self.high, pixels, strict=True)),
        )

    def joined_with(self, *others: _Drift) -> _Drift:
        # Branches that meet do not add their shifts: each path keeps its own.
        return _Drift(
            tuple(map(min, zip(self.low, *(other.low for other in others), strict=True))),
            tuple(map(max, zip(self.high, *(other.high for other in others), strict=True))),
        )


_STILL = _Drift((Fraction(0), Fraction(0)), (Fraction(0), Fraction(0)))


def _shift(graph: Graph, op: Op) -> tuple[Fraction, ...] | None:
    """Returns how far the output is shifted per axis, in units of the map, with its sign.

    A layer with one more zero at the end of an axis looks further on than where it stands, and
    one with it at the start further back: such a pair cancels. None with a stride.
    """
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
    return tuple(
        Fraction(after - before, 2)
        if sizes(op, "dilation")[axis] * (sizes(op, "kernel")[axis] - 1) % 2
        and op.output_shape[2 + axis] == shape[2 + axis] > 1
        else Fraction(0)
        for axis, (before, after) in enumerate(pairs)
    )


RULE = Rule("S114", "even kernel that shifts", "warning", check, (2, 3))

"""Kernels that shift, write unevenly, or cost more than an equal: S107, S114, S115, S116."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction

from foveal.draw.numbers import percent
from foveal.graph import Graph, Op
from foveal.graph.wiring import dimensions, is_spatial, number, paddings, producer, sizes
from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, NotApplicable, Outcome


def checkerboard(context: LintContext) -> Outcome:
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


# As a part of the input's longer side; less than that no classifier will notice.
MAX_SHIFT = 0.01


def even_kernel(context: LintContext) -> Outcome:
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
    """How far the paths from the input to a position are shifted, in input pixels.

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


MIN_SAVING = 1.2
MIN_CHANNELS = 32
MIN_SHARE = 0.5


def large_kernel(context: LintContext) -> Outcome:
    """Finds dense kernels of 5×5 and more that a stack of 3×3 covers with fewer parameters.

    Simonyan and Zisserman 2014 (VGG): n layers of 3×3 see 2 n + 1 pixels.
    """
    dense = [op for op in context.graph.ops if _is_dense(op)]
    if not dense:
        return NotApplicable("there is no dense 2-d convolution that reads more than one position")
    found = []
    for op in dense:
        kernel = sizes(op, "kernel")
        if kernel[0] != kernel[1] or kernel[0] < 5 or kernel[0] % 2 == 0:
            continue
        if set(sizes(op, "stride")) != {1} or set(sizes(op, "dilation")) != {1}:
            continue
        before, after = number(op, "in_channels"), number(op, "out_channels")
        layers = (kernel[0] - 1) // 2
        now = kernel[0] ** 2 * before * after
        stacked = 9 * before * after + (layers - 1) * 9 * after * after
        if now < MIN_SAVING * stacked:
            continue
        found.append(
            Finding(
                "S115",
                "info",
                op.name,
                f"{op.name} ({dimensions(kernel)}, {before} to {after} channels) has {now:,} "
                f"weights; {layers} layers of 3×3 see the same {dimensions(kernel)} with "
                f"{stacked:,}, {now / stacked:.1f} times fewer, and {layers} activations.",
                f"Try {layers} layers of 3×3 with activations between them.",
                data={"weights": now, "weights_stacked": stacked},
            )
        )
    return Checked(tuple(found))


def dense_share(context: LintContext) -> Outcome:
    """Says what depthwise separable convolutions would cost in the place of dense ones.

    Howard et al. 2017 (MobileNet): the ratio of costs is 1 / C_out + 1 / k².
    """
    graph = context.graph
    dense = [
        op
        for op in graph.ops
        if _is_dense(op)
        and min(number(op, "in_channels"), number(op, "out_channels")) >= MIN_CHANNELS
    ]
    if not dense:
        return NotApplicable(
            f"no dense spatial convolution has {MIN_CHANNELS} channels or more on both sides"
        )
    total = graph.macs.value or 0
    now = sum(op.macs.value or 0 for op in dense)
    if total == 0 or now < MIN_SHARE * total:
        return Checked()
    after = sum(_separable_macs(op) for op in dense)
    return Checked(
        (
            Finding(
                "S116",
                "info",
                "",
                f"{len(dense)} dense spatial convolutions do {percent(now / total)} of the "
                f"{total:,} MACs. Depthwise and pointwise pairs of the same shapes would do "
                f"{after:,} instead of {now:,}, {now / after:.1f} times fewer.",
                "Where speed or size matters try depthwise separable convolutions; they compute "
                "less, not the same, and are usually made wider to make up for it.",
                data={"macs": now, "macs_separable": after, "num_layers": len(dense)},
            ),
        )
    )


def _is_dense(op: Op) -> bool:
    return (
        op.kind == "conv"
        and is_spatial(op)
        and number(op, "groups") == 1
        and len(op.output_shape) == 4
    )


def _separable_macs(op: Op) -> int:
    positions = op.output_shape[2] * op.output_shape[3]
    kernel = sizes(op, "kernel")
    before, after = number(op, "in_channels"), number(op, "out_channels")
    return positions * before * (kernel[0] * kernel[1] + after)

"""What holds for every size of the input: found by tracing a few, verified on others.

Nothing is derived from the code of the model. Sizes are traced, the simplest law that fits
is taken, and it must predict every further trace exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import lcm
from typing import TYPE_CHECKING, Literal

from foveal.errors import FovealError
from foveal.graph.graph import Graph, Shape
from foveal.graph.quantity import Status

if TYPE_CHECKING:
    import torch

    from foveal.graph.tracing import Mode

# More, and the sizes to try would be larger than images are.
_LARGEST_DIVISOR = 512
Rounding = Literal["up", "down", "up or down", "not possible"]


@dataclass(frozen=True, slots=True)
class SizeLaw:
    """How shapes and cost follow from the height and width of the input.

    Attributes:
        divisor: The law holds for heights and widths divisible by this.
        smallest: The smallest such size that works.
        shapes: For each operation its output shape in N, H and W, such as
            ``("N", "64", "H/4", "W/4")``; None where no simple law was found.
        macs: The multiply-accumulates of one image, such as ``"36,144·H·W + 512,000"``.
        other_sizes: What becomes of the last map at sizes that do not divide: rounded
            ``"up"``, ``"down"``; ``"not possible"`` when the network refuses them.
        verified_on: The shapes that were traced.
        status: ``unavailable`` when there is no such law.
        reason: Why.
    """

    divisor: int | None
    smallest: int | None
    shapes: tuple[tuple[str, ...] | None, ...]
    macs: str | None
    other_sizes: Rounding | None
    verified_on: tuple[Shape, ...]
    status: Status = "complete"
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class _Sample:
    batch: int
    height: int
    width: int
    graph: Graph


def find_size_law(model: torch.nn.Module, graph: Graph, *, mode: Mode = "eval") -> SizeLaw:
    """Returns what holds for other sizes than the one that ``graph`` was traced with.

    Never raises for a network that works on one size only: then it says so.
    """
    import torch

    from foveal.graph.tracing import record

    if graph.status != "complete":
        return _none(graph.reason or "the graph is not complete")
    given = graph.inputs[0] if len(graph.inputs) == 1 else None
    if given is None or len(given.shape) != 4 or given.passed == "in a container":
        return _none("it takes several inputs, or none of the form N, C, H, W")
    _, channels, height, width = given.shape
    divisor = _divisor(graph)
    if divisor is None:
        return _none("the strides of the network are not known")

    def take(batch: int, height: int, width: int) -> _Sample | str:
        shape = (batch, channels, height, width)
        if shape == given.shape:
            return _Sample(batch, height, width, graph)
        example = torch.empty(shape, dtype=getattr(torch, given.dtype), device="meta")
        asked = example if given.passed == "by position" else {given.name: example}
        try:
            found = record(model, asked, mode=mode, explain="no search").graph
        except FovealError as error:
            return error.message
        return _Sample(batch, height, width, found)

    k = max(1, round(max(height, width) / divisor))
    samples: list[_Sample] = []
    for batch, rows, columns in (
        (1, k, k), (1, k + 1, k), (1, k, k + 2), (2, k + 3, k + 1), (1, k + 5, k + 4),
    ):  # fmt: skip
        sample = take(batch, rows * divisor, columns * divisor)
        if isinstance(sample, str):
            return _none(f"it does not work on {rows * divisor} x {columns * divisor}: {sample}")
        if [op.name for op in sample.graph.ops] != [op.name for op in graph.ops]:
            return _none(
                f"at {rows * divisor} x {columns * divisor} it runs other operations than at "
                f"{height} x {width}"
            )
        samples.append(sample)
    return SizeLaw(
        divisor=divisor,
        smallest=_smallest(lambda size: not isinstance(take(1, size, size), str), divisor),
        shapes=tuple(
            _shape_law([s.graph.ops[op.index].output_shape for s in samples], samples)
            for op in graph.ops
        ),
        macs=_macs_law(samples),
        other_sizes=_other_sizes(take, samples, divisor) if divisor > 1 else None,
        verified_on=tuple((s.batch, channels, s.height, s.width) for s in samples),
    )


def _none(reason: str) -> SizeLaw:
    return SizeLaw(None, None, (), None, None, (), "unavailable", reason)


def _divisor(graph: Graph) -> int | None:
    from foveal.graph.receptive_field import receptive_fields

    strides = [
        stride.numerator
        for seen in receptive_fields(graph)
        for stride in seen.effective_stride
        if stride is not None
    ]
    if not strides:
        return None
    # Adaptive pooling has strides that follow from the given size, such as 224/7: it works
    # for any size, so it does not bind.
    pooled = [op for op in graph.ops if op.kind == "adaptive_pool"]
    if pooled:
        strides = [
            stride.numerator
            for op, seen in zip(graph.ops, receptive_fields(graph), strict=True)
            for stride in seen.effective_stride
            if stride is not None and op.index < pooled[0].index
        ] or [1]
    divisor = lcm(*strides)
    return divisor if divisor <= _LARGEST_DIVISOR else max(strides)


def _smallest(works: Callable[[int], bool], divisor: int) -> int | None:
    for multiple in range(1, 9):
        if works(multiple * divisor):
            return multiple * divisor
    return None


def _other_sizes(
    take: Callable[[int, int, int], _Sample | str], samples: Sequence[_Sample], divisor: int
) -> Rounding | None:
    """Compares the last map at sizes between two multiples with those of the multiples."""
    base, taller, wider = samples[:3]
    between = take(1, base.height + 1, base.width + divisor - 1)
    if isinstance(between, str) or len(between.graph.ops) != len(base.graph.ops):
        return "not possible"
    last = None
    for op in base.graph.ops:
        shapes = [sample.graph.ops[op.index].output_shape for sample in (base, taller, wider)]
        if len(op.output_shape) == 4 and len(set(shapes)) == 3:
            last = (op.index, shapes)
    if last is None:
        return None
    index, (low, tall, wide) = last
    found = between.graph.ops[index].output_shape
    steps = {(t - b, (w - b) // 2) for b, t, w in zip(low, tall, wide, strict=True)}
    step = max(max(pair) for pair in steps)
    rises = {
        (f - b) / step
        for f, b, t, w in zip(found, low, tall, wide, strict=True)
        if t != b or w != b
    }
    if rises == {0.0}:
        return "down"
    return "up" if rises == {1.0} else "up or down"


# --- laws ---------------------------------------------------------------------------------


def _shape_law(shapes: Sequence[Shape], samples: Sequence[_Sample]) -> tuple[str, ...] | None:
    if len({len(shape) for shape in shapes}) > 1:
        return None
    laws = [_size_law(sizes, samples) for sizes in zip(*shapes, strict=True)]
    return None if any(law is None for law in laws) else tuple(law for law in laws if law)


def _size_law(sizes: Sequence[int], samples: Sequence[_Sample]) -> str | None:
    if len(set(sizes)) == 1:
        return str(sizes[0])
    drivers: tuple[tuple[str, list[int]], ...] = (
        ("N", [s.batch for s in samples]),
        ("H", [s.height for s in samples]),
        ("W", [s.width for s in samples]),
        ("H·W", [s.height * s.width for s in samples]),
        ("N·H·W", [s.batch * s.height * s.width for s in samples]),
    )
    for name, values in drivers:
        found = _line(values, sizes)
        if found is not None:
            return _write(name, *found)
    return None


def _line(values: Sequence[int], sizes: Sequence[int]) -> tuple[Fraction, Fraction] | None:
    """Returns slope and offset of the one line through all points, if there is one."""
    other = next((i for i, value in enumerate(values) if value != values[0]), None)
    if other is None:
        return None
    slope = Fraction(sizes[other] - sizes[0], values[other] - values[0])
    offset = sizes[0] - slope * values[0]
    fits = all(slope * v + offset == size for v, size in zip(values, sizes, strict=True))
    return (slope, offset) if fits and slope else None


def _write(name: str, slope: Fraction, offset: Fraction) -> str:
    text = name if slope.numerator == 1 else f"{slope.numerator}{name}"
    if slope.denominator > 1:
        text += f"/{slope.denominator}"
    if offset:
        text += f" {'+' if offset > 0 else '−'} {abs(offset)}"
    return text


def _macs_law(samples: Sequence[_Sample]) -> str | None:
    """Solves MACs = a HW + b H + c W + d on four samples; the fifth must agree."""
    if any(s.graph.macs.status != "complete" for s in samples):
        return None
    rows = [
        [Fraction(s.height * s.width), Fraction(s.height), Fraction(s.width), Fraction(1)]
        for s in samples
    ]
    values = [Fraction(s.graph.macs.value or 0, s.batch) for s in samples]
    solved = _solve(rows[:4], values[:4])
    if solved is None:
        return None
    for row, value in zip(rows[4:], values[4:], strict=True):
        if sum(a * b for a, b in zip(row, solved, strict=True)) != value:
            return None
    terms: list[str] = []
    for factor, name in zip(solved, ("·H·W", "·H", "·W", ""), strict=True):
        if factor:
            size = abs(factor)
            number = _decimal(size)
            sign = ("−" if factor < 0 else "") if not terms else (" − " if factor < 0 else " + ")
            terms.append(f"{sign}{number}{name}")
    return "".join(terms) or "0"


def _decimal(value: Fraction) -> str:
    """Returns an exact decimal where there is one, else a fraction."""
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    if rest > 1:
        return f"{value.numerator:,}/{value.denominator:,}"
    return f"{Decimal(value.numerator) / Decimal(value.denominator):,}"


def _solve(rows: list[list[Fraction]], values: list[Fraction]) -> list[Fraction] | None:
    """Gaussian elimination in exact fractions; None when the rows depend on each other."""
    table = [[*row, value] for row, value in zip(rows, values, strict=True)]
    size = len(table)
    for column in range(size):
        pivot = next((r for r in range(column, size) if table[r][column]), None)
        if pivot is None:
            return None
        table[column], table[pivot] = table[pivot], table[column]
        head = table[column][column]
        table[column] = [value / head for value in table[column]]
        for r in range(size):
            if r != column and table[r][column]:
                factor = table[r][column]
                table[r] = [a - factor * b for a, b in zip(table[r], table[column], strict=True)]
    return [row[-1] for row in table]

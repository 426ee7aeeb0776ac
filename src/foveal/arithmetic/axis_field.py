"""The receptive field along one axis, exactly: which input positions a unit sees.

Araujo, Norris and Sim ("Computing Receptive Fields of Convolutional Neural Networks",
Distill 2019) keep the two ends of the field and the effective stride. Here the whole set of
positions is kept, as the bits of an integer, so that the holes of dilated convolutions show;
and one set for each *phase*, so that layers that enlarge (transposed convolution, resizing)
are exact too: with ``P`` phases, unit ``P * q + r`` sees the set of phase ``r`` moved by
``q * jump``. Layers that never enlarge have one phase, and then ``jump`` is the effective
stride.

The input is taken as endless: padding counts as seen, as in every published table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, gcd, lcm
from typing import Literal

from foveal.arithmetic.checks import require_at_least
from foveal.errors import UsageError

# Resizing 224 to 223 has 223 phases. A chain of such layers multiplies them; at some point
# the sets say nothing that anybody would read.
MAX_PHASES = 4096


@dataclass(frozen=True, slots=True)
class Positions:
    """A set of integers: bit i of ``mask`` set means that ``first + i`` is in it.

    The lowest bit is always set, except in the empty set, which is ``Positions(0, 0)``.
    """

    first: int
    mask: int

    @property
    def last(self) -> int:
        """The largest element."""
        return self.first + self.mask.bit_length() - 1

    @property
    def span(self) -> int:
        """Length from first to last, both included."""
        return self.mask.bit_length()

    @property
    def count(self) -> int:
        """Number of elements."""
        return self.mask.bit_count()

    def moved(self, distance: int) -> Positions:
        """Returns the set with ``distance`` added to every element."""
        return Positions(self.first + distance, self.mask) if self.mask else self

    def elements(self) -> tuple[int, ...]:
        """Returns the elements in order."""
        return tuple(self.first + i for i in range(self.span) if self.mask >> i & 1)


def union(sets: Iterable[Positions]) -> Positions:
    """Returns the union.

    >>> union([Positions(0, 0b1), Positions(3, 0b11)]).elements()
    (0, 3, 4)
    """
    found = [positions for positions in sets if positions.mask]
    if not found:
        return Positions(0, 0)
    first = min(positions.first for positions in found)
    mask = 0
    for positions in found:
        mask |= positions.mask << (positions.first - first)
    return Positions(first, mask)


@dataclass(frozen=True, slots=True)
class AxisField:
    """The receptive field of the units of one layer along one axis.

    Attributes:
        jump: How far the field moves in the input over one round of the phases.
        phases: What units 0, 1, ..., P - 1 see.

    >>> field = AxisField.of_input()
    >>> for _ in range(3):
    ...     field = field.through_convolution(kernel=3, padding=1)
    >>> field.size, field.effective_stride, field.start
    (7, Fraction(1, 1), -3)
    """

    jump: int
    phases: tuple[Positions, ...]

    @classmethod
    def of_input(cls) -> AxisField:
        """Returns the field of an input pixel: itself."""
        return cls(1, (Positions(0, 1),))

    @property
    def size(self) -> int:
        """The field's length in input pixels; the longest one where phases differ."""
        return max(positions.span for positions in self.phases)

    @property
    def start(self) -> int:
        """The first input position that unit 0 sees; negative: it begins in the padding."""
        return self.phases[0].first

    @property
    def effective_stride(self) -> Fraction:
        """Input pixels from one unit to the next; below 1 after enlarging."""
        return Fraction(self.jump, len(self.phases))

    @property
    def pixels_seen(self) -> int:
        """Positions that a unit truly sees, holes left out; the most where phases differ."""
        return max(positions.count for positions in self.phases)

    @property
    def has_holes(self) -> bool:
        """Whether some unit misses positions inside its own field."""
        return any(positions.count < positions.span for positions in self.phases)

    def positions(self, unit: int) -> Positions:
        """Returns what one unit sees."""
        rounds, phase = divmod(unit, len(self.phases))
        return self.phases[phase].moved(rounds * self.jump)

    def through_convolution(
        self, *, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1
    ) -> AxisField:
        """Returns the field after a convolution or a pooling.

        Args:
            kernel: Taps.
            stride: Units from one window to the next.
            padding: Zeros *before* the axis; those after it move nothing.
            dilation: Units from one tap to the next.

        Returns:
            The field of the output's units.

        Raises:
            UsageError: A setting is below its minimum.
        """
        require_at_least(
            1, operation="convolution", kernel=kernel, stride=stride, dilation=dilation
        )

        def taps(unit: int) -> Iterable[int]:
            first = unit * stride - padding
            return range(first, first + dilation * kernel, dilation)

        return self._resampled(Fraction(stride), taps)

    def through_transposed_convolution(
        self, *, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1
    ) -> AxisField:
        """Returns the field after a transposed convolution.

        Input unit i reaches the outputs ``i s - p + d t``, t from 0 to k - 1. With a kernel
        smaller than the stride some outputs see nothing.
        """
        require_at_least(
            1, operation="transposed convolution", kernel=kernel, stride=stride, dilation=dilation
        )

        def taps(unit: int) -> Iterable[int]:
            reached = [unit + padding - dilation * tap for tap in range(kernel)]
            return (position // stride for position in reached if position % stride == 0)

        return self._resampled(Fraction(1, stride), taps)

    def through_adaptive_pooling(self, size: int, output_size: int) -> AxisField:
        """Returns the field after adaptive pooling of ``size`` units to ``output_size``."""
        require_at_least(1, operation="adaptive pooling", size=size, output_size=output_size)

        def taps(unit: int) -> Iterable[int]:
            return range(unit * size // output_size, -(-(unit + 1) * size // output_size))

        return self._resampled(Fraction(size, output_size), taps)

    def through_interpolation(
        self,
        size: int,
        output_size: int,
        *,
        mode: Literal["nearest", "linear", "cubic"] = "nearest",
        corners: Literal["half-pixel", "aligned"] = "half-pixel",
        filtering: Literal["none", "antialias"] = "none",
    ) -> AxisField:
        """Returns the field after resizing ``size`` units to ``output_size``.

        ``"linear"`` is what PyTorch calls bilinear and ``"cubic"`` bicubic, along one axis.
        Taps of weight zero are not seen. ``"aligned"`` is ``align_corners=True``.
        ``"antialias"`` widens the filter by the factor by which the map gets smaller, as
        Pillow does and PyTorch with ``antialias=True``.
        """
        require_at_least(1, operation="interpolation", size=size, output_size=output_size)
        if corners == "aligned" and output_size > 1:
            scale = Fraction(max(size - 1, 1), output_size - 1)
        else:
            scale = Fraction(size, output_size)

        def taps(unit: int) -> Iterable[int]:
            if mode == "nearest":
                return (floor(unit * scale),)
            half = Fraction(1, 2)
            position = unit * scale if corners == "aligned" else (unit + half) * scale - half
            low = floor(position)
            if filtering == "antialias":
                # The filter is zero at its ends, and the cubic one at whole distances too.
                width = max(scale, Fraction(1))
                ends = (1 if mode == "linear" else 2) * width
                near = range(ceil(position - ends), floor(position + ends) + 1)
                return [
                    tap
                    for tap in near
                    if (distance := abs(tap - position) / width) == 0
                    or (distance < 2 and distance.denominator > 1)
                ]
            if position == low:
                return (low,)
            reach = 1 if mode == "linear" else 2
            return range(low - reach + 1, low + reach + 1)

        return self._resampled(scale, taps)

    def through_slice(self, *, start: int = 0, step: int = 1) -> AxisField:
        """Returns the field after keeping every ``step``-th unit from ``start`` on."""
        require_at_least(1, operation="slice", step=step)
        return self._resampled(Fraction(step), lambda unit: (start + unit * step,))

    def merged_with(self, other: AxisField) -> AxisField:
        """Returns the field of a unit that reads both, at the same index (add, concatenate).

        Raises:
            UsageError: The two move through the input at different speeds.
        """
        if self.effective_stride != other.effective_stride:
            raise UsageError(
                f"merging: one branch has an effective stride of {self.effective_stride}, the "
                f"other of {other.effective_stride}; units of one index then see different "
                "positions."
            )
        if self == other:
            return self
        num_phases = lcm(len(self.phases), len(other.phases))
        jump = self.effective_stride * num_phases
        return AxisField(
            int(jump),
            tuple(union((self.positions(u), other.positions(u))) for u in range(num_phases)),
        )

    def _resampled(self, scale: Fraction, taps: Callable[[int], Iterable[int]]) -> AxisField:
        """Returns the field of new units that read the old units ``taps(unit)``.

        ``taps(unit + q)`` must equal ``taps(unit)`` moved by ``q * scale`` wherever that is
        whole. New units repeat when they have moved by whole rounds of the old phases.
        """
        old = len(self.phases)
        # The smallest n with n * scale a whole multiple of the old number of phases.
        num_phases = scale.denominator * old // gcd(scale.numerator, old)
        if num_phases > MAX_PHASES:
            raise UsageError(
                f"receptive field: a scale of {scale} makes {num_phases} kinds of units, more "
                f"than the {MAX_PHASES} that are followed."
            )
        jump = num_phases * scale / old * self.jump
        return AxisField(
            int(jump),
            tuple(union(self.positions(tap) for tap in taps(u)) for u in range(num_phases)),
        )

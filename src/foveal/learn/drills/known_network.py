"""The layers of a traced network as a drill knows them: where they stand, what they are given.

Two truths are held against each other: what the trace saw, and what ``foveal.arithmetic`` says
about the settings. A layer where they differ (an uneven padding, a computed weight) is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from foveal.arithmetic import linear_parameters, normalisation_parameters
from foveal.learn.drills.chance import Chance
from foveal.learn.drills.layers import Conv, Map, Pool
from foveal.learn.drills.sheet import Wrong
from foveal.learn.drills.window import Window

if TYPE_CHECKING:
    from foveal.inspection import Inspection, OpRow

# What hands a map on with its shape, and nothing else mixed in.
_PASSING = frozenset(("activation", "batch_norm", "dropout", "copy"))


@dataclass(frozen=True, slots=True)
class Linear:
    """``nn.Linear``."""

    in_features: int
    out_features: int
    has_bias: bool

    @property
    def code(self) -> str:
        """The line of PyTorch."""
        bias = "" if self.has_bias else ", bias=False"
        return f"nn.Linear({self.in_features}, {self.out_features}{bias})"

    @property
    def parameters(self) -> int:
        """Weights, and biases if it has them."""
        return linear_parameters(
            self.in_features, self.out_features, bias="bias" if self.has_bias else "no bias"
        )

    def parameter_formula(self) -> str:
        """Returns the count as a formula."""
        product = f"{self.in_features}*{self.out_features}"
        return f"{product} + {self.out_features}" if self.has_bias else product

    def parameter_mistakes(self) -> tuple[Wrong, ...]:
        """Returns the mistakes that a count of it invites."""
        product = f"{self.in_features}*{self.out_features}"
        if self.has_bias:
            return (Wrong("bias-forgotten", product),)
        return (Wrong("bias-counted", f"{product} + {self.out_features}"),)


@dataclass(frozen=True, slots=True)
class Norm:
    """``nn.BatchNorm2d``."""

    channels: int

    @property
    def code(self) -> str:
        """The line of PyTorch."""
        return f"nn.BatchNorm2d({self.channels})"

    @property
    def parameters(self) -> int:
        """Scale and shift of each channel."""
        return normalisation_parameters(self.channels)

    def parameter_formula(self) -> str:
        """Returns the count as a formula."""
        return f"2*{self.channels}"

    def parameter_mistakes(self) -> tuple[Wrong, ...]:
        """Returns the mistakes that a count of it invites."""
        return (
            Wrong("running-statistics", f"4*{self.channels}"),
            Wrong("scale-only", f"{self.channels}"),
        )


@dataclass(frozen=True, slots=True)
class KnownLayer:
    """A layer where it stands in the network.

    Attributes:
        name: As the network calls it.
        settings: Its settings.
        given: C×H×W that it is given; None for vectors.
        before: Field and effective stride of what it is given, along the height.
        after: The layer that reads its result, if just one does.
    """

    name: str
    settings: Conv | Pool | Linear | Norm
    given: Map | None = None
    before: tuple[int, int] | None = None
    after: int | None = None


@dataclass(frozen=True, slots=True)
class KnownNetwork:
    """A traced network.

    Attributes:
        name: What it is called.
        opening: PyTorch that makes ``net``.
        shape: Of one image.
        layers: Its layers, in the order of execution.
    """

    name: str
    opening: str
    shape: tuple[int, ...]
    layers: tuple[KnownLayer, ...]

    def chain(
        self, chance: Chance, level: int, asks: Callable[[KnownLayer], bool]
    ) -> list[KnownLayer]:
        """Returns up to ``level`` layers that follow one another, as many as there are."""
        chains = []
        for start, layer in enumerate(self.layers):
            found: list[KnownLayer] = []
            here = start
            while asks(layer) and len(found) < level:
                found.append(layer)
                if layer.after is None:
                    break
                here = layer.after
                layer = self.layers[here]
            if found:
                chains.append(found)
        longest = max(map(len, chains))
        return chance.pick([chain for chain in chains if len(chain) == longest])


def read_layers(table: Inspection) -> tuple[KnownLayer, ...]:
    """Returns the layers that a drill can ask about, linked where one follows another."""
    rows = table.ops
    numbers: dict[int, int] = {}  # of the layers, by operation
    found: list[KnownLayer] = []
    for row in rows:
        layer = _layer(row, rows)
        if layer is not None:
            numbers[row.op.index] = len(found)
            found.append(layer)
    readers = [[other for other in rows if row.op.index in other.op.input_indices] for row in rows]
    for index, number in numbers.items():
        after = _next(index, rows, readers)
        if after in numbers:
            found[number] = KnownLayer(
                found[number].name,
                found[number].settings,
                found[number].given,
                found[number].before,
                numbers[after],
            )
    return tuple(found)


def _next(index: int, rows: Sequence[OpRow], readers: list[list[OpRow]]) -> int:
    """Returns the first operation after this one that does more than hand on; -1 if none."""
    while len(readers[index]) == 1:
        reader = readers[index][0]
        if len(reader.op.inputs) != 1:
            return -1
        if reader.kind not in _PASSING:
            return reader.op.index
        index = reader.op.index
    return -1


def _layer(row: OpRow, rows: Sequence[OpRow]) -> KnownLayer | None:
    op = row.op
    if op.name != op.module_path or len(op.inputs) != 1 or row.shared_with is not None:
        return None
    settings = _settings(row)
    if settings is None:
        return None
    shape = op.input_shapes[0]
    given = (shape[1], shape[2], shape[3]) if len(shape) == 4 else None
    if isinstance(settings, Conv | Pool) and (
        given is None or settings.shape(given) != op.output_shape[1:]
    ):
        return None
    if isinstance(settings, Conv | Linear | Norm) and settings.parameters != row.parameters:
        return None
    return KnownLayer(op.name, settings, given, _before(row, rows))


def _settings(row: OpRow) -> Conv | Pool | Linear | Norm | None:
    values = row.op.attributes
    if row.kind == "linear":
        return Linear(row.op.input_shapes[0][-1], row.output_shape[-1], len(row.op.parameters) > 1)
    if row.kind == "batch_norm" and len(row.op.parameters) == 2 and len(row.output_shape) == 4:
        return Norm(row.output_shape[1])
    if row.kind not in ("conv", "max_pool", "avg_pool"):
        return None
    kernel, stride = _pair(values.get("kernel")), _pair(values.get("stride"))
    dilation = _pair(values.get("dilation", (1, 1)))
    padding = _symmetric(values.get("padding"))
    if kernel is None or stride is None or dilation is None or padding is None:
        return None
    if row.kind == "conv":
        if "computed_weight" in values or len(row.output_shape) != 4:
            return None
        groups = values.get("groups")
        return Conv(
            row.op.input_shapes[0][1],
            row.output_shape[1],
            kernel,
            stride,
            padding,
            dilation,
            groups if isinstance(groups, int) else 1,
            bias=len(row.op.parameters) > 1,
        )
    if any(pair[0] != pair[1] for pair in (kernel, stride, padding, dilation)):
        return None
    window = Window(
        kernel[0],
        stride[0],
        padding[0],
        dilation[0],
        rounding="ceil" if values.get("ceil_mode") else "floor",
    )
    return Pool(window, "Max" if row.kind == "max_pool" else "Avg")


def _pair(value: object) -> tuple[int, int] | None:
    if isinstance(value, tuple) and len(value) == 2:
        first, second = value
        if isinstance(first, int) and isinstance(second, int):
            return first, second
    return None


def _symmetric(value: object) -> tuple[int, int] | None:
    """Returns the padding of each axis if it is the same on both sides."""
    if not isinstance(value, tuple) or len(value) != 2:
        return None
    pairs = [_pair(each) for each in value]
    if pairs[0] is None or pairs[1] is None:
        return None
    (top, bottom), (left, right) = pairs[0], pairs[1]
    return (top, left) if top == bottom and left == right else None


def _before(row: OpRow, rows: Sequence[OpRow]) -> tuple[int, int] | None:
    index = row.op.input_indices[0]
    if index < 0:
        return 1, 1
    field = rows[index].receptive_field
    if not field.fields or field.fields[0] is None or any(field.is_global):
        return None
    stride = field.fields[0].effective_stride
    if stride.denominator != 1 or field.fields[0].has_holes:
        return None
    return field.fields[0].size, int(stride)

"""The receptive field of every operation, branches merged.

Follows Araujo, Norris and Sim (Distill 2019), on any graph and per axis. Where everything is
seen (global pooling, squeeze-and-excitation, attention over the whole map), the axis is
*global*; what is seen locally beside that is kept. Where it cannot be said, it is not.

Conventions: the input is endless, so padding counts as seen and a field may exceed the
image. Normalisation is taken as acting on single elements: that group norm takes its
statistics from everywhere is not counted, as in every published table.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from foveal.arithmetic import AxisField
from foveal.errors import UsageError
from foveal.graph.field_mixing import TRANSFORMS, attend, merge
from foveal.graph.field_rules import RULES, through_elements
from foveal.graph.field_state import AxisState, FieldState, join_axes
from foveal.graph.graph import Graph, Op, Shape
from foveal.graph.layout import layout_of_input, plain, sole_axis
from foveal.graph.quantity import Status

_AXIS_NAMES = {1: ("w",), 2: ("h", "w"), 3: ("d", "h", "w")}
_RULES = {**RULES, **TRANSFORMS}
_SAME = frozenset(
    {
        *("activation", "softmax", "dropout", "elementwise", "copy", "add", "sub", "mul", "div"),
        *("batch_norm", "group_norm", "layer_norm", "instance_norm", "norm"),
    }
)


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """What the units of one operation's (first) result see of the input.

    All tuples have one entry per axis, in the order of ``axes``.

    Attributes:
        axes: Names of the axes, ``("h", "w")`` for images.
        fields: The exact local field with its support set; None where there is none.
        is_global: Whether the whole axis is seen, besides the local field.
        status: ``unavailable`` if that is unknown for some axis.
        reason: Why it is unavailable.
    """

    axes: tuple[str, ...]
    fields: tuple[AxisField | None, ...]
    is_global: tuple[bool, ...]
    status: Status = "complete"
    reason: str | None = None

    @property
    def size(self) -> tuple[int | None, ...]:
        """Length of the local field in input pixels."""
        return tuple(None if field is None else field.size for field in self.fields)

    @property
    def effective_stride(self) -> tuple[Fraction | None, ...]:
        """Input pixels from one unit to the next."""
        return tuple(None if field is None else field.effective_stride for field in self.fields)

    @property
    def start(self) -> tuple[int | None, ...]:
        """First input position that the first unit sees; negative: in the padding."""
        return tuple(None if field is None else field.start for field in self.fields)


def receptive_fields(graph: Graph) -> tuple[ReceptiveField, ...]:
    """Returns the receptive field of each operation in ``graph.ops``, in that order."""
    names = _axis_names(graph)
    return tuple(_report(state, names) for state in _states(graph))


def position_dims(graph: Graph) -> tuple[tuple[int, ...] | None, ...]:
    """Returns which dimensions of each operation's (first) result are the axes of the image.

    ``(2, 3)`` for an ordinary map [N, C, H, W], ``(1, 2)`` for one with its channels last.
    None where an axis is gone, split or mixed with another, or where that is not known.
    """
    num_axes = len(_axis_names(graph))
    return tuple(_position_dims(state, num_axes) for state in _states(graph))


def _position_dims(state: FieldState, num_axes: int) -> tuple[int, ...] | None:
    if state.layout is None or num_axes == 0:
        return None
    found = {sole_axis(dim, state.extents): i for i, dim in enumerate(state.layout)}
    dims = [found.get(axis) for axis in range(num_axes)]
    known = tuple(dim for dim in dims if dim is not None)
    return known if len(known) == num_axes else None


def _axis_names(graph: Graph) -> tuple[str, ...]:
    num_axes = max((len(item.shape) - 2 for item in graph.inputs), default=0)
    return _AXIS_NAMES.get(num_axes, ())


def _states(graph: Graph) -> list[FieldState]:
    num_axes = len(_axis_names(graph))
    inputs = [_start(item.shape, num_axes) for item in graph.inputs]
    states_of_input = inputs[0] if inputs else FieldState((), None)
    states: list[FieldState] = []
    for op in graph.ops:
        before = [
            _of_weights(shape, states_of_input)
            if source.kind == "weights"
            else inputs[source.index]
            if source.kind == "input"
            else states[source.index]
            for source, shape in zip(op.inputs, op.input_shapes, strict=True)
        ]
        states.append(_step(op, before))
    return states


def _of_weights(shape: Shape, start: FieldState) -> FieldState:
    """Returns the state of a tensor that sees nothing of any input."""
    axes = tuple(AxisState(None, 1, axis.input_size) for axis in start.axes)
    return FieldState(axes, tuple(plain(size) for size in shape))


def _start(shape: Shape, num_axes: int) -> FieldState:
    if len(shape) != num_axes + 2:
        axes = (AxisState(None, 1, 1, reason="an input is no image"),) * num_axes
        return FieldState(axes, None)
    return FieldState(
        tuple(AxisState(AxisField.of_input(), size, size) for size in shape[2:]),
        layout_of_input(shape, num_axes),
    )


def _report(state: FieldState, names: tuple[str, ...]) -> ReceptiveField:
    reasons = [axis.reason for axis in state.axes if axis.reason and not axis.is_global]
    if not names:
        reasons = ["the network has no input with positions"]
    return ReceptiveField(
        names,
        tuple(axis.field for axis in state.axes),
        tuple(axis.is_global for axis in state.axes),
        "unavailable" if reasons else "complete",
        reasons[0] if reasons else None,
    )


def _step(op: Op, before: list[FieldState]) -> FieldState:
    try:
        if op.kind in {"matmul", "attention"}:
            return attend(op, before)
        if op.kind in {"concat", "stack", "assign"} or (op.kind in _SAME and len(before) > 1):
            return merge(op, before)
        state = before[0]
        rest = before[1:]
        layout = state.layout
        if layout is None:
            state = state.lost("what came before could not be followed")
        else:
            rule = through_elements if op.kind in _SAME else _RULES.get(op.kind)
            if rule is None:
                state = state.lost(f"what {op.name!r} ({op.function}) reads is not known")
            else:
                state = rule(op, state, layout)
        # Weights made from the image (dynamic convolution) bring what they saw.
        for other in rest:
            if op.kind == "max_unpool" and other.layout is not None:  # the indices
                other = _RULES[op.kind](op, other, other.layout)
            state = join_axes(op, state, other)
        return state
    except UsageError as error:
        return before[0].lost(f"{op.name!r}: {error.message}")

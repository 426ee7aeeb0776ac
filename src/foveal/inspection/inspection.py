"""The table of a network: frozen values that need neither the model nor torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from foveal.errors import UsageError
from foveal.graph.graph import GraphInput, GraphOutput, Kind, Op, Shape
from foveal.graph.quantity import Quantity, Status
from foveal.graph.receptive_field import ReceptiveField
from foveal.text import near_names

if TYPE_CHECKING:
    from foveal.inspection.sizes import SizeLaw


@dataclass(frozen=True, slots=True)
class OpRow:
    """One operation with what it costs and what it sees.

    A parameter that several operations share is counted at the first of them, so that the
    rows add up to what the network uses.

    Attributes:
        op: The operation.
        trainable_parameters: Elements with ``requires_grad``.
        frozen_parameters: Elements without.
        shared_with: The operation where (some of) its parameters are counted instead.
        activation_bytes: New memory for its results; 0 for a view and for in-place work.
        kept_bytes: What autograd would keep for it, counted where first kept.
        receptive_field: What one unit of its result sees of the input.
    """

    op: Op
    trainable_parameters: int
    frozen_parameters: int
    shared_with: str | None
    activation_bytes: int
    kept_bytes: Quantity[int]
    receptive_field: ReceptiveField

    @property
    def name(self) -> str:
        """Unique name, see ``foveal.graph.Op``."""
        return self.op.name

    @property
    def kind(self) -> Kind:
        """What it computes."""
        return self.op.kind

    @property
    def output_shape(self) -> Shape:
        """Of the first result, the batch first."""
        return self.op.output_shape

    @property
    def macs(self) -> Quantity[int]:
        """Multiply-accumulates of one forward pass."""
        return self.op.macs

    @property
    def parameters(self) -> int:
        """Trainable and frozen ones."""
        return self.trainable_parameters + self.frozen_parameters


@dataclass(frozen=True, slots=True)
class Stage:
    """Consecutive operations whose results have one resolution.

    Attributes:
        name: The module that does nearly all of the work, else the first and the last.
        first: Index of its first operation.
        last: Index of its last operation.
        output_shape: Of the last.
        resolution: Height and width that its modules end with; None for vectors.
        parameters: Sum over its rows.
        trainable_parameters: Sum over its rows.
        macs: Sum over its rows.
        activation_bytes: Sum over its rows.
        kept_bytes: Sum over its rows.
        receptive_field: Of its last operation.
        share_of_parameters: Of all the network's, 0 to 1. None when the network has none.
        share_of_macs: Of all that are counted. None when there are none.
        share_of_memory: Of the sum of all activations. None when there are none.
    """

    name: str
    first: int
    last: int
    output_shape: Shape
    resolution: tuple[int, ...] | None
    parameters: int
    trainable_parameters: int
    macs: Quantity[int]
    activation_bytes: int
    kept_bytes: Quantity[int]
    receptive_field: ReceptiveField
    share_of_parameters: float | None
    share_of_macs: float | None
    share_of_memory: float | None


@dataclass(frozen=True, slots=True)
class Totals:
    """The whole network.

    Attributes:
        parameters: ``sum(p.numel())``, shared ones once, unused ones included.
        trainable_parameters: Those with ``requires_grad``.
        unused_parameters: Those that this forward pass does not touch; None where tracing
            stopped, since what comes after may use them.
        parameter_bytes: Memory of all parameters.
        macs: Multiply-accumulates of one forward pass.
        activation_bytes: Sum of all results.
        peak_bytes: The most that is alive at once in a forward pass without gradients: the
            input, the results still needed, and what callers hold while a module runs. A
            lower bound: what a forward function holds by name without need is not seen.
            Scratch space of kernels is not part of it, but for the indices of max pooling.
        kept_bytes: What autograd keeps from forward to backward, parameters left out.
        receptive_field: Of the last operation with positions, before global pooling.
        receptive_field_of: Its name; None when no operation has positions.
        num_weighted_layers: Convolutions, linear maps and the like with weights.
        num_nonlinearities: Activations.
    """

    parameters: int
    trainable_parameters: int
    unused_parameters: int | None
    parameter_bytes: int
    macs: Quantity[int]
    activation_bytes: Quantity[int]
    peak_bytes: Quantity[int]
    kept_bytes: Quantity[int]
    receptive_field: ReceptiveField | None
    receptive_field_of: str | None
    num_weighted_layers: int
    num_nonlinearities: int


@dataclass(frozen=True)
class Inspection:
    """A network, layer by layer. Shows itself in notebooks.

    Attributes:
        name: As the caller named it.
        model_type: Class name.
        mode: ``"eval"``, ``"train"`` or ``"mixed"``: the state it was looked at in.
        inputs: What it was given.
        outputs: What it returned; empty when tracing stopped early.
        ops: A row for each operation, in the order of execution.
        stages: The same, summed over runs of one resolution.
        totals: The same, summed.
        status: ``partial`` when only the first operations could be seen.
        reason: Why.
        sizes: What holds for other sizes of the input; None unless it was asked for.
        notes: Facts that a reader of the numbers should know.
    """

    name: str
    model_type: str
    mode: str
    inputs: tuple[GraphInput, ...]
    outputs: tuple[GraphOutput, ...]
    ops: tuple[OpRow, ...] = field(repr=False)
    stages: tuple[Stage, ...] = field(repr=False)
    totals: Totals = field(repr=False)
    status: Status
    reason: str | None
    sizes: SizeLaw | None = field(default=None, repr=False)
    notes: tuple[str, ...] = field(default=(), repr=False)

    def op(self, name: str) -> OpRow:
        """Returns the row of that name.

        Raises:
            UsageError: There is none; near names are offered.
        """
        for row in self.ops:
            if row.name == name:
                return row
        near = near_names(name, [row.name for row in self.ops])
        raise UsageError(
            f"{self.name} has no operation named {name!r}.",
            next_step=f"Did you mean {' or '.join(near)}?" if near else None,
        )

    def __str__(self) -> str:
        from foveal.inspection.as_text import render_inspection_text

        return render_inspection_text(self)

    # A notebook asks the object itself for its HTML, and what draws it needs the type.
    def _repr_html_(self) -> str:
        from foveal.inspection.page import render_inspection_fragment

        return render_inspection_fragment(self)

"""The graph of a network: frozen values, no tensors, no modules.

A ``Graph`` can be pickled, compared and kept after the model is gone. The module behind an
operation is ``model.get_submodule(op.module_path)``; a parameter is
``model.get_parameter(name)``.

Shapes are as PyTorch has them, the batch first: ``(N, C, H, W)``. Tracing uses the batch size
that was asked for, 1 if none was, so counts are per image unless a batch size was given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Literal

from foveal.errors import UsageError
from foveal.graph.quantity import Quantity, Status, total
from foveal.text import near_names

Shape = tuple[int, ...]
AttributeValue = int | float | bool | str | None | tuple["AttributeValue", ...]

Kind = Literal[
    "conv",  # attributes: kernel, stride, padding (pairs (before, after)), dilation, groups
    "conv_transpose",  # the same and output_padding
    "deform_conv",  # as conv, read at positions that offsets choose
    "linear",  # in_features, out_features
    "matmul",  # matmul, bmm, einsum between activations or with a bare parameter
    "recurrent",  # LSTM, GRU and plain; function: "lstm", "gru_cell", ...; is_bidirectional
    "fft",  # Fourier transforms; dims. Not products with weights, so no MACs
    "attention",  # scaled_dot_product_attention, multi_head_attention_forward
    "batch_norm",  # training, eps, momentum
    "layer_norm",  # normalized_shape, eps
    "group_norm",  # num_groups, eps
    "instance_norm",
    "norm",  # rms_norm, local_response_norm, normalize
    "activation",  # function: "relu", "gelu", ...
    "softmax",  # dim, function: "softmax" or "log_softmax"
    "dropout",  # p, training
    "max_pool",  # kernel, stride, padding, dilation, ceil_mode
    "avg_pool",  # kernel, stride, padding, ceil_mode, count_include_pad
    "adaptive_pool",  # output_size, function: "avg" or "max"
    "global_pool",  # one value a channel: adaptive pooling to 1 or a mean over H and W
    "add",
    "sub",
    "mul",
    "div",
    "concat",  # dim
    "stack",  # dim
    "split",  # dim; several outputs
    "slice",  # indexing; index
    "flatten",  # start_dim, end_dim
    "reshape",  # view, reshape, unflatten, squeeze, unsqueeze; the new shape
    "permute",  # permute, transpose, movedim; dims
    "expand",
    "roll",
    "pad",  # padding as pairs (before, after), last dimension first; mode
    "max_unpool",  # kernel, stride, padding
    "grid_sample",  # samples at positions that a grid chooses, and what makes such grids
    "interpolate",  # output_size, mode, align_corners, antialias
    "pixel_shuffle",  # factor, function: "pixel_shuffle" or "pixel_unshuffle"
    "unfold",
    "reduce",  # mean, sum, max, ... over dims; keepdim
    "elementwise",  # any other function of single elements: pow, clamp, where, exp, ...
    "copy",  # contiguous, clone, a change of dtype: the same numbers
    "assign",  # x[...] = y; reads what was there and what is written
    "embedding",
    "other",  # nothing is known about it; every figure after it says so
]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a tensor comes from.

    Attributes:
        kind: ``"op"`` for the result of an operation, ``"input"`` for an input of the graph,
            ``"weights"`` for a tensor that the network holds (learned queries), where a layer
            works on nothing else.
        index: Position in ``graph.ops`` or ``graph.inputs``; for weights, of the reader.
        output: Which result, for operations that have several, such as ``split``.
    """

    kind: Literal["op", "input", "weights"]
    index: int
    output: int = 0


@dataclass(frozen=True, slots=True)
class GraphInput:
    """One tensor that the network is given.

    Attributes:
        name: The name of the argument of ``forward``.
        shape: With the batch first.
        dtype: As PyTorch prints it, without ``torch.``, such as ``"float32"``.
        passed: Whether ``forward`` got it by position, by name, or in a dictionary or list.
    """

    name: str
    shape: Shape
    dtype: str
    passed: Literal["by position", "by name", "in a container"] = "by position"


@dataclass(frozen=True, slots=True)
class GraphOutput:
    """One tensor that the network returns.

    Attributes:
        path: Where it sits in what the model returns: ``""`` for a single tensor,
            ``"[1]"``, ``"['out']"`` and the like otherwise.
        source: What produced it. None when it does not depend on any input.
        shape: With the batch first.
    """

    path: str
    source: Source | None
    shape: Shape


@dataclass(frozen=True, slots=True)
class Parameter:
    """One tensor of weights, counted once however many names and users it has.

    Attributes:
        name: The first of its names in ``model.named_parameters()``.
        shape: As stored.
        dtype: Without ``torch.``.
        is_trainable: Its ``requires_grad``.
        other_names: Further names of the same tensor; not empty means shared.
        op_indices: The operations that use it. Empty: unused in this forward pass.
    """

    name: str
    shape: Shape
    dtype: str
    is_trainable: bool
    other_names: tuple[str, ...] = ()
    op_indices: tuple[int, ...] = ()

    @property
    def count(self) -> int:
        """Number of elements."""
        product = 1
        for size in self.shape:
            product *= size
        return product

    @property
    def is_shared(self) -> bool:
        """Whether it has two names or is used by two operations."""
        return bool(self.other_names) or len(self.op_indices) > 1


@dataclass(frozen=True, slots=True)
class Op:
    """One operation on activations.

    Computation on parameters alone (a standardised weight, a table of position biases) is
    no operation of its own: it is folded into the operation that uses its result, which
    then lists those parameters, bears its MACs and has the attribute ``computed_weight =
    True``. But a layer with weights of its own that works on parameters of others (attention
    over learned queries) is one, and so is what follows it.

    Attributes:
        index: Position in ``graph.ops``, which is the order of execution.
        name: Unique. The module's path where the operation is all that the module does or
            uses the module's own weights (``"layer1.0.conv1"``); else the path of the
            module whose ``forward`` calls it, and its function (``"layer1.0.add"``). The
            second and later of one name end in ``#2``, ``#3``.
        module_path: The innermost module at work; ``""`` is the model itself.
        module_type: That module's class name.
        kind: What it computes.
        function: The function that was called, in PyTorch's word: ``"relu"``, ``"add"``.
        attributes: Settings, see ``Kind``. Read-only.
        inputs: The activations that feed it, in order. Parameters are not among them.
        input_shapes: The shapes of those.
        output_shapes: One shape for each result.
        parameters: Names of the parameters it uses (first names, see ``Parameter``).
        buffers: Names of the buffers it uses, such as running statistics.
        macs: Multiply-accumulates of convolutions, linear maps and matrix products. All
            other operations have none.
        is_inplace: Whether it overwrites its (first) input.
        dtype: Of the first result, without ``torch.``.
    """

    index: int
    name: str
    module_path: str
    module_type: str
    kind: Kind
    function: str
    attributes: Mapping[str, AttributeValue] = field(hash=False)
    inputs: tuple[Source, ...]
    input_shapes: tuple[Shape, ...]
    output_shapes: tuple[Shape, ...]
    parameters: tuple[str, ...]
    buffers: tuple[str, ...]
    macs: Quantity[int]
    is_inplace: bool
    dtype: str

    @property
    def output_shape(self) -> Shape:
        """The shape of the first result."""
        return self.output_shapes[0]

    @property
    def input_indices(self) -> tuple[int, ...]:
        """Indices of the operations that feed it; ``-1 - k`` is the k-th graph input.

        Weights that a layer works on are left out.
        """
        return tuple(
            source.index if source.kind == "op" else -1 - source.index
            for source in self.inputs
            if source.kind != "weights"
        )

    # A read-only view cannot be pickled, so the attributes travel as a plain dictionary.
    def __reduce__(self) -> tuple[object, ...]:
        fields = [getattr(self, name) for name in self.__slots__]
        fields[self.__slots__.index("attributes")] = dict(self.attributes)
        return _rebuild_op, tuple(fields)


def _rebuild_op(*fields: object) -> Op:
    values = dict(zip(Op.__slots__, fields, strict=True))
    attributes = values["attributes"]
    assert isinstance(attributes, dict)
    values["attributes"] = MappingProxyType(attributes)
    return Op(**values)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Graph:
    """A network as it ran on inputs of one shape.

    Attributes:
        model_type: Class name of the model.
        inputs: What it was given.
        outputs: What it returned; empty when tracing stopped early.
        ops: Every operation on activations, in the order of execution.
        parameters: Every parameter of the model, used or not.
        status: ``complete``; ``partial`` when tracing had to stop, so that ``ops`` are
            right but only the first ones; ``unavailable`` when it stopped before the first.
        reason: Why it stopped; None when complete.
        stopped_at: The location where it stopped: module path and line of source.
        modes: ``"eval"``, ``"train"`` or ``"mixed"``: the state of the modules that ran.
    """

    model_type: str
    inputs: tuple[GraphInput, ...]
    outputs: tuple[GraphOutput, ...]
    ops: tuple[Op, ...]
    parameters: tuple[Parameter, ...]
    status: Status = "complete"
    reason: str | None = None
    stopped_at: str | None = None
    modes: Literal["eval", "train", "mixed"] = "eval"

    @cached_property
    def consumers(self) -> tuple[tuple[int, ...], ...]:
        """For each operation, the operations that read any of its results."""
        found: list[list[int]] = [[] for _ in self.ops]
        for op in self.ops:
            for index in dict.fromkeys(source.index for source in op.inputs if source.kind == "op"):
                found[index].append(op.index)
        return tuple(tuple(indices) for indices in found)

    @cached_property
    def macs(self) -> Quantity[int]:
        """Multiply-accumulates of one forward pass."""
        known = total(op.macs for op in self.ops)
        if self.status == "complete" or self.reason is None:
            return known
        reason = "; ".join(filter(None, (self.reason, known.reason)))
        if self.status == "unavailable":
            return Quantity.unavailable(reason)
        return Quantity.partial(known.value or 0, reason)

    @cached_property
    def parameter_count(self) -> int:
        """Elements of all parameters, shared ones once: ``sum(p.numel())``."""
        return sum(parameter.count for parameter in self.parameters)

    @cached_property
    def trainable_parameter_count(self) -> int:
        """The same over parameters with ``requires_grad``."""
        return sum(parameter.count for parameter in self.parameters if parameter.is_trainable)

    @cached_property
    def _index_by_name(self) -> dict[str, int]:
        return {op.name: op.index for op in self.ops}

    @cached_property
    def _parameter_by_name(self) -> dict[str, Parameter]:
        return {
            name: parameter
            for parameter in self.parameters
            for name in (parameter.name, *parameter.other_names)
        }

    def op(self, name: str) -> Op:
        """Returns the operation of that name.

        Raises:
            UsageError: No operation has that name; near ones are offered.
        """
        index = self._index_by_name.get(name)
        if index is None:
            near = near_names(name, self._index_by_name)
            raise UsageError(
                f"{self.model_type} has no operation named {name!r}.",
                next_step=f"Did you mean {', '.join(near)}?" if near else None,
            )
        return self.ops[index]

    def parameter(self, name: str) -> Parameter:
        """Returns the parameter of that name, any of its names."""
        parameter = self._parameter_by_name.get(name)
        if parameter is None:
            near = near_names(name, self._parameter_by_name)
            raise UsageError(
                f"{self.model_type} has no parameter named {name!r}.",
                next_step=f"Did you mean {', '.join(near)}?" if near else None,
            )
        return parameter

    def shape_of(self, source: Source) -> Shape:
        """Returns the shape of the tensor that ``source`` points at."""
        if source.kind == "input":
            return self.inputs[source.index].shape
        if source.kind == "weights":
            return self.ops[source.index].input_shapes[0]
        return self.ops[source.index].output_shapes[source.output]

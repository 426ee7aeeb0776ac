"""What is written down while a forward pass is watched.

A tensor in the arguments of a recorded call is replaced by a *ref*, which says which tensor
object it was: the result of an earlier call, an input, or a tensor that was there before.
An object that is overwritten in place keeps its ref, while its *source* in the graph, which
says which operation computed its present value, moves on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from foveal.graph.graph import Kind, Shape, Source
from foveal.graph.layer_attributes import Attributes
from foveal.graph.nested_tensors import Path
from foveal.graph.quantity import Quantity


class UnfollowableError(BaseException):
    """Tracing cannot go on; a BaseException so that no ``except Exception`` of a model eats it."""


@dataclass(frozen=True, slots=True)
class CallRef:
    """The result of a recorded call."""

    call_index: int
    path: Path


@dataclass(frozen=True, slots=True)
class InputRef:
    """A tensor that the network was given."""

    index: int


@dataclass(frozen=True, slots=True, eq=False)
class TensorRef:
    """A tensor that was there before: parameter, buffer, plain attribute."""

    tensor: torch.Tensor
    name: str | None


Ref = CallRef | InputRef | TensorRef


@dataclass(slots=True)
class RecordedCall:
    """One call of a PyTorch function; tensors in its arguments are replaced by ``Ref``."""

    index: int
    function: Callable[..., Any]
    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    frame: Frame
    overwritten: tuple[Ref, ...] = ()
    op: RecordedOp | None = None


@dataclass(slots=True)
class RecordedOp:
    """A call on activations, before it has its final name."""

    index: int
    kind: Kind
    attributes: Attributes
    inputs: tuple[Source, ...]
    input_shapes: tuple[Shape, ...]
    output_shapes: tuple[Shape, ...]
    parameters: tuple[str, ...]
    buffers: tuple[str, ...]
    macs: Quantity[int]
    dtype: str
    uses_own_weights: bool
    call: RecordedCall
    output_refs: tuple[Ref, ...] = ()


@dataclass(slots=True)
class Frame:
    """One call of a module."""

    index: int
    parent: Frame | None
    module: torch.nn.Module
    path: str
    args: tuple[Any, ...]
    first_call: int
    kwargs: dict[str, Any] = field(default_factory=dict)
    end_call: int = -1
    result: Any = None
    has_children: bool = False


@dataclass(slots=True)
class Failure:
    """The call that raised, for the error message."""

    error: BaseException
    name: str
    kind: Kind
    frame: Frame
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


def refs_in(value: Any) -> Iterator[Ref]:
    """Yields the refs in a recorded argument or result."""
    if isinstance(value, (CallRef, InputRef, TensorRef)):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from refs_in(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from refs_in(item)
    elif isinstance(value, slice):
        yield from refs_in((value.start, value.stop, value.step))

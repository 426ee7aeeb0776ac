"""What rules are given: a model, what is known about it, and facts that several rules share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import nn

from foveal.errors import FovealError
from foveal.graph import Graph, Head, Op, ReceptiveField, head, receptive_fields, trace
from foveal.graph.inputs import InputShape as GivenShape
from foveal.linting.finding import CannotTellError, RefusedInputError
from foveal.models.sources.building import assumed_input_shape, stated_input_shape

InputShape = tuple[int, ...]


@dataclass(frozen=True)
class LintContext:
    """One model under examination. Frozen; the cached facts are computed on first use.

    A fact that cannot be computed raises ``CannotTellError``, which makes the rule that asked
    for it ``Undetermined``.

    Attributes:
        model: Never written to.
        input_shape: Of one image, ``(C, H, W)``; empty when it could not be told.
        input_source: Where that shape comes from, or why it could not be told.
        example: What the model is traced with, where that is no single image: several
            shapes, a mapping, tensors; ``input_shape`` is then that of the first of them.
        batch: Images ``(N, C, H, W)`` as the model is given them in training, if any.
        labels: Class indices ``(N,)`` of the batch, if any.
        optimizer: The optimizer it is to be trained with, if any.
        loss: The loss it is to be trained with, if any.
        is_pretrained: Whether the weights are said to be trained; None if unknown.
        expected_input: What the weights' makers say about their input, such as
            ``{"mean": (...), "std": (...)}``, if known.
        given_input: How the batch was prepared, in the same words, if known.
        settings: Further facts about the planned training that a caller may state, such as
            ``{"batch_size": 4}``.
        kept: Results of passes that several rules need, by name.
    """

    model: nn.Module
    input_shape: InputShape
    input_source: str = "given"
    example: GivenShape | None = None
    batch: torch.Tensor | None = None
    labels: torch.Tensor | None = None
    optimizer: torch.optim.Optimizer | None = None
    loss: Any = None
    is_pretrained: bool | None = None
    expected_input: Mapping[str, Any] | None = None
    given_input: Mapping[str, Any] | None = None
    settings: Mapping[str, Any] | None = None
    kept: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def _graph_or_error(self) -> Graph | CannotTellError:
        given = self.input_shape if self.example is None else self.example
        if self.example is None and not self.input_shape:
            return CannotTellError(self.input_source)
        try:
            graph = trace(self.model, given, mode="eval")
        except FovealError as error:
            return RefusedInputError(" ".join(filter(None, (error.message, error.next_step))))
        if graph.status != "complete":
            return CannotTellError(graph.reason or "the model could not be traced")
        return graph

    @property
    def graph(self) -> Graph:
        """The complete graph in evaluation mode.

        Raises:
            CannotTellError: The model cannot be traced to its end.
            RefusedInputError: It does not take the input, or raises of itself.
        """
        found = self._graph_or_error
        if isinstance(found, CannotTellError):
            raise found
        return found

    @cached_property
    def head(self) -> Head:
        """How the network gets from its last feature map to the logits."""
        return head(self.graph)

    @cached_property
    def receptive_fields(self) -> tuple[ReceptiveField, ...]:
        """The receptive field of each operation, in the order of ``graph.ops``."""
        return receptive_fields(self.graph)

    @cached_property
    def modules(self) -> Mapping[str, nn.Module]:
        """Every module by its path, shared ones once."""
        return dict(self.model.named_modules())

    @cached_property
    def parameters(self) -> Mapping[str, nn.Parameter]:
        """Every parameter by each of its names."""
        return dict(self.model.named_parameters(remove_duplicate=False))

    @cached_property
    def buffers(self) -> Mapping[str, torch.Tensor]:
        """Every buffer by each of its names."""
        return dict(self.model.named_buffers(remove_duplicate=False))

    @cached_property
    def has_values(self) -> bool:
        """Whether the weights have values: a model on the meta device has only shapes."""
        tensors = [*self.parameters.values(), *self.buffers.values()]
        return bool(tensors) and not any(tensor.is_meta for tensor in tensors)

    def module_of(self, op: Op) -> nn.Module:
        """Returns the innermost module at work in an operation."""
        return self.modules[op.module_path]


def infer_input_shape(
    model: nn.Module, batch: torch.Tensor | None = None
) -> tuple[InputShape, str]:
    """Returns the shape of one image and where it comes from.

    From the batch; else from what the model says of itself; else the channels that the first
    convolution reads, at 224 by 224.

    Raises:
        CannotTellError: There is no convolution to ask either.
    """
    if batch is not None:
        return tuple(batch.shape[1:]), "the batch"
    stated = stated_input_shape(model)
    if stated is not None:
        return stated
    assumed = assumed_input_shape(model)
    if assumed is not None:
        return assumed, "the first convolution, and a usual size"
    raise CannotTellError("the model has no 2-d convolution that tells the input's channels")

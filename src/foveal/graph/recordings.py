"""The same forward pass for several batch sizes, to tell which numbers depend on it."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import torch
from torch.utils import _pytree as pytree

from foveal.errors import TraceError
from foveal.graph.graph import Graph, GraphInput, Shape
from foveal.graph.recorder import Recorder
from foveal.graph.records import (
    CallRef,
    refs_in,
)
from foveal.graph.tracing import Recording, record

BATCH_SIZES = (2, 3, 5)


class Recordings:
    """Forward passes with different batch sizes, made when they are needed."""

    def __init__(self, model: torch.nn.Module, graph: Graph) -> None:
        self._model = model
        self._graph = graph
        self._made: dict[int, Recording] = {}

    @property
    def first(self) -> Recording:
        """The recording that the two sides are built from."""
        return self.at(BATCH_SIZES[0])

    def at(self, batch_size: int) -> Recording:
        """Returns the recording for one batch size."""
        if batch_size not in self._made:
            inputs = self._graph.inputs
            if any(item.passed == "in a container" for item in inputs):
                raise TraceError(
                    f"{self._graph.model_type} takes its inputs in a dictionary or list, which "
                    "the halves of a cut cannot be given."
                )
            shapes = {item.name: (batch_size, *item.shape[1:]) for item in inputs}
            by_name = any(item.passed == "by name" for item in inputs)
            self._made[batch_size] = record(
                self._model,
                _examples(inputs, shapes) if by_name else list(_examples(inputs, shapes).values()),
                explain="no search",
            )
        return self._made[batch_size]

    def others(self) -> list[tuple[int, Recorder]]:
        """Returns the recorders for the further batch sizes.

        Raises:
            TraceError: The model makes other calls then.
        """
        others = [(size, self.at(size).recorder) for size in BATCH_SIZES[1:]]
        if any(len(other.calls) != len(self.first.recorder.calls) for _, other in others):
            raise TraceError(
                f"{self._graph.model_type} runs other operations for other batch sizes, so a "
                "cut would hold for one batch size alone."
            )
        return others


def _examples(inputs: tuple[GraphInput, ...], shapes: dict[str, Shape]) -> dict[str, torch.Tensor]:
    return {
        item.name: torch.empty(shapes[item.name], dtype=getattr(torch, item.dtype), device="meta")
        for item in inputs
    }


def batch_formula(value: int, others: list[tuple[int, int]]) -> tuple[int, int]:
    """Returns ``(a, b)`` such that the number is ``a * batch_size + b``.

    Args:
        value: The number at the first of the batch sizes.
        others: Further batch sizes, each with the number there.

    Raises:
        TraceError: The number is not of that form.

    >>> batch_formula(98, [(3, 147), (5, 245)]), batch_formula(7, [(3, 7), (5, 7)])
    ((49, 0), (0, 7))
    """
    size, other = others[0]
    slope = Fraction(other - value, size - BATCH_SIZES[0])
    constant = value - slope * BATCH_SIZES[0]
    fits = all(slope * size + constant == other for size, other in others)
    if not fits or slope.denominator != 1:
        raise TraceError(
            "the model computes with the batch size in a way that is not followed: "
            f"{[value, *(other for _, other in others)]} for batches of {list(BATCH_SIZES)}."
        )
    return int(slope), int(constant)


def result_uses(recording: Recording) -> dict[int, list[tuple[CallRef, int]]]:
    """For each call, which of its results are read, and by which later call."""
    found: dict[int, list[tuple[CallRef, int]]] = {}
    recorder = recording.recorder
    for call in recorder.calls:
        for ref in refs_in((call.args, call.kwargs)):
            if isinstance(ref, CallRef):
                found.setdefault(ref.call_index, []).append((ref, call.index))
    for tensor in pytree.tree_leaves(recording.result):
        if isinstance(tensor, torch.Tensor):
            ref = recorder.seen.ref(tensor)
            if isinstance(ref, CallRef):
                found.setdefault(ref.call_index, []).append((ref, len(recorder.calls)))
    return found


def whole_numbers(value: Any) -> Iterator[int]:
    """Yields the whole numbers in recorded arguments."""
    if type(value) is int:
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from whole_numbers(item)
    elif isinstance(value, dict):
        yield from whole_numbers(list(value.values()))
    elif isinstance(value, slice):
        yield from whole_numbers((value.start, value.stop, value.step))

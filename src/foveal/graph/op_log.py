"""What a recorded forward pass did: its calls, and those on activations as operations."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import torch

from foveal.graph.attributes import read_attributes, settle_pool
from foveal.graph.costs import count_macs
from foveal.graph.graph import Source
from foveal.graph.layer_attributes import Call
from foveal.graph.nested_tensors import Path, tensors_with_paths
from foveal.graph.quantity import Quantity
from foveal.graph.records import CallRef, Frame, RecordedCall, RecordedOp
from foveal.graph.seen_tensors import Known, SeenTensors
from foveal.graph.vocabulary import KIND_BY_NAME

_LAYER_KINDS = frozenset({"conv", "conv_transpose", "linear", "attention", "recurrent"})
Outputs = list[tuple[Path, torch.Tensor]]


class OpLog:
    """Writes down one forward pass, call by call."""

    def __init__(self, seen: SeenTensors) -> None:
        self.calls: list[RecordedCall] = []
        self.ops: list[RecordedOp] = []
        self._seen = seen
        self._work: dict[int, int] = {}

    def add_call(
        self,
        function: Callable[..., Any],
        name: str,
        refs: tuple[Any, Any],
        frame: Frame,
        changed: list[torch.Tensor],
    ) -> RecordedCall:
        """Returns the record of a call, with the refs of its arguments, now written down."""
        overwritten = tuple(map(self._seen.ref, changed))
        call = RecordedCall(len(self.calls), function, name, *refs, frame, overwritten)
        self.calls.append(call)
        return call

    def add_results(
        self,
        call: RecordedCall,
        arguments: Call,
        inputs: list[Known],
        outputs: Outputs,
        changed: list[torch.Tensor],
    ) -> None:
        """Notes what a call gave: an operation if it read activations, else computed weights.

        Args:
            call: The call.
            arguments: What it was called with, tensors on the meta device.
            inputs: What is known about the tensors among them.
            outputs: What it returned.
            changed: The tensors that it wrote to.
        """
        is_from_images = any(known.source is not None for known in inputs)
        has_values = not call.name.endswith("_like") and not call.name.startswith("new_")
        if has_values and (is_from_images or self._is_layer_at_work(call, inputs)):
            self._record_op(call, arguments, inputs, outputs, changed)
        else:
            self._note_work(call, arguments, outputs[0][1])
            self._record_weights(call, inputs if has_values else [], outputs)

    def _is_layer_at_work(self, call: RecordedCall, inputs: list[Known]) -> bool:
        """Whether a layer applies weights of its own to weights of others (learned queries)."""
        if KIND_BY_NAME.get(call.name) not in _LAYER_KINDS or len(inputs) < 2:
            return False
        own = self._seen.own_names(call.frame.module)
        applied = any(not own.isdisjoint(known.parameters) for known in inputs[1:])
        return applied and own.isdisjoint((*inputs[0].parameters, *inputs[0].buffers))

    def _note_work(self, call: RecordedCall, arguments: Call, first: torch.Tensor) -> None:
        """Keeps what a product of weights costs for the operation that will use its result."""
        kind = KIND_BY_NAME.get(call.name)
        if kind not in {*_LAYER_KINDS, "matmul"} or call.name in {"mv", "dot"}:
            return
        macs = count_macs(kind, call.name, arguments, first)
        if macs.value:
            self._work[call.index] = macs.value

    def _record_op(
        self,
        call: RecordedCall,
        arguments: Call,
        inputs: list[Known],
        outputs: Outputs,
        changed: list[torch.Tensor],
    ) -> None:
        index, name = len(self.ops), call.name
        activations = [known for known in inputs if known.source is not None]
        weights = [known for known in inputs if known.source is None]
        sources = [known.source for known in activations if known.source is not None]
        shapes = [tuple(known.tensor.shape) for known in activations]
        for tensor in changed:
            for source, shape in self._seen.other_views(tensor, sources):
                sources.append(source)
                shapes.append(shape)
        kind = KIND_BY_NAME.get(name, "other")
        first = outputs[0][1]
        if not sources:
            sources, shapes = [Source("weights", index)], [tuple(weights[0].tensor.shape)]
        attributes = read_attributes(kind, name, arguments)
        if any(known.is_computed and known.parameters for known in weights):
            attributes["computed_weight"] = True
        if kind == "interpolate":
            attributes["output_size"] = tuple(first.shape[2:])
        kind = settle_pool(kind, attributes, arguments, name)
        parameters = _merge(known.parameters for known in weights)
        own = self._seen.own_names(call.frame.module)
        buffers = _merge(known.buffers for known in weights)
        op = RecordedOp(
            index,
            kind,
            attributes,
            tuple(sources),
            tuple(shapes),
            tuple(tuple(tensor.shape) for _, tensor in outputs),
            parameters,
            buffers,
            self._with_work(count_macs(kind, name, arguments, first), weights),
            str(first.dtype).removeprefix("torch."),
            not own.isdisjoint(parameters) or not own.isdisjoint(buffers),
            call,
        )
        self.ops.append(op)
        call.op = op
        for slot, (path, tensor) in enumerate(outputs):
            # A tensor that was overwritten is still the same object, hence the same ref.
            ref = (
                self._seen.ref(tensor) if _is_among(tensor, changed) else CallRef(call.index, path)
            )
            op.output_refs += (ref,)
            self._seen.remember(Known(tensor, ref, Source("op", index, slot)))
        for tensor in changed:
            self._seen.overwrite(tensor, Source("op", index))

    def _with_work(self, macs: Quantity[int], weights: list[Known]) -> Quantity[int]:
        """Adds what it cost to compute the weights, at the first operation that uses them."""
        calls = {index for known in weights for index in known.work}
        more = sum(self._work.pop(index, 0) for index in calls)
        if not more or macs.value is None:
            return macs
        return replace(macs, value=macs.value + more)

    def _record_weights(
        self,
        call: RecordedCall,
        inputs: list[Known],
        outputs: Outputs,
    ) -> None:
        parameters = _merge(known.parameters for known in inputs)
        buffers = _merge(known.buffers for known in inputs)
        work = tuple(dict.fromkeys(index for known in inputs for index in known.work))
        if call.index in self._work:
            work = (*work, call.index)
        for path, tensor in outputs:
            ref = self._seen.ref(tensor) if call.overwritten else CallRef(call.index, path)
            known = Known(tensor, ref, None, parameters, buffers, work, is_computed=True)
            self._seen.remember(known)


def outputs_of(result: Any, changed: list[torch.Tensor]) -> Outputs:
    """Returns the tensors that a call gave back, else those that it wrote to."""
    return list(tensors_with_paths(result)) or [((), tensor) for tensor in changed[:1]]


def _is_among(tensor: torch.Tensor, tensors: list[torch.Tensor]) -> bool:
    return any(tensor is other for other in tensors)


def _merge(groups: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for group in groups for name in group))

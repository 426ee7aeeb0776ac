"""Builds the module of one side of a cut, as a ``torch.fx`` graph."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any, Literal

import torch
from torch import fx
from torch.utils import _pytree as pytree

from foveal.errors import TraceError
from foveal.graph.cut_modules import (
    TRAINING_ARGUMENTS,
    FollowsTraining,
    Rebuild,
    is_training,
)
from foveal.graph.nested_tensors import tensors_in, tensors_with_paths
from foveal.graph.recorder import Recorder
from foveal.graph.recordings import (
    BATCH_SIZES,
    Recordings,
    batch_formula,
    result_uses,
    whole_numbers,
)
from foveal.graph.records import (
    CallRef,
    Frame,
    InputRef,
    RecordedCall,
    Ref,
    TensorRef,
    refs_in,
)

_PROPERTIES = frozenset({"T", "mT", "H", "mH", "data", "real"})


class CutBuilder:
    """Builds one side of a cut from what was recorded."""

    def __init__(
        self,
        recordings: Recordings,
        model: torch.nn.Module,
        side: Literal["prefix", "suffix"],
        last_call: int,
        cut_ref: Ref,
    ) -> None:
        self._recordings = recordings
        self._recorder = recordings.first.recorder
        self._model = model
        self._side = side
        self._last_call = last_call
        self._cut_ref = cut_ref
        self._graph = fx.Graph()
        self._root: dict[str, Any] = {}
        self._nodes: dict[Any, fx.Node] = {}
        self._tensors: dict[int, fx.Node] = {}
        self._batch: fx.Node | None = None
        self._uses = result_uses(recordings.first)

    def build(self) -> fx.GraphModule:
        """Returns the finished module."""
        frames = self._recorder.frames
        if self._side == "prefix":
            self._add_inputs()
            self._emit_frame(frames[0])
            self._graph.output(self._node(self._cut_ref))
        else:
            self._add_cut_tensor()
            self._emit_frame(frames[0])
            self._graph.output(self._result(self._recordings.first.result))
        module = fx.GraphModule(self._root, self._graph, type(self._model).__name__)
        # Set without train(), which would reach into the model's own submodules.
        own = {id(item) for item in self._model.modules()}
        for item in module.modules():
            if id(item) not in own and not isinstance(item, FollowsTraining):
                item.training = self._model.training
        return module

    def _add_inputs(self) -> None:
        for index, item in enumerate(self._recordings.first.graph.inputs):
            node = self._graph.placeholder(item.name)
            self._nodes[InputRef(index)] = node
        self._batch_source = (self._nodes[InputRef(0)], 1)

    def _add_cut_tensor(self) -> None:
        node = self._graph.placeholder("features")
        shape = self._recorder.seen.tensor_of(self._cut_ref).shape
        self._batch_source = (node, shape[0] // BATCH_SIZES[0])
        later = self._recorder.calls[self._last_call + 1 :]
        memory = self._recorder.seen.memory_of(self._cut_ref)
        if any(
            memory == self._recorder.seen.memory_of(ref) for c in later for ref in c.overwritten
        ):
            node = self._graph.call_method("clone", (node,))
        self._nodes[self._cut_ref] = node

    # --- walking the recorded calls --------------------------------------------------------

    def _is_mine(self, call_index: int) -> bool:
        return (call_index <= self._last_call) == (self._side == "prefix")

    def _emit_frame(self, frame: Frame) -> None:
        for item in self._items(frame):
            if isinstance(item, RecordedCall):
                if self._is_mine(item.index) and item.op is not None:
                    self._emit_call(item)
            elif item.first_call < item.end_call:
                self._emit_child(item)

    def _emit_child(self, frame: Frame) -> None:
        inside = range(frame.first_call, frame.end_call)
        mine = [self._is_mine(index) for index in (inside[0], inside[-1])]
        if not any(mine):
            return
        if all(mine) and self._has_arguments(frame) and self._is_closed(frame):
            self._call_module(frame)
        else:
            self._emit_frame(frame)

    def _items(self, frame: Frame) -> Iterator[Frame | RecordedCall]:
        children = [f for f in self._recorder.frames if f.parent is frame]
        starts = {index for f in children for index in range(f.first_call, f.end_call)}
        calls = [
            call
            for call in self._recorder.calls[frame.first_call : frame.end_call]
            if call.index not in starts and call.frame is frame
        ]
        items: list[Frame | RecordedCall] = [*children, *calls]
        yield from sorted(
            items, key=lambda i: i.index if isinstance(i, RecordedCall) else i.first_call
        )

    def _has_arguments(self, frame: Frame) -> bool:
        """Whether all that it is given exists on this side.

        CoaT hands its blocks a tensor that they do not read; then only what is inside counts.
        """
        return all(
            ref in self._nodes
            or (isinstance(ref, CallRef) and self._recorder.calls[ref.call_index].op is None)
            for ref in _comparable((frame.args, frame.kwargs))
        )

    def _is_closed(self, frame: Frame) -> bool:
        """Whether all that goes in is an argument and all that is used later is a result."""
        given = set(_comparable((frame.args, frame.kwargs)))
        returned = set(_comparable(list(frame.result.values())))
        for call in self._recorder.calls[frame.first_call : frame.end_call]:
            for ref in _comparable((call.args, call.kwargs)):
                outside = isinstance(ref, InputRef) or not (
                    frame.first_call <= ref.call_index < frame.end_call
                )
                if outside and ref not in given:
                    return False
        for index in range(frame.first_call, frame.end_call):
            for ref, used_by in self._uses.get(index, ()):
                if used_by >= frame.end_call and ref not in returned:
                    return False
        return True

    # --- nodes ---------------------------------------------------------------------------

    def _call_module(self, frame: Frame) -> None:
        self._root[frame.path] = frame.module
        args, kwargs = self._arguments(
            frame.args, frame.kwargs, lambda other: _same_frame(other, frame)
        )
        node = self._graph.call_module(frame.path, args, kwargs)
        for path, ref in frame.result.items():
            if not isinstance(ref, TensorRef):
                self._nodes[ref] = self._follow(node, path)

    def _emit_call(self, call: RecordedCall) -> fx.Node:
        args, kwargs = self._arguments(
            call.args, call.kwargs, lambda other: other.calls[call.index]
        )
        node = self._make_node(call, args, kwargs)
        call_refs = [ref for ref, _ in self._uses.get(call.index, ())]
        self._nodes[CallRef(call.index, ())] = node
        for ref in call_refs:
            if ref.path:
                self._nodes[ref] = self._follow(node, ref.path)
        for written in call.overwritten:
            if call.name != "setitem" and not isinstance(written, TensorRef):
                self._nodes[written] = node
        return node

    def _emit_writes(self, ref: CallRef) -> None:
        """Repeats what was written into a constant after it was made."""
        memory = self._recorder.seen.memory_of(ref)
        for call in self._recorder.calls[ref.call_index + 1 :]:
            writes = call.op is None and call.overwritten
            if writes and memory in {self._recorder.seen.memory_of(r) for r in call.overwritten}:
                self._emit_call(call)

    def _make_node(self, call: RecordedCall, args: Any, kwargs: Any) -> fx.Node:
        function = call.function
        if call.name in _PROPERTIES and len(args) == 1 and _is_property(function):
            return self._graph.call_function(getattr, (args[0], call.name))
        if call.name == "setitem":
            return self._graph.call_function(operator.setitem, args)
        if function in TRAINING_ARGUMENTS and call.frame.module.training == is_training(call):
            return self._training_call(call, args, kwargs)
        method = getattr(torch.Tensor, getattr(function, "__name__", ""), None)
        if method is function and args:
            return self._graph.call_method(function.__name__, args, kwargs)
        return self._graph.call_function(function, args, kwargs)

    def _training_call(self, call: RecordedCall, args: Any, kwargs: Any) -> fx.Node:
        module = FollowsTraining(call.function)
        module.training = call.frame.module.training
        names = TRAINING_ARGUMENTS[call.function]
        by_name = {**dict(zip(names, args, strict=False)), **kwargs}
        by_name.pop("training", None)
        name = f"function_{call.index}"
        self._root[name] = module
        return self._graph.call_module(name, (), by_name)

    def _follow(self, node: fx.Node, path: Any) -> fx.Node:
        for kind, key in path:
            function: Any = operator.getitem if kind == "item" else getattr
            node = self._graph.call_function(function, (node, key))
        return node

    def _node(self, ref: Ref) -> fx.Node:
        if isinstance(ref, TensorRef):
            return self._tensor(ref.tensor, ref.name)
        if ref not in self._nodes and isinstance(ref, CallRef):
            call = self._recorder.calls[ref.call_index]
            if call.op is None:
                # Made of weights or constants alone: made again on this side.
                node = self._emit_call(call)
                self._nodes.setdefault(ref, self._follow(node, ref.path))
                self._emit_writes(ref)
        if ref in self._nodes:
            return self._nodes[ref]
        raise TraceError(
            f"{type(self._model).__name__} cannot be cut here: the second half reads a tensor of "
            "the first that is not the cut tensor.",
            next_step="Choose another of the cut points, such as the end of a stage.",
        )

    def _tensor(self, tensor: torch.Tensor, name: str | None) -> fx.Node:
        if id(tensor) not in self._tensors:
            target = name or f"constant_{len(self._tensors)}"
            self._root[target] = tensor
            self._tensors[id(tensor)] = self._graph.get_attr(target)
        return self._tensors[id(tensor)]

    # --- arguments -----------------------------------------------------------------------

    def _arguments(self, args: Any, kwargs: Any, in_other: Any) -> tuple[Any, Any]:
        others: list[tuple[int, Any]] | None = None
        if any(True for _ in whole_numbers((args, kwargs))):
            found = [(size, in_other(recorder)) for size, recorder in self._recordings.others()]
            others = [(size, (item.args, item.kwargs)) for size, item in found]
        done = self._argument((args, kwargs), others)
        return tuple(done[0]), done[1]

    def _argument(self, value: Any, others: list[tuple[int, Any]] | None) -> Any:
        def part(key: Any, of: Any) -> Any:
            inner = None
            if others is not None:
                inner = [(size, other[key]) for size, other in others]
            return self._argument(of, inner)

        if isinstance(value, (CallRef, InputRef, TensorRef)):
            return self._node(value)
        if isinstance(value, (tuple, list)):
            items = [part(index, item) for index, item in enumerate(value)]
            return items if isinstance(value, list) else tuple(items)
        if isinstance(value, dict):
            return {key: part(key, item) for key, item in value.items()}
        if isinstance(value, slice):
            ends = [
                self._argument(
                    getattr(value, end),
                    None
                    if others is None
                    else [(size, getattr(other, end)) for size, other in others],
                )
                for end in ("start", "stop", "step")
            ]
            return slice(*ends)
        if type(value) is int and others is not None:
            return self._number(*batch_formula(value, others))
        return value

    def _number(self, factor: int, constant: int) -> Any:
        if factor == 0:
            return constant
        node: Any = self._batch_size()
        if factor != 1:
            node = self._graph.call_function(operator.mul, (node, factor))
        if constant:
            node = self._graph.call_function(operator.add, (node, constant))
        return node

    def _batch_size(self) -> fx.Node:
        if self._batch is None:
            tensor, factor = self._batch_source
            self._batch = self._graph.call_method("size", (tensor, 0))
            if factor != 1:
                self._batch = self._graph.call_function(operator.floordiv, (self._batch, factor))
        return self._batch

    def _result(self, result: Any) -> Any:
        if isinstance(result, torch.Tensor):
            return self._node(self._recorder.seen.ref(result))
        leaves, spec = pytree.tree_flatten(result)
        nodes = [
            self._node(self._recorder.seen.ref(leaf)) if isinstance(leaf, torch.Tensor) else leaf
            for leaf in leaves
        ]
        if len(list(tensors_with_paths(result))) != len(tensors_in(leaves)):
            raise TraceError(f"a {type(result).__name__} cannot be rebuilt from its tensors.")
        self._root["rebuild"] = Rebuild(spec)
        return self._graph.call_module("rebuild", tuple(nodes))


def _comparable(value: Any) -> list[Any]:
    return [ref for ref in refs_in(value) if not isinstance(ref, TensorRef)]


def _same_frame(recorder: Recorder, frame: Frame) -> Frame:
    return recorder.frames[frame.index]


def _is_property(function: Any) -> bool:
    return getattr(function, "__name__", "") == "__get__"

"""Watching a forward pass: every call of a PyTorch function, none of them on real numbers.

The recorder is a ``TorchFunctionMode``: PyTorch hands it each function that Python calls
(``F.conv2d``, ``torch.cat``, ``x + y``, ``x.view``) before running it. It replaces real
tensors by *shadows* on the meta device, which have shapes but no memory, runs the function on
those, and notes what it did. Modules announce themselves through hooks of their own, which
come off again; hooks of the whole process would run in other threads' calls too.

Symbolic tracing (``torch.fx``) stops at any branch on a shape and ``torch.export`` replaces
modules by aten operations; both are slower. This sees the words that the author wrote, and
where those words leave PyTorch's Python functions, a dispatch mode notices and says so.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any, NoReturn

import torch
from torch.nn import Module
from torch.overrides import TorchFunctionMode

from foveal.graph.assertions import asserted_value
from foveal.graph.attributes import Call, read_attributes, settle_pool
from foveal.graph.costs import count_macs
from foveal.graph.execution import run_on_shapes, without_device
from foveal.graph.graph import Source
from foveal.graph.quantity import Quantity
from foveal.graph.records import (
    CallRef,
    Failure,
    Frame,
    InputRef,
    RecordedCall,
    RecordedOp,
    UnfollowableError,
)
from foveal.graph.refusals import (
    UnseenWork,
    depends_on_values,
    require_readable,
    require_static_index,
)
from foveal.graph.seen_tensors import Known, SeenTensors
from foveal.graph.structure import Path, map_tensors, tensors_in, tensors_with_paths
from foveal.graph.unread_value import is_unread, unread_values
from foveal.graph.vocabulary import (
    ASKS_ABOUT,
    DIFFERENTIATES,
    FACTORIES,
    KIND_BY_NAME,
    READS_VALUES,
    function_name,
)

_LAYER_KINDS = frozenset({"conv", "conv_transpose", "linear", "attention", "recurrent"})
# Constants up to this size are computed for real, because forward may ask for their values.
_MAX_CONSTANT_ELEMENTS = 65_536


class Recorder(TorchFunctionMode):
    """Records one forward pass. Use inside ``watching()``, with gradients off."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.calls: list[RecordedCall] = []
        self.ops: list[RecordedOp] = []
        self.frames: list[Frame] = []
        self.failure: Failure | None = None
        self.stop: UnfollowableError | None = None
        self._thread = threading.get_ident()
        self._running = 0
        self._work: dict[int, int] = {}
        self._paths = {id(module): path for path, module in model.named_modules()}
        self._root = Frame(0, None, model, "", (), 0)
        self._frame = self._root
        self.book = SeenTensors(model)
        tensors = [*model.parameters(), *model.buffers()]
        self._device = tensors[0].device if tensors else torch.device("cpu")

    # --- entering and leaving -------------------------------------------------------------

    @contextmanager
    def watching(self) -> Iterator[Recorder]:
        """Switches recording on; takes every hook off again."""
        with ExitStack() as hooks:
            for module in self._root.module.modules():
                # By way of the class, since compiled modules hide these two.
                enter = Module.register_forward_pre_hook(module, self._enter_module, prepend=True)
                leave = Module.register_forward_hook(
                    module, self._leave_module, prepend=True, with_kwargs=True
                )
                hooks.callback(enter.remove)
                hooks.callback(leave.remove)
            with torch.no_grad(), self, UnseenWork(self):
                yield self

    def add_input(self, tensor: torch.Tensor, index: int) -> None:
        """Declares a meta tensor to be the input number ``index``."""
        self.book.remember(Known(tensor, InputRef(index), Source("input", index)))

    def stop_at(self, reason: str) -> UnfollowableError:
        """Notes that tracing ends here, and returns what to raise.

        Compiled code makes an error of its own of what is raised, and another thread may drop
        it; so the first reason is kept.
        """
        error = UnfollowableError(reason)
        self.stop = self.stop or error
        return error

    @property
    def inputs_used_as_indices(self) -> list[int]:
        """Positions of floating-point inputs that the failed call looks up in a table."""
        failure = self.failure
        if failure is None or failure.name not in {"embedding", "embedding_bag", "one_hot"}:
            return []
        given = tensors_in((failure.args, failure.kwargs))
        refs = [self.book.ref(tensor) for tensor in given if tensor.is_floating_point()]
        return [ref.index for ref in refs if isinstance(ref, InputRef)]

    @property
    def is_running(self) -> bool:
        """Whether a recorded function is at work right now."""
        return self._running > 0

    @property
    def frame(self) -> Frame:
        """The module at work."""
        return self._frame

    def _enter_module(self, module: torch.nn.Module, args: Any) -> None:
        path = self._paths.get(id(module))
        if path is None:
            return
        if threading.get_ident() != self._thread:
            # Someone else may run the same model on real numbers: that is none of ours.
            if any(tensor.is_meta and self.book.known(tensor) for tensor in tensors_in(args)):
                raise self.stop_at("it works in another thread, which tracing does not see")
            return
        parent = self._frame if self.frames else None
        frame = Frame(len(self.frames), parent, module, path, self.book.refs(args), len(self.calls))
        if parent is not None:
            parent.has_children = True
        self.frames.append(frame)
        self._frame = frame
        if isinstance(module, torch.jit.ScriptModule):
            raise self.stop_at("it is compiled code (TorchScript), which cannot be watched")

    def _leave_module(self, module: torch.nn.Module, args: Any, *rest: Any) -> None:
        # Without the keyword arguments where another thread was calling while hooks came off.
        if id(module) not in self._paths or threading.get_ident() != self._thread:
            return
        while self._frame.module is not module and self._frame.parent is not None:
            self._frame = self._frame.parent
        frame = self._frame
        frame.end_call = len(self.calls)
        kwargs, result = rest
        frame.kwargs = self.book.refs(kwargs)
        frame.result = {path: self.book.ref(tensor) for path, tensor in tensors_with_paths(result)}
        if frame.parent is not None:
            self._frame = frame.parent

    # --- one call -------------------------------------------------------------------------

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Records one call and answers it with meta tensors."""
        self._running += 1
        try:
            if not torch.is_inference_mode_enabled():
                return self._answer(func, args, kwargs or {})
            # Forward switched it on: what is made there would have no version to compare.
            with torch.inference_mode(False), torch.no_grad():
                return self._answer(func, args, kwargs or {})
        finally:
            self._running -= 1

    def _answer(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        name = function_name(func)
        if torch._C._functorch.peek_interpreter_stack() is not None:
            raise self.stop_at("it runs under a transform of torch.func, such as vmap or grad")
        if name in {"get", "set", "delete"}:
            owner = getattr(func, "__self__", None)
            return self._property(func, name, getattr(owner, "__name__", ""), args)
        if name in ASKS_ABOUT:
            if name == "format" and args[0].is_meta:
                return "?"
            return func(*args, **kwargs)
        if is_unread(args) or is_unread(kwargs.values()):
            raise UnfollowableError(depends_on_values(name))
        if name in READS_VALUES:
            if name in {"item", "tolist"} and self._is_from_images(args[0]):
                return unread_values(name, args[0], lambda: self._stop_at_values(name))
            if name == "to_bool" and self._is_from_images(args[0]):
                claimed = asserted_value()
                if claimed is not None:
                    return claimed
            require_readable(self.book, name, args)
            return func(*args, **kwargs)
        if func is torch.Tensor.__iter__:
            return iter(self._call(torch.Tensor.unbind, "unbind", args, {}))
        return self._call(func, name, args, kwargs)

    def _is_from_images(self, tensor: torch.Tensor) -> bool:
        known = self.book.known(tensor)
        return known is not None and known.source is not None

    def _stop_at_values(self, name: str) -> NoReturn:
        raise UnfollowableError(depends_on_values(name))

    def _property(
        self, func: Callable[..., Any], access: str, name: str, args: tuple[Any, ...]
    ) -> Any:
        tensor = args[0]
        if access == "get":
            is_ours = self.book.known(tensor) is not None or tensor.device.type != "meta"
            if name == "device" and is_ours:
                return self._device if tensor.device.type == "meta" else tensor.device
            if name in {"is_cuda", "is_cpu", "is_meta"} and tensor.device.type == "meta":
                return self._device.type == name.removeprefix("is_")
            if name in {"T", "mT", "H", "mH", "data", "real", "imag"}:
                return self._call(func, name, args, {})
        if access == "set" and name == "data":
            raise UnfollowableError("it assigns to the .data of a tensor")
        return func(*args)

    def _call(
        self,
        func: Callable[..., Any],
        name: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        if name in DIFFERENTIATES:
            raise self.stop_at(f"it differentiates in its forward pass ({name})")
        if name == "_assert_async":
            return None  # a claim about values, as in asserted_value
        given = tensors_in((args, kwargs))
        if not given:
            return self._create(func, name, args, kwargs)
        if self.book.are_constants(given):
            return self._compute_constant(func, args, kwargs)
        if name == "getitem" and len(args) > 1:
            require_static_index(self.book, args[1])
        refs = self.book.refs(args), self.book.refs(kwargs)
        args, kwargs = self._shadowed(name, args, kwargs)
        given = tensors_in((args, kwargs))
        inputs = [known for known in map(self.book.known, given) if known is not None]
        versions = [tensor._version for tensor in given]
        result = self._run(func, name, args, kwargs)
        changed = [
            tensor
            for tensor, version in zip(given, versions, strict=True)
            if tensor._version != version
        ]
        if name in {"batch_norm", "instance_norm"}:
            changed = [tensor for tensor in changed if tensor is given[0]]
        outputs = _outputs(result, changed)
        if not outputs:
            return result
        if any(result is tensor for tensor in given) and not changed:
            if KIND_BY_NAME.get(name) == "copy":
                return result
            # Dropout in evaluation returns its very input. A second object for the same
            # memory lets "before" and "after" be told apart.
            result = result.detach()
            outputs = [((), result)]
        overwritten = tuple(map(self.book.ref, changed))
        call = RecordedCall(len(self.calls), func, name, *refs, self._frame, overwritten)
        self.calls.append(call)
        is_from_images = any(known.source is not None for known in inputs)
        has_values = not name.endswith("_like") and not name.startswith("new_")
        arguments = Call(args, kwargs)
        if has_values and (is_from_images or self._is_layer_at_work(name, inputs)):
            self._record_op(call, name, arguments, inputs, outputs, changed)
        else:
            self._note_work(call, name, arguments, outputs[0][1])
            self._record_weights(call, inputs if has_values else [], outputs)
        return result

    def _is_layer_at_work(self, name: str, inputs: list[Known]) -> bool:
        """Whether a layer applies weights of its own to weights of others (learned queries)."""
        if KIND_BY_NAME.get(name) not in _LAYER_KINDS or len(inputs) < 2:
            return False
        own = self.book.own_names(self._frame.module)
        applied = any(not own.isdisjoint(known.parameters) for known in inputs[1:])
        return applied and own.isdisjoint((*inputs[0].parameters, *inputs[0].buffers))

    def _note_work(
        self, call: RecordedCall, name: str, arguments: Call, first: torch.Tensor
    ) -> None:
        """Keeps what a product of weights costs for the operation that will use its result."""
        kind = KIND_BY_NAME.get(name)
        if kind not in {*_LAYER_KINDS, "matmul"} or name in {"mv", "dot"}:
            return
        macs = count_macs(kind, name, arguments, first)
        if macs.value:
            self._work[call.index] = macs.value

    def _run(
        self,
        func: Callable[..., Any],
        name: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        try:
            return run_on_shapes(func, name, args, kwargs)
        except Exception as error:
            kind = KIND_BY_NAME.get(name, "other")
            self.failure = Failure(error, name, kind, self._frame, args, kwargs)
            raise

    def _record_op(
        self,
        call: RecordedCall,
        name: str,
        arguments: Call,
        inputs: list[Known],
        outputs: list[tuple[Path, torch.Tensor]],
        changed: list[torch.Tensor],
    ) -> None:
        index = len(self.ops)
        activations = [known for known in inputs if known.source is not None]
        weights = [known for known in inputs if known.source is None]
        sources = [known.source for known in activations if known.source is not None]
        shapes = [tuple(known.tensor.shape) for known in activations]
        for tensor in changed:
            for source, shape in self.book.other_views(tensor, sources):
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
        own = self.book.own_names(self._frame.module)
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
            ref = self.book.ref(tensor) if _is_among(tensor, changed) else CallRef(call.index, path)
            op.output_refs += (ref,)
            self.book.remember(Known(tensor, ref, Source("op", index, slot)))
        for tensor in changed:
            self.book.overwrite(tensor, Source("op", index))

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
        outputs: list[tuple[Path, torch.Tensor]],
    ) -> None:
        parameters = _merge(known.parameters for known in inputs)
        buffers = _merge(known.buffers for known in inputs)
        work = tuple(dict.fromkeys(index for known in inputs for index in known.work))
        if call.index in self._work:
            work = (*work, call.index)
        for path, tensor in outputs:
            ref = self.book.ref(tensor) if call.overwritten else CallRef(call.index, path)
            known = Known(tensor, ref, None, parameters, buffers, work, is_computed=True)
            self.book.remember(known)

    # --- constants ------------------------------------------------------------------------

    def _create(
        self, func: Callable[..., Any], name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        if name not in FACTORIES:
            return func(*args, **kwargs)
        device = "cpu"
        if name not in {"tensor", "as_tensor", "asarray", "from_numpy", "scalar_tensor"}:
            sized = func(*args, **{**kwargs, "device": "meta"})
            if sized.numel() > _MAX_CONSTANT_ELEMENTS:
                device = "meta"
        if name != "from_numpy":
            kwargs = {**kwargs, "device": device}
        return self._compute_constant(func, args, kwargs)

    def _compute_constant(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        name = function_name(func)
        refs = self.book.refs(args), self.book.refs(kwargs)
        given = tensors_in((args, kwargs))
        versions = [tensor._version for tensor in given]
        args, kwargs = without_device(name, args, kwargs) if given else (args, kwargs)
        result = self._run(func, name, args, kwargs)
        changed = [t for t, v in zip(given, versions, strict=True) if t._version != v]
        outputs = _outputs(result, changed)
        if outputs:
            overwritten = tuple(map(self.book.ref, changed))
            call = RecordedCall(len(self.calls), func, name, *refs, self._frame, overwritten)
            self.calls.append(call)
            for path, tensor in outputs:
                ref = self.book.ref(tensor) if changed else CallRef(call.index, path)
                is_constant = tensor.device.type != "meta"
                self.book.remember(Known(tensor, ref, is_computed=True, is_constant=is_constant))
        return result

    def _shadowed(
        self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        args, kwargs = without_device(name, args, kwargs)
        if name == "getitem":
            index = map_tensors(args[1], self.book.shadow_of_index)
            return (self.book.shadow(args[0]), index), kwargs
        shadowed: tuple[Any, ...] = map_tensors(args, self.book.shadow)
        return shadowed, map_tensors(kwargs, self.book.shadow)


def _outputs(result: Any, changed: list[torch.Tensor]) -> list[tuple[Path, torch.Tensor]]:
    """Returns the tensors that a call gave back, else those that it wrote to."""
    return list(tensors_with_paths(result)) or [((), tensor) for tensor in changed[:1]]


def _is_among(tensor: torch.Tensor, tensors: list[torch.Tensor]) -> bool:
    return any(tensor is other for other in tensors)


def _merge(groups: Iterator[tuple[str, ...]] | Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for group in groups for name in group))

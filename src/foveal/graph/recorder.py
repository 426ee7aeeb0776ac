"""Recording a forward pass: every call of a PyTorch function, none of them on real numbers.

The recorder is a ``TorchFunctionMode``: PyTorch hands it each function that Python calls
(``F.conv2d``, ``torch.cat``, ``x + y``, ``x.view``) before running it. It replaces real
tensors by *shadows* on the meta device, which have shapes but no memory, runs the function on
those, and notes what it did.

Symbolic tracing (``torch.fx``) stops at any branch on a shape and ``torch.export`` replaces
modules by aten operations; both are slower. This sees the words that the author wrote, and
where those words leave PyTorch's Python functions, a dispatch mode notices and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import torch
from torch.overrides import TorchFunctionMode

from foveal.graph.execution import run_on_shapes, without_device
from foveal.graph.graph import Source
from foveal.graph.layer_attributes import Call
from foveal.graph.missing_values import (
    asserted_value,
    depends_on_values,
    is_unread,
    require_readable,
    require_static_index,
    unread_values,
)
from foveal.graph.module_frames import ModuleFrames, UnseenWork
from foveal.graph.nested_tensors import map_tensors, tensors_in
from foveal.graph.op_log import OpLog, outputs_of
from foveal.graph.records import (
    CallRef,
    Failure,
    Frame,
    InputRef,
    RecordedCall,
    RecordedOp,
    UnfollowableError,
)
from foveal.graph.seen_tensors import Known, SeenTensors
from foveal.graph.vocabulary import (
    ASKS_ABOUT,
    DIFFERENTIATES,
    FACTORIES,
    KIND_BY_NAME,
    READS_VALUES,
    function_name,
)

# Constants up to this size are computed for real, because forward may ask for their values.
_MAX_CONSTANT_ELEMENTS = 65_536


class Recorder(TorchFunctionMode):
    """Records one forward pass. Use inside ``recording()``, with gradients off."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.failure: Failure | None = None
        self.stop: UnfollowableError | None = None
        self._running = 0
        self.seen = SeenTensors(model)
        self._log = OpLog(self.seen)
        self._modules = ModuleFrames(model, self.seen, self._log, self.stop_at)
        tensors = [*model.parameters(), *model.buffers()]
        self._device = tensors[0].device if tensors else torch.device("cpu")

    @property
    def calls(self) -> list[RecordedCall]:
        """Every call of a function on tensors, in order."""
        return self._log.calls

    @property
    def ops(self) -> list[RecordedOp]:
        """The calls on activations, in order."""
        return self._log.ops

    @property
    def frames(self) -> list[Frame]:
        """Every call of a module, in order."""
        return self._modules.frames

    @property
    def frame(self) -> Frame:
        """The module at work."""
        return self._modules.frame

    @contextmanager
    def recording(self) -> Iterator[Recorder]:
        """Records what runs inside the block."""
        with self._modules.followed(), torch.no_grad(), self, UnseenWork(self):
            yield self

    def add_input(self, tensor: torch.Tensor, index: int) -> None:
        """Declares a meta tensor to be the input number ``index``."""
        self.seen.remember(Known(tensor, InputRef(index), Source("input", index)))

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
        refs = [self.seen.ref(tensor) for tensor in given if tensor.is_floating_point()]
        return [ref.index for ref in refs if isinstance(ref, InputRef)]

    @property
    def is_running(self) -> bool:
        """Whether a recorded function is at work right now."""
        return self._running > 0

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
            require_readable(self.seen, name, args)
            return func(*args, **kwargs)
        if func is torch.Tensor.__iter__:
            return iter(self._call(torch.Tensor.unbind, "unbind", args, {}))
        return self._call(func, name, args, kwargs)

    def _is_from_images(self, tensor: torch.Tensor) -> bool:
        known = self.seen.known(tensor)
        return known is not None and known.source is not None

    def _stop_at_values(self, name: str) -> NoReturn:
        raise UnfollowableError(depends_on_values(name))

    def _property(
        self, func: Callable[..., Any], access: str, name: str, args: tuple[Any, ...]
    ) -> Any:
        tensor = args[0]
        if access == "get":
            is_ours = self.seen.known(tensor) is not None or tensor.device.type != "meta"
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
        if self.seen.are_constants(given):
            return self._compute_constant(func, args, kwargs)
        if name == "getitem" and len(args) > 1:
            require_static_index(self.seen, args[1])
        refs = self.seen.refs(args), self.seen.refs(kwargs)
        args, kwargs = self._shadowed(name, args, kwargs)
        given = tensors_in((args, kwargs))
        inputs = [known for known in map(self.seen.known, given) if known is not None]
        versions = [tensor._version for tensor in given]
        result = self._run(func, name, args, kwargs)
        changed = [
            tensor
            for tensor, version in zip(given, versions, strict=True)
            if tensor._version != version
        ]
        if name in {"batch_norm", "instance_norm"}:
            changed = [tensor for tensor in changed if tensor is given[0]]
        outputs = outputs_of(result, changed)
        if not outputs:
            return result
        if any(result is tensor for tensor in given) and not changed:
            if KIND_BY_NAME.get(name) == "copy":
                return result
            # Dropout in evaluation returns its very input. A second object for the same
            # memory lets "before" and "after" be told apart.
            result = result.detach()
            outputs = [((), result)]
        call = self._log.add_call(func, name, refs, self.frame, changed)
        self._log.add_results(call, Call(args, kwargs), inputs, outputs, changed)
        return result

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
            self.failure = Failure(error, name, kind, self.frame, args, kwargs)
            raise

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
        refs = self.seen.refs(args), self.seen.refs(kwargs)
        given = tensors_in((args, kwargs))
        versions = [tensor._version for tensor in given]
        args, kwargs = without_device(name, args, kwargs) if given else (args, kwargs)
        result = self._run(func, name, args, kwargs)
        changed = [t for t, v in zip(given, versions, strict=True) if t._version != v]
        outputs = outputs_of(result, changed)
        if outputs:
            call = self._log.add_call(func, name, refs, self.frame, changed)
            for path, tensor in outputs:
                ref = self.seen.ref(tensor) if changed else CallRef(call.index, path)
                is_constant = tensor.device.type != "meta"
                self.seen.remember(Known(tensor, ref, is_computed=True, is_constant=is_constant))
        return result

    def _shadowed(
        self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        args, kwargs = without_device(name, args, kwargs)
        if name == "getitem":
            index = map_tensors(args[1], self.seen.shadow_of_index)
            return (self.seen.shadow(args[0]), index), kwargs
        shadowed: tuple[Any, ...] = map_tensors(args, self.seen.shadow)
        return shadowed, map_tensors(kwargs, self.seen.shadow)

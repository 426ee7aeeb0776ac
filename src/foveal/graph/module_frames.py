"""Which module is at work while a forward pass is recorded, by hooks that come off again.

Hooks of the whole process would run in other threads' calls too.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Protocol

import torch
from torch.nn import Module
from torch.utils._python_dispatch import TorchDispatchMode

from foveal.graph.nested_tensors import tensors_in, tensors_with_paths
from foveal.graph.op_log import OpLog
from foveal.graph.records import Frame, UnfollowableError
from foveal.graph.seen_tensors import SeenTensors


class ModuleFrames:
    """The calls of modules, in order, and the one at work."""

    def __init__(
        self,
        model: Module,
        seen: SeenTensors,
        log: OpLog,
        stop_at: Callable[[str], UnfollowableError],
    ) -> None:
        self.frames: list[Frame] = []
        self.frame = Frame(0, None, model, "", (), 0)
        self._model = model
        self._seen = seen
        self._log = log
        self._stop_at = stop_at
        self._thread = threading.get_ident()
        self._paths = {id(module): path for path, module in model.named_modules()}

    @contextmanager
    def followed(self) -> Iterator[None]:
        """Follows the modules at work inside the block; takes every hook off again."""
        with ExitStack() as hooks:
            for module in self._model.modules():
                # By way of the class, since compiled modules hide these two.
                enter = Module.register_forward_pre_hook(module, self._enter_module, prepend=True)
                leave = Module.register_forward_hook(
                    module, self._leave_module, prepend=True, with_kwargs=True
                )
                hooks.callback(enter.remove)
                hooks.callback(leave.remove)
            yield

    def _enter_module(self, module: torch.nn.Module, args: Any) -> None:
        path = self._paths.get(id(module))
        if path is None:
            return
        if threading.get_ident() != self._thread:
            # Someone else may run the same model on real numbers: that is none of ours.
            if any(tensor.is_meta and self._seen.known(tensor) for tensor in tensors_in(args)):
                raise self._stop_at("it works in another thread, which tracing does not see")
            return
        parent = self.frame if self.frames else None
        frame = Frame(
            len(self.frames), parent, module, path, self._seen.refs(args), len(self._log.calls)
        )
        if parent is not None:
            parent.has_children = True
        self.frames.append(frame)
        self.frame = frame
        if isinstance(module, torch.jit.ScriptModule):
            raise self._stop_at("it is compiled code (TorchScript), which cannot be watched")

    def _leave_module(self, module: torch.nn.Module, args: Any, *rest: Any) -> None:
        # Without the keyword arguments where another thread was calling while hooks came off.
        if id(module) not in self._paths or threading.get_ident() != self._thread:
            return
        while self.frame.module is not module and self.frame.parent is not None:
            self.frame = self.frame.parent
        frame = self.frame
        frame.end_call = len(self._log.calls)
        kwargs, result = rest
        frame.kwargs = self._seen.refs(kwargs)
        frame.result = {path: self._seen.ref(tensor) for path, tensor in tensors_with_paths(result)}
        if frame.parent is not None:
            self.frame = frame.parent


class Running(Protocol):
    """Whoever knows whether a recorded function is at work."""

    def stop_at(self, reason: str) -> UnfollowableError:
        """Notes that tracing ends here, and returns what to raise."""

    @property
    def is_running(self) -> bool:
        """Whether a recorded function is at work right now."""


class UnseenWork(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notices work that no recorded function asked for (TorchScript, C++ extensions)."""

    def __init__(self, recorder: Running) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._recorder = recorder

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Lets work pass that a recorded function caused."""
        if not self._recorder.is_running and func.namespace != "prim":
            raise self._recorder.stop_at(
                f"{func} runs from compiled code (TorchScript or an extension), where "
                "tracing does not see what feeds it"
            )
        return func(*args, **(kwargs or {}))

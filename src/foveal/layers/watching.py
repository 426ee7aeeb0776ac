"""Watches the functions of a forward pass, and which module calls them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

See = Callable[[str, Any, tuple[Any, ...], dict[str, Any], Any], Any]
"""Called with the module's path, the function, its arguments, its options and its result.

What it returns takes the result's place.
"""


@contextmanager
def functions_watched(model: torch.nn.Module, see: See) -> Iterator[None]:
    """Calls ``see`` after each PyTorch function that a module of the model calls itself.

    Functions that a function calls in turn are not seen: ``F.relu`` is one call, as in tracing.
    What ``see`` itself computes is not seen either.
    """
    modules = list(model.named_modules())
    at_work: list[torch.nn.Module] = []

    def enter(module: torch.nn.Module, _arguments: Any) -> None:
        at_work.append(module)

    def leave(module: torch.nn.Module, _arguments: Any, _result: Any) -> None:
        while at_work and at_work.pop() is not module:
            pass

    paths = {module: path for path, module in modules}
    handles: list[Any] = []
    try:
        # First in line, so that the work of the model's own hooks is counted as in tracing.
        for _, module in modules:
            handles.append(module.register_forward_pre_hook(enter, prepend=True))
            handles.append(module.register_forward_hook(leave, prepend=True, always_call=True))
        with _Mode(lambda: paths.get(at_work[-1]) if at_work else None, see):
            yield
    finally:
        for handle in handles:
            handle.remove()


class _Mode(TorchFunctionMode):
    def __init__(self, path_at_work: Callable[[], str | None], see: See) -> None:
        super().__init__()
        self._path_at_work = path_at_work
        self._see = see
        self._is_looking = False

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Runs the function and hands on its result."""
        options = kwargs or {}
        result = func(*args, **options)
        path = self._path_at_work()
        if path is None or self._is_looking:
            return result
        self._is_looking = True
        try:
            return self._see(path, func, args, options, result)
        finally:
            self._is_looking = False

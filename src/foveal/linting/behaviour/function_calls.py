"""Watches the functions that a real forward pass calls, and where it calls them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from foveal.graph.structure import tensors_in
from foveal.graph.vocabulary import function_name


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a PyTorch function that returned a tensor.

    Attributes:
        place: Path of the module at work; with the function's name where the module has
            others inside; ``#2`` and so on from the second call of that name.
        function: In PyTorch's word, such as ``"relu"``.
        arguments: What it was called with. In-place functions have overwritten the first.
        options: The same, by name.
        result: The first tensor that it returned.
    """

    place: str
    function: str
    arguments: tuple[Any, ...]
    options: dict[str, Any]
    result: Tensor


class _Watch(TorchFunctionMode):
    def __init__(self, stack: list[tuple[str, bool]], see: Callable[[Call], None]) -> None:
        super().__init__()
        self._stack = stack
        self._see = see
        self._times: dict[str, int] = {}
        self._is_looking = False

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        options = dict(kwargs or {})
        result = function(*args, **options)
        tensors = [] if self._is_looking else tensors_in(result)
        if tensors:
            self._is_looking = True
            try:
                name = function_name(function)
                self._see(Call(self._place(name), name, args, options, tensors[0]))
            finally:
                self._is_looking = False
        return result

    def _place(self, name: str) -> str:
        path, is_leaf = self._stack[-1] if self._stack else ("", False)
        place = path if is_leaf and path else ".".join(filter(None, (path, name)))
        self._times[place] = self._times.get(place, 0) + 1
        times = self._times[place]
        return place if times == 1 else f"{place}#{times}"


@contextmanager
def calls_shown_to(model: nn.Module, see: Callable[[Call], None]) -> Iterator[None]:
    """Calls ``see`` after each function that the model calls inside the block.

    Calls that a function makes in turn are not seen: ``F.relu`` is one call.
    """
    stack: list[tuple[str, bool]] = []
    handles = []
    try:
        for path, module in model.named_modules():
            entry = (path, not any(True for _ in module.children()))

            def enter(_module: nn.Module, _args: Any, entry: tuple[str, bool] = entry) -> None:
                stack.append(entry)

            def leave(_module: nn.Module, _args: Any, _result: Any) -> None:
                if stack:
                    stack.pop()

            handles.append(module.register_forward_pre_hook(enter))
            handles.append(module.register_forward_hook(leave, always_call=True))
        with _Watch(stack, see):
            yield
    finally:
        for handle in handles:
            handle.remove()


def is_relu(call: Call) -> bool:
    """Whether the call cuts at zero from below, and so can be dead."""
    if call.function in {"relu", "relu6"}:
        return True
    if call.function == "hardtanh":
        lowest = call.arguments[1] if len(call.arguments) > 1 else call.options.get("min_val", -1.0)
        return bool(lowest == 0)
    return False


def channels_last(tensor: Tensor) -> Tensor:
    """Returns ``[N, C, ...]`` or tokens ``[N, L, C]`` as ``[values, C]``."""
    if tensor.dim() == 3:
        return tensor.reshape(-1, tensor.shape[-1])
    return torch.movedim(tensor, 1, -1).reshape(-1, tensor.shape[1])

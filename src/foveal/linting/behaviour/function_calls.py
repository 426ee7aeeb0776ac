"""Watches the functions that a real forward pass calls, and where it calls them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from foveal.graph.nested_tensors import tensors_in
from foveal.graph.vocabulary import function_name
from foveal.layers import functions_watched


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a PyTorch function that returned a tensor.

    Attributes:
        location: Path of the module at work; with the function's name where the module has
            others inside; ``#2`` and so on from the second call of that name.
        function: In PyTorch's word, such as ``"relu"``.
        arguments: What it was called with. In-place functions have overwritten the first.
        options: The same, by name.
        result: The first tensor that it returned.
    """

    location: str
    function: str
    arguments: tuple[Any, ...]
    options: dict[str, Any]
    result: Tensor


@contextmanager
def calls_shown_to(model: nn.Module, see: Callable[[Call], None]) -> Iterator[None]:
    """Calls ``see`` after each function that the model calls inside the block.

    Calls that a function makes in turn are not seen: ``F.relu`` is one call.
    """
    leaves = {path for path, module in model.named_modules() if not any(module.children())}
    times: Counter[str] = Counter()

    def note(path: str, function: Any, args: Any, options: dict[str, Any], result: Any) -> Any:
        tensors = tensors_in(result)
        if tensors:
            name = function_name(function)
            location = path if path and path in leaves else ".".join(filter(None, (path, name)))
            times[location] += 1
            where = location if times[location] == 1 else f"{location}#{times[location]}"
            see(Call(where, name, args, options, tensors[0]))
        return result

    with functions_watched(model, note):
        yield


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

"""A number that forward reads out of a picture while tracing has only shapes.

Networks read numbers out to log them (``self.loss = x.mean().item()``). That changes nothing in
what they compute, so tracing goes on with a stand-in that can be kept and printed. Whatever else
is done with it may decide what the network does next, and there tracing stops.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import torch

from foveal.graph.vocabulary import words

# Longer lists of numbers are not made for logging.
_MAX_NUMBERS = 1024


class UnreadValue:
    """Stands for one number; any use but keeping and printing calls ``stop``, which raises."""

    def __init__(self, stop: Callable[[], NoReturn]) -> None:
        self._stop = stop

    def __repr__(self) -> str:
        return "?"

    def __format__(self, spec: str) -> str:
        return "?"

    def __hash__(self) -> int:
        self._stop()


def _stopping(self: UnreadValue, *args: Any, **kwargs: Any) -> NoReturn:
    self._stop()


_USES = words(
    "bool int float complex index eq ne lt le gt ge add radd sub rsub mul rmul truediv rtruediv "
    "floordiv rfloordiv mod rmod divmod rdivmod pow rpow matmul rmatmul neg pos abs invert round "
    "trunc floor ceil and rand or ror xor rxor lshift rshift len iter getitem contains call"
)
for _use in _USES:
    setattr(UnreadValue, f"__{_use}__", _stopping)


def unread_values(name: str, tensor: torch.Tensor, stop: Callable[[], NoReturn]) -> Any:
    """Returns what ``item`` or ``tolist`` of a tensor returns, with stand-ins for numbers."""
    if name == "item" or tensor.dim() == 0:
        return UnreadValue(stop)
    if tensor.numel() > _MAX_NUMBERS:
        stop()

    def rows(sizes: tuple[int, ...]) -> Any:
        if not sizes:
            return UnreadValue(stop)
        return [rows(sizes[1:]) for _ in range(sizes[0])]

    return rows(tuple(tensor.shape))


def is_unread(arguments: Any) -> bool:
    """Whether one of the arguments of a function is such a stand-in."""
    return any(
        isinstance(item, UnreadValue) or (isinstance(item, (tuple, list)) and is_unread(item))
        for item in arguments
    )

"""Values that tracing does not have: where forward asks for them, and what it is told.

Tracing has shapes and no numbers. A claim (``assert torch.isfinite(x).all()``) holds in a model
that works, so tracing goes on; where one is false, the real pass says so. A number that is read
out to be logged (``self.loss = x.mean().item()``) changes nothing in what the network computes:
a stand-in is kept and printed. Whatever else needs values may decide what the network does
next, and there tracing stops.
"""

from __future__ import annotations

import dis
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NoReturn

import torch

from foveal.graph.nested_tensors import tensors_in
from foveal.graph.records import UnfollowableError
from foveal.graph.seen_tensors import SeenTensors
from foveal.graph.vocabulary import words


def depends_on_values(name: str) -> str:
    """Returns why tracing stops where ``name`` takes what was read out of an image."""
    return (
        f"what it does next depends on the values in an image ({name} of an activation), and "
        "tracing has only shapes"
    )


def require_readable(seen: SeenTensors, name: str, args: tuple[Any, ...]) -> None:
    """Raises if ``name`` asks for values that come from an image, or are not there.

    Raises:
        UnfollowableError: Says what asks for which values.
    """
    for tensor in tensors_in(args):
        known = seen.known(tensor)
        if known is not None and known.source is not None:
            raise UnfollowableError(depends_on_values(name))
        if tensor.device.type == "meta":
            raise UnfollowableError(
                f"what it does next depends on the values of a weight ({name}), which "
                "a model on the meta device does not have and tracing does not compute"
            )


def require_static_index(seen: SeenTensors, index: Any) -> None:
    """Raises if an index selects by a mask whose values are not known.

    Raises:
        UnfollowableError: The shape of the result would depend on the values.
    """
    for tensor in tensors_in(index):
        known = seen.known(tensor)
        if tensor.dtype in {torch.bool, torch.uint8} and (
            tensor.device.type == "meta" or (known is not None and known.source is not None)
        ):
            raise UnfollowableError(
                "it selects elements by a mask, so the shape depends on the values"
            )


_OWN_FOLDER = str(Path(__file__).parent)


def asserted_value() -> bool | None:
    """Returns which truth value the code that asks for one right now claims; None for a branch.

    To be called while a tensor's ``bool()`` is answered.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_OWN_FOLDER):
        frame = frame.f_back
    if frame is None:
        return None
    if frame.f_code is torch._assert.__code__:
        return True
    return _claim_at(frame.f_code, frame.f_lasti)


def _claim_at(code: CodeType, offset: int) -> bool | None:
    """Returns the value with which a jump at ``offset`` goes past ``raise AssertionError``."""
    following = [item for item in dis.get_instructions(code) if item.offset >= offset][:5]
    for jump, after in pairwise(following):
        if jump.opname.startswith("POP_JUMP"):
            raises = after.opname == "LOAD_ASSERTION_ERROR" or after.argval is AssertionError
            is_assertion = raises and after.opname != "LOAD_GLOBAL"
            return "IF_TRUE" in jump.opname if is_assertion else None
    return None


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

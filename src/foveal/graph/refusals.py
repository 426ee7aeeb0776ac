"""Where tracing must stop: values are asked for, and there are only shapes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from foveal.graph.records import UnfollowableError
from foveal.graph.seen_tensors import SeenTensors
from foveal.graph.structure import tensors_in


class Running(Protocol):
    """Whoever knows whether a recorded function is at work."""

    def stop_at(self, reason: str) -> UnfollowableError:
        """Notes that tracing ends here, and returns what to raise."""

    @property
    def is_running(self) -> bool:
        """Whether a recorded function is at work right now."""


def depends_on_values(name: str) -> str:
    """Returns why tracing stops where ``name`` takes what was read out of a picture."""
    return (
        f"what it does next depends on the values in a picture ({name} of an activation), and "
        "tracing has only shapes"
    )


def require_readable(book: SeenTensors, name: str, args: tuple[Any, ...]) -> None:
    """Raises if ``name`` asks for values that come from a picture, or are not there.

    Raises:
        UnfollowableError: Says what asks for which values.
    """
    for tensor in tensors_in(args):
        known = book.known(tensor)
        if known is not None and known.source is not None:
            raise UnfollowableError(depends_on_values(name))
        if tensor.device.type == "meta":
            raise UnfollowableError(
                f"what it does next depends on the values of a weight ({name}), which "
                "a model on the meta device does not have and tracing does not compute"
            )


def require_static_index(book: SeenTensors, index: Any) -> None:
    """Raises if an index selects by a mask whose values are not known.

    Raises:
        UnfollowableError: The shape of the result would depend on the values.
    """
    for tensor in tensors_in(index):
        known = book.known(tensor)
        if tensor.dtype in {torch.bool, torch.uint8} and (
            tensor.device.type == "meta" or (known is not None and known.source is not None)
        ):
            raise UnfollowableError(
                "it selects elements by a mask, so the shape depends on the values"
            )


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

"""Tensors inside tuples, lists, dictionaries and slices: finding and replacing them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import torch

Path = tuple[tuple[str, Any], ...]

# Most arguments are one of these; they hold no tensors, and most of the time of walking through
# arguments would go into finding that out.
_PLAIN: frozenset[type] = frozenset(
    [int, float, bool, str, type(None), torch.Size, torch.dtype, torch.device]
)


def map_tensors(value: Any, change: Callable[[torch.Tensor], Any]) -> Any:
    """Returns ``value`` with every tensor in it replaced by ``change(tensor)``.

    Containers without tensors come back as they are.
    """
    if type(value) in _PLAIN:
        return value
    if isinstance(value, torch.Tensor):
        return change(value)
    if type(value) is tuple or type(value) is list:
        changed = [map_tensors(item, change) for item in value]
        for new, old in zip(changed, value, strict=True):
            if new is not old:
                return type(value)(changed)
        return value
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(map_tensors(item, change) for item in value))
    if isinstance(value, list):
        return [map_tensors(item, change) for item in value]
    if isinstance(value, dict):
        return {key: map_tensors(item, change) for key, item in value.items()}
    if isinstance(value, slice):
        return slice(*(map_tensors(part, change) for part in (value.start, value.stop, value.step)))
    return value


def tensors_in(value: Any) -> list[torch.Tensor]:
    """Returns the tensors in ``value``, in order."""
    found: list[torch.Tensor] = []
    _collect(value, found)
    return found


def _collect(value: Any, found: list[torch.Tensor]) -> None:
    if type(value) in _PLAIN:
        return
    if isinstance(value, torch.Tensor):
        found.append(value)
    elif isinstance(value, (tuple, list)):
        for item in value:
            _collect(item, found)
    elif isinstance(value, dict):
        for item in value.values():
            _collect(item, found)
    elif isinstance(value, slice):
        _collect((value.start, value.stop, value.step), found)


def tensors_with_paths(value: Any, path: Path = ()) -> Iterator[tuple[Path, torch.Tensor]]:
    """Yields each tensor in ``value`` with the way to it: ``("item", key)`` or ``("attr", name)``.

    Also looks into dataclasses, which some models return.
    """
    if isinstance(value, torch.Tensor):
        yield path, value
    elif isinstance(value, (tuple, list)):
        for index, item in enumerate(value):
            yield from tensors_with_paths(item, (*path, ("item", index)))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from tensors_with_paths(item, (*path, ("item", key)))
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            part = getattr(value, field.name)
            yield from tensors_with_paths(part, (*path, ("attr", field.name)))


def path_text(path: Path) -> str:
    """Returns a path as Python writes it: ``"[0]['out']"``."""
    return "".join(f"[{key!r}]" if kind == "item" else f".{key}" for kind, key in path)

"""Lends a model for real forward and backward passes, and leaves it as it was found.

What runs is a copy of the tree of modules with memory of its own for parameters, buffers and
plain tensors. Hooks, modes and whatever ``forward`` writes belong to the copy, so another thread
may call the model meanwhile. A model that cannot be copied is lent itself, to one thread at a
time, and put back afterwards, also after an error.
"""

from __future__ import annotations

import copy
import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import FunctionType
from typing import Any

import torch
from torch import nn

from foveal.errors import ModelError
from foveal.graph.borrowing import borrowed, fully_borrowed
from foveal.graph.nested_tensors import tensors_in

_PLAIN = frozenset([int, float, bool, str, type(None), torch.Size, torch.dtype, torch.device])
_STORES = ("_parameters", "_buffers", "_modules")
_locks: weakref.WeakKeyDictionary[nn.Module, threading.RLock] = weakref.WeakKeyDictionary()
_locks_lock = threading.Lock()


@contextmanager
def lent(model: nn.Module) -> Iterator[nn.Module]:
    """Lends a private copy of ``model``, in the modes that it is found in, gradients off.

    The model itself is not touched; the random state is restored. Works inside
    ``torch.no_grad()`` and ``torch.inference_mode()``, whose state comes back too.
    """
    # What torch.compile wraps: its own names, and stopping half-way compiles nothing.
    model = getattr(model, "_orig_mod", model)
    with torch.inference_mode(False), torch.no_grad():
        try:
            twin = _copy_of(model)
        except Exception:  # a lock, an open file, a generator: whatever else a model may hold
            with _lock_of(model), fully_borrowed(model):
                yield model
            return
        with borrowed(nn.Module()):  # the random state
            yield twin


@contextmanager
def predicting(model: nn.Module, *, purpose: str = "an explanation") -> Iterator[nn.Module]:
    """Lends a private copy of ``model`` as it predicts: in evaluation mode, gradients off.

    Dropout and batch statistics are off whatever mode the model is found in; see :func:`lent`.

    Args:
        model: With weights.
        purpose: What the weights are needed for, as the subject of a message.

    Raises:
        ModelError: The model has no weights, only shapes.
    """
    require_weights(model, purpose=purpose)
    with lent(model) as twin:
        set_modes(twin, training=False)
        yield twin


def set_modes(model: nn.Module | Iterable[nn.Module], *, training: bool) -> None:
    """Sets the mode of every module without ``train()``, which some models override."""
    for module in model.modules() if isinstance(model, nn.Module) else model:
        if module.training != training:
            module.training = training


def require_weights(model: nn.Module, *, purpose: str) -> None:
    """Checks that a model has weights.

    Raises:
        ModelError: It has only shapes.
    """
    if any(tensor.is_meta for tensor in (*model.parameters(), *model.buffers())):
        raise ModelError(
            f"{type(model).__name__} was built without weights, on the meta device; {purpose} "
            "needs them.",
            next_step="Build it on a real device and load its weights.",
        )


def _copy_of(model: nn.Module) -> nn.Module:
    """Returns the model with modules of its own.

    Raises:
        Exception: Whatever copying one of its attributes raises.
    """
    modules = list(model.modules())
    memo: dict[int, Any] = {}
    for module in modules:
        for item in (*module._parameters.values(), *module._buffers.values()):
            if item is not None and id(item) not in memo:
                memo[id(item)] = _copy_of_tensor(item)
    plain = [module for module in modules if not _copies_itself(type(module))]
    for module in plain:
        memo[id(module)] = type(module).__new__(type(module))
    for module in plain:
        twin = memo[id(module)]
        for name, value in module.__dict__.items():
            if type(value) in _PLAIN:
                twin.__dict__[name] = value
            elif name in _STORES:
                twin.__dict__[name] = type(value)(
                    (key, memo.get(id(item)) if id(item) in memo else copy.deepcopy(item, memo))
                    for key, item in value.items()
                )
            else:
                twin.__dict__[name] = _attribute(value, memo, modules)
    return copy.deepcopy(model, memo)


def _attribute(value: Any, memo: dict[int, Any], modules: list[nn.Module]) -> Any:
    if type(value) in (dict, OrderedDict) and not value:  # as most stores of a module are
        return type(value)()
    if type(value) is tuple and all(type(item) in _PLAIN for item in value):
        return value
    for item in value.values() if isinstance(value, dict) else (value,):
        if isinstance(item, FunctionType):
            _require_apart(item, modules)
    for tensor in tensors_in(value):
        if id(tensor) not in memo:  # such as a weight that is a result, which deepcopy refuses
            memo[id(tensor)] = _copy_of_tensor(tensor)
    return copy.deepcopy(value, memo)


def _copy_of_tensor(tensor: torch.Tensor) -> torch.Tensor:
    values = tensor.detach().clone()
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(values, requires_grad=tensor.requires_grad)
    return values.requires_grad_(tensor.requires_grad)


def _require_apart(function: FunctionType, modules: list[nn.Module]) -> None:
    """Raises if a function holds on to a module of the model: its copy would call that one."""
    held = [cell.cell_contents for cell in function.__closure__ or ()]
    held += [*(function.__defaults__ or ())]
    if any(item is module for item in held for module in modules):
        raise ModelError(f"{function.__qualname__} calls a module of the model by itself.")


def _copies_itself(kind: type[nn.Module]) -> bool:
    return (
        hasattr(kind, "__deepcopy__")
        or kind.__reduce_ex__ is not object.__reduce_ex__
        or kind.__reduce__ is not object.__reduce__
        or kind.__getstate__ not in (nn.Module.__getstate__, object.__getstate__)
    )


def _lock_of(model: nn.Module) -> threading.RLock:
    with _locks_lock:
        return _locks.setdefault(model, threading.RLock())

"""Uses a model and puts back whatever its ``forward`` did to it, also after an error."""

from __future__ import annotations

import operator
import random
import sys
import types
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

Contents = list[Any] | dict[Any, Any] | set[Any] | deque[Any]
CONTAINERS = (list, dict, set, deque)
_MAX_DEPTH = 3
_NO_OBJECTS = (torch.nn.Module, torch.Tensor, type, types.ModuleType, types.FunctionType)


class KeptValues:
    """Copies of memory, taken once for each memory however many tensors are views of it."""

    def __init__(self, model: torch.nn.Module) -> None:
        self._views: list[tuple[torch.Tensor, torch.Tensor, int | None]] = []
        self._memories: dict[int, tuple[torch.UntypedStorage, torch.UntypedStorage]] = {}
        self._others: list[tuple[torch.Tensor, torch.Tensor]] = []
        for tensor in tensors_held(model):
            self._keep(tensor)

    def _keep(self, tensor: torch.Tensor) -> None:
        if tensor.is_meta:
            return
        try:
            storage = tensor.untyped_storage()
            key = int(storage._cdata)
            if key not in self._memories:
                self._memories[key] = (storage, storage.clone())  # type: ignore[no-untyped-call]
            version = None if tensor.is_inference() else tensor._version
            self._views.append((tensor, tensor.data, version))
        except (NotImplementedError, RuntimeError):  # no plain memory: sparse and the like
            self._others.append((tensor, tensor.detach().clone()))

    def restore(self) -> None:
        """Puts back the memory of every tensor and the values in it, where they have changed."""
        for storage, kept in self._memories.values():
            if storage.nbytes() != kept.nbytes():
                storage.resize_(kept.nbytes())
            # Compared first: memory that nobody wrote to is not written to here, since it may be
            # a file's, or read by another thread at this moment.
            if not torch.equal(_as_bytes(storage), _as_bytes(kept)):
                storage.copy_(kept)
        for tensor, before, version in self._views:
            with torch.inference_mode(tensor.is_inference()), torch.no_grad():
                if not _is_same_view(tensor, before):
                    tensor.data = before
            if version is not None and tensor._version != version:
                # A graph for a backward pass may hold the tensor: to it nothing has happened.
                torch._C._autograd._unsafe_set_version_counter((tensor,), (version,))
        for tensor, values in self._others:
            with torch.inference_mode(tensor.is_inference()), torch.no_grad():
                tensor.copy_(values)


def tensors_held(model: torch.nn.Module) -> Iterator[torch.Tensor]:
    """Yields each tensor once: parameters, gradients, buffers, and those in attributes."""
    seen: set[int] = set()
    for module in model.modules():
        for tensor in _tensors_in(module.__dict__, seen, 0):
            yield tensor
            if tensor.is_leaf and tensor.grad is not None and id(tensor.grad) not in seen:
                seen.add(id(tensor.grad))
                yield tensor.grad


def _tensors_in(value: Any, seen: set[int], depth: int) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        if id(value) not in seen:
            seen.add(id(value))
            yield value
        return
    if is_plain_object(value):
        value = value.__dict__
    if not isinstance(value, (*CONTAINERS, tuple)) or depth > _MAX_DEPTH or not value:
        return
    if not isinstance(value, tuple):
        if id(value) in seen:
            return
        seen.add(id(value))
    for item in list(value.values() if isinstance(value, dict) else value):
        yield from _tensors_in(item, seen, depth + 1)


def is_plain_object(value: Any) -> bool:
    """Whether a value is an object that keeps what it knows in attributes of its own.

    Objects of the standard library (thread pools, loggers) are not: they belong to more than
    the model.
    """
    room = type(value).__module__
    if room == "builtins" or room.partition(".")[0] in sys.stdlib_module_names:
        return False
    return isinstance(getattr(value, "__dict__", None), dict) and not isinstance(value, _NO_OBJECTS)


def _as_bytes(storage: torch.UntypedStorage) -> torch.Tensor:
    return torch.empty(0, dtype=torch.uint8, device=storage.device).set_(storage)


def _is_same_view(tensor: torch.Tensor, before: torch.Tensor) -> bool:
    return _view(tensor) == _view(before)


def _view(tensor: torch.Tensor) -> tuple[Any, ...]:
    return (
        tensor.untyped_storage()._cdata,
        *(tensor.dtype, tensor.shape, tensor.stride(), tensor.storage_offset()),
    )


@contextmanager
def borrowed(model: torch.nn.Module) -> Iterator[torch.nn.Module]:
    """Lends ``model`` and afterwards restores what can be reached through its modules.

    Restored are the attributes of every module (so training flags, hooks and the tensors
    registered, by identity) with the contents of containers and plain objects among them,
    ``requires_grad`` and ``.grad`` of every parameter, and the random state of Python, NumPy
    and PyTorch. The *values* of tensors are not copied: the caller must not write to them.
    """
    modules = list(model.modules())
    attributes = [dict(module.__dict__) for module in modules]
    contents: dict[int, tuple[Contents, Contents]] = {}
    # As most of a module's stores are: a model has thousands, so they are not looked into.
    empty: list[Contents] = []
    for state in attributes:
        for value in state.values():
            if isinstance(value, CONTAINERS):
                if value:
                    _remember(value, contents)
                else:
                    empty.append(value)
            elif is_plain_object(value):
                _remember(value.__dict__, contents)
    gradients = [(p, p.requires_grad, p.grad) for p in model.parameters()]
    random_state = current_random_state()
    try:
        yield model
    finally:
        for module, state in zip(modules, attributes, strict=True):
            _refill(module.__dict__, state)
        for container, copy in contents.values():
            _refill(container, copy)
        for container in empty:
            if container:
                container.clear()
        for parameter, needs_gradient, gradient in gradients:
            if parameter.requires_grad != needs_gradient:
                parameter.requires_grad_(needs_gradient)
            if parameter.grad is not gradient:
                parameter.grad = gradient
        restore_random_state(random_state)


def _remember(
    value: Contents, contents: dict[int, tuple[Contents, Contents]], depth: int = 0
) -> None:
    if id(value) in contents or depth > 3:
        return
    contents[id(value)] = (value, value.copy())
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, CONTAINERS):
            _remember(item, contents, depth + 1)
        elif is_plain_object(item):
            _remember(item.__dict__, contents, depth + 1)


def _refill(container: Contents, copy: Contents) -> None:
    if not container and not copy:
        return
    if isinstance(container, list):
        if len(container) != len(copy) or not all(map(operator.is_, container, copy)):
            container[:] = copy
    elif isinstance(container, dict) and isinstance(copy, dict):
        if list(container) != list(copy) or not all(
            map(operator.is_, container.values(), copy.values())
        ):
            container.clear()
            container.update(copy)
    elif isinstance(container, set) and container != copy:
        container.clear()
        container.update(copy)
    elif isinstance(container, deque) and list(container) != list(copy):
        container.clear()
        container.extend(copy)


def current_random_state() -> tuple[Any, ...]:
    """Returns the state of Python's, NumPy's and PyTorch's random numbers."""
    numpy = sys.modules.get("numpy")
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None  # type: ignore[no-untyped-call]
    return (
        random.getstate(),
        numpy.random.get_state() if numpy is not None else None,
        torch.get_rng_state(),
        cuda,
    )


def restore_random_state(state: tuple[Any, ...]) -> None:
    """Puts back what ``current_random_state`` returned."""
    python, numpy_state, cpu, cuda = state
    random.setstate(python)
    if numpy_state is not None:
        sys.modules["numpy"].random.set_state(numpy_state)
    torch.set_rng_state(cpu)
    if cuda is not None:
        torch.cuda.set_rng_state_all(cuda)


@contextmanager
def fully_borrowed(model: torch.nn.Module) -> Iterator[torch.nn.Module]:
    """Lends ``model`` for real forward and backward passes, in any mode.

    Beyond what ``borrowed`` restores, every tensor that can be reached through its modules
    (parameters, buffers, gradients, plain attributes) has afterwards its memory, the values in
    it and its version as before, also after an error. That takes a copy of all values.
    """
    with borrowed(model):
        values = KeptValues(model)
        try:
            yield model
        finally:
            values.restore()

"""A model on loan: whatever its ``forward`` does to it is undone, also after an error."""

from __future__ import annotations

import operator
import random
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from foveal.graph.kept_values import CONTAINERS, Contents, KeptValues, is_plain_object


@contextmanager
def borrowed(model: torch.nn.Module) -> Iterator[torch.nn.Module]:
    """Lends ``model`` and afterwards restores what can be reached through its modules.

    Restored are the attributes of every module (so training flags, hooks and the tensors
    registered, by identity) with the contents of containers and plain objects among them,
    ``requires_grad`` and ``.grad`` of every parameter, and the random state of Python, NumPy
    and PyTorch. The *values* of tensors are not copied: whoever borrows must not write to them.
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
    random_state = _random_state()
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
        _restore_random_state(random_state)


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


def _random_state() -> tuple[Any, ...]:
    numpy = sys.modules.get("numpy")
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None  # type: ignore[no-untyped-call]
    return (
        random.getstate(),
        numpy.random.get_state() if numpy is not None else None,
        torch.get_rng_state(),
        cuda,
    )


def _restore_random_state(state: tuple[Any, ...]) -> None:
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

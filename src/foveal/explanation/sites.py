"""Where in a running model the result of one operation can be had."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from foveal.errors import ModelError
from foveal.graph import Graph, Op, Shape
from foveal.graph.structure import tensors_in
from foveal.graph.vocabulary import function_name

Act = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True, slots=True)
class ModuleSite:
    """The result is what a module returns.

    Attributes:
        path: Of the module.
        call: Which of its calls, from 1.
        num_calls: How many there are in one forward pass.
        shape: Of the result, without the batch.
    """

    path: str
    call: int
    num_calls: int
    shape: Shape


@dataclass(frozen=True, slots=True)
class FunctionSite:
    """The result is what a function returns that a module calls itself.

    Attributes:
        path: Of the module; ``""`` is the model.
        function: The function's name, as in ``Op.function``.
        call: Which of the calls from that module with a result of that shape, from 1.
        num_calls: How many there are in one forward pass.
        shape: Of the result, without the batch.
    """

    path: str
    function: str
    call: int
    num_calls: int
    shape: Shape


Site = ModuleSite | FunctionSite


def find_site(graph: Graph, op: Op) -> Site:
    """Returns where the result of an operation can be had, read from the graph alone."""
    shape = op.output_shape[1:]
    parts = op.module_path.split(".") if op.module_path else []
    for length in range(len(parts), 0, -1):
        found = _call_that_returns(graph, op, ".".join(parts[:length]))
        if found is not None:
            return ModuleSite(".".join(parts[:length]), *found, shape)
    alike = [
        item.index
        for item in graph.ops
        if item.module_path == op.module_path
        and item.function == op.function
        and item.output_shape == op.output_shape
    ]
    call = alike.index(op.index) + 1
    return FunctionSite(op.module_path, op.function, call, len(alike), shape)


def _call_that_returns(graph: Graph, op: Op, path: str) -> tuple[int, int] | None:
    """Returns which call of how many of the module returns the result of ``op``, if any surely.

    It is sure where the result is read outside the module and is the last thing made inside,
    in a module that runs once, or that does one operation a call.
    """
    inside = [item for item in graph.ops if _is_within(item, path)]
    outputs = [out.source.index for out in graph.outputs if out.source is not None]
    reads = graph.consumers[op.index]
    if op.index not in outputs and all(_is_within(graph.ops[index], path) for index in reads):
        return None
    bases = [item.name.partition("#")[0] for item in inside]
    if set(bases) == {path}:
        return inside.index(op) + 1, len(inside)
    runs_once = 1 in Counter(bases).values()
    return (1, 1) if runs_once and inside[-1].index == op.index else None


def _is_within(op: Op, path: str) -> bool:
    return op.module_path == path or op.module_path.startswith(f"{path}.")


@contextmanager
def result_replaced(
    model: torch.nn.Module, site: Site, num_images: int, act: Act
) -> Iterator[None]:
    """Lets ``act`` see the result at the site in the forward pass, and replace it.

    Raises:
        ModelError: In the forward pass the model did not do what it did when traced.
    """
    watch = _Watch(site, num_images, act)
    handles = watch.attach(model)
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
    watch.require_as_traced()


class _Watch:
    """Counts calls until the one at the site."""

    def __init__(self, site: Site, num_images: int, act: Act) -> None:
        self._site = site
        self._shape = (num_images, *site.shape)
        self._act = act
        self._count = 0

    def attach(self, model: torch.nn.Module) -> list[Any]:
        """Attaches hooks, and switches on what else is needed; all have ``remove()``."""
        if isinstance(self._site, ModuleSite):
            module = model.get_submodule(self._site.path)
            return [module.register_forward_hook(self._on_return)]
        return [_Functions(self, model, self._site)]

    def _on_return(self, module: torch.nn.Module, args: Any, result: Any) -> Any:
        self._count += 1
        return self._act(self._required(result)) if self._count == self._site.call else None

    def on_function(self, result: Any) -> Any:
        """Counts a function's result, and returns what takes its place."""
        if not isinstance(result, torch.Tensor) or tuple(result.shape) != self._shape:
            return result
        self._count += 1
        return self._act(result) if self._count == self._site.call else result

    def _required(self, result: Any) -> torch.Tensor:
        if isinstance(result, torch.Tensor) and tuple(result.shape) == self._shape:
            return result
        got = tuple(result.shape) if isinstance(result, torch.Tensor) else type(result).__name__
        raise ModelError(
            f"{self._site.path!r} returned {got}, expected {self._shape} as traced.",
            next_step="Choose another layer, or give no graph, so that it is traced afresh.",
        )

    def require_as_traced(self) -> None:
        """Raises unless there were as many calls as in the graph."""
        if self._count != self._site.num_calls:
            what = self._site.path or "the model"
            raise ModelError(
                f"{what!r} made {self._count} of the calls looked for, but "
                f"{self._site.num_calls} when traced, so the layer cannot be told.",
                next_step="Choose another layer, or give no graph, so that it is traced afresh.",
            )


class _Functions(TorchFunctionMode):
    """Sees each PyTorch function that one module calls itself, as tracing does."""

    def __init__(self, watch: _Watch, model: torch.nn.Module, site: FunctionSite) -> None:
        super().__init__()
        self._watch = watch
        self._site = site
        self._given = {id(tensor) for tensor in (*model.parameters(), *model.buffers())}
        self._target = model.get_submodule(site.path)
        self._at_work: list[torch.nn.Module] = []
        # First in line, so that the work of the model's own hooks is counted as in tracing.
        self._handles = [
            handle
            for module in model.modules()
            for handle in (
                module.register_forward_pre_hook(self._enter, prepend=True),
                module.register_forward_hook(self._leave, prepend=True),
            )
        ]
        self.__enter__()  # type: ignore[no-untyped-call]

    def _enter(self, module: torch.nn.Module, args: Any) -> None:
        self._at_work.append(module)

    def _leave(self, module: torch.nn.Module, args: Any, result: Any) -> None:
        while self._at_work and self._at_work.pop() is not module:
            pass

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Runs the function, and lets the watch replace its result."""
        result = func(*args, **(kwargs or {}))
        is_ours = self._at_work and self._at_work[-1] is self._target
        if not is_ours or function_name(func) != self._site.function:
            return result
        tensors = tensors_in((args, kwargs))
        if all(id(tensor) in self._given for tensor in tensors):
            return result  # computed from weights alone, which is no operation of the graph
        return self._watch.on_function(result)

    def remove(self) -> None:
        """Takes the hooks off and switches the mode off."""
        self.__exit__(None, None, None)  # type: ignore[no-untyped-call]
        for handle in self._handles:
            handle.remove()

"""The result of a layer in a real forward pass: read, replaced, or reached and no further.

A layer may be a call of a function: the functions of a forward pass are watched, with the
module that calls each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree

from foveal.errors import ModelError
from foveal.graph.nested_tensors import tensors_in
from foveal.graph.vocabulary import function_name
from foveal.layers.finding import FunctionSite, ModuleSite, Site

See = Callable[[str, Any, tuple[Any, ...], dict[str, Any], Any], Any]
"""Called with the module's path, the function, its arguments, its options and its result.

What it returns takes the result's place.
"""


@contextmanager
def functions_watched(model: torch.nn.Module, see: See) -> Iterator[None]:
    """Calls ``see`` after each PyTorch function that a module of the model calls itself.

    Functions that a function calls in turn are not seen: ``F.relu`` is one call, as in tracing.
    What ``see`` itself computes is not seen either.
    """
    modules = list(model.named_modules())
    at_work: list[torch.nn.Module] = []

    def enter(module: torch.nn.Module, _arguments: Any) -> None:
        at_work.append(module)

    def leave(module: torch.nn.Module, _arguments: Any, _result: Any) -> None:
        while at_work and at_work.pop() is not module:
            pass

    paths = {module: path for path, module in modules}
    handles: list[Any] = []
    try:
        # First in line, so that the work of the model's own hooks is counted as in tracing.
        for _, module in modules:
            handles.append(module.register_forward_pre_hook(enter, prepend=True))
            handles.append(module.register_forward_hook(leave, prepend=True, always_call=True))
        with _Mode(lambda: paths.get(at_work[-1]) if at_work else None, see):
            yield
    finally:
        for handle in handles:
            handle.remove()


class _Mode(TorchFunctionMode):
    def __init__(self, path_at_work: Callable[[], str | None], see: See) -> None:
        super().__init__()
        self._path_at_work = path_at_work
        self._see = see
        self._is_looking = False

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Runs the function and hands on its result."""
        options = kwargs or {}
        result = func(*args, **options)
        path = self._path_at_work()
        if path is None or self._is_looking:
            return result
        self._is_looking = True
        try:
            return self._see(path, func, args, options, result)
        finally:
            self._is_looking = False


Act = Callable[[torch.Tensor], torch.Tensor]
"""Sees a layer's result, and returns what takes its place."""

_RETRACE = "Choose another layer, or give no graph, so that it is traced afresh."


class _ReachedError(BaseException):
    """Ends the forward pass at the layer; no ``except Exception`` of a model stops it."""


class UpTo:
    """The network from its images to the result of one layer, as a function.

    What comes after the layer is not run. Where the result is a function's, the first pass goes
    through to the end, to see that the model calls what it called when it was traced.

    Args:
        model: As ``predicting`` lends it.
        site: Where the layer's result is.
    """

    def __init__(self, model: torch.nn.Module, site: Site) -> None:
        self._model = model
        self._site = site
        self._is_known = isinstance(site, ModuleSite)

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Returns the layer's result for images [N, C, H, W]; gradients flow if switched on.

        Raises:
            ModelError: In the forward pass the model did not do what it did when traced.
        """
        found: list[torch.Tensor] = []

        def keep(result: torch.Tensor) -> torch.Tensor:
            found.append(result)
            if self._is_known:
                raise _ReachedError
            # A copy goes on, so that an operation in place cannot overwrite what is kept.
            return result.clone()

        with suppress(_ReachedError), result_replaced(self._model, self._site, len(images), keep):
            self._model(images)
        if not found:
            raise ModelError(
                f"no tensor passed {self._site.path!r} of {type(self._model).__name__} in the "
                "forward pass.",
                next_step="Choose a layer that every image goes through.",
            )
        self._is_known = True
        return found[0]


def result_at(model: torch.nn.Module, site: Site, images: torch.Tensor) -> torch.Tensor:
    """Returns the result of one layer for images [N, C, H, W]; see :class:`UpTo`."""
    return UpTo(model, site)(images)


def first_reached(
    model: torch.nn.Module, paths: Iterable[str], images: torch.Tensor
) -> tuple[str, torch.Tensor] | None:
    """Returns which of some modules runs first, and the tensor that it is given.

    What comes after is not run. None where none of them runs.
    """
    found: list[tuple[str, torch.Tensor]] = []

    def stop_at(path: str) -> Act:
        def stop(given: torch.Tensor) -> torch.Tensor:
            found.append((path, given))
            raise _ReachedError

        return stop

    with suppress(_ReachedError), ExitStack() as stack:
        for path in paths:
            site = ModuleSite(path, 1, None, None, side="input")
            stack.enter_context(result_replaced(model, site, len(images), stop_at(path)))
        model(images)
    return found[0] if found else None


@contextmanager
def result_replaced(
    model: torch.nn.Module, site: Site, num_images: int, act: Act
) -> Iterator[None]:
    """Lets ``act`` see the result at the site in a forward pass, and replace it.

    Raises:
        ModelError: In the forward pass the model did not do what it did when traced.
    """
    watch = _Watch(site, num_images, act)
    with ExitStack() as stack:
        watch.attach(model, stack)
        yield
    watch.require_as_traced()


class _Watch:
    """Counts calls until the one at the site."""

    def __init__(self, site: Site, num_images: int, act: Act) -> None:
        self._site = site
        self._shape = None if site.shape is None else (num_images, *site.shape)
        self._act = act
        self._count = 0

    def attach(self, model: torch.nn.Module, stack: ExitStack) -> None:
        """Attaches what is needed to see the site, for as long as the stack is open."""
        if isinstance(self._site, FunctionSite):
            self._given = {id(tensor) for tensor in (*model.parameters(), *model.buffers())}
            stack.enter_context(functions_watched(model, self._on_function))
            return
        module = model.get_submodule(self._site.path)
        if self._site.side == "input":
            handle = module.register_forward_pre_hook(lambda _, given: self._on_call(given))
        else:
            handle = module.register_forward_hook(lambda _, given, result: self._on_call(result))
        stack.callback(handle.remove)

    def _on_call(self, value: Any) -> Any:
        self._count += 1
        if self._count != self._site.call:
            return None
        tensors = tensors_in(value)
        tensor = tensors[self._site.output] if self._site.output < len(tensors) else None
        if self._shape is None and tensor is not None:
            return self._replaced(value, tensor)
        if tensor is None or tuple(tensor.shape) != self._shape:
            got = type(value).__name__ if tensor is None else tuple(tensor.shape)
            expected = "a tensor" if self._shape is None else f"{self._shape} as traced"
            raise ModelError(
                f"{self._site.path!r} gave {got}, expected {expected}.", next_step=_RETRACE
            )
        return self._replaced(value, tensor)

    def _on_function(
        self, path: str, function: Any, args: Any, options: dict[str, Any], result: Any
    ) -> Any:
        if path != self._site.path or function_name(function) != self._function:
            return result
        tensors = tensors_in(result)
        tensor = tensors[self._site.output] if self._site.output < len(tensors) else None
        if tensor is None or tuple(tensor.shape) != self._shape:
            return result
        if all(id(given) in self._given for given in tensors_in((args, options))):
            return result  # computed from weights alone, which is no operation of the graph
        self._count += 1
        return self._replaced(result, tensor) if self._count == self._site.call else result

    @property
    def _function(self) -> str:
        return self._site.function if isinstance(self._site, FunctionSite) else ""

    def _replaced(self, value: Any, tensor: torch.Tensor) -> Any:
        new = self._act(tensor)
        if value is tensor:
            return new
        leaves, structure = pytree.tree_flatten(value)
        if not any(leaf is tensor for leaf in leaves):
            raise ModelError(
                f"{self._site.path!r} gives a {type(value).__name__}, in which no tensor can be "
                "replaced.",
                next_step="Choose the layer before or after it.",
            )
        return pytree.tree_unflatten(
            [new if leaf is tensor else leaf for leaf in leaves], structure
        )

    def require_as_traced(self) -> None:
        """Raises unless there were as many calls as in the graph."""
        if self._site.num_calls not in (None, self._count):
            what = self._site.path or "the model"
            raise ModelError(
                f"{what!r} made {self._count} of the calls looked for, but "
                f"{self._site.num_calls} when traced, so the layer cannot be told.",
                next_step=_RETRACE,
            )

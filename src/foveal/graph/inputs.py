"""What a network is given: from shapes, or example tensors, to the arguments of ``forward``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import torch

from foveal.errors import UsageError
from foveal.graph.graph import GraphInput, Shape
from foveal.graph.nested_tensors import map_tensors, tensors_with_paths

InputShape = Sequence[Any] | Mapping[str, Any] | torch.Tensor
_CONVOLUTIONS: dict[type[torch.nn.Module], int] = {
    torch.nn.Conv1d: 1,
    torch.nn.Conv2d: 2,
    torch.nn.Conv3d: 3,
    torch.nn.ConvTranspose1d: 1,
    torch.nn.ConvTranspose2d: 2,
    torch.nn.ConvTranspose3d: 3,
}


@dataclass(frozen=True)
class Inputs:
    """Arguments of ``forward``, whose tensors have shapes and no values.

    Attributes:
        args: By position; tensors may sit in dictionaries, lists and tuples.
        kwargs: By name.
        examples: The real tensors that were given, by position in ``tensors``.
    """

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    names: tuple[str, ...]
    examples: Mapping[int, torch.Tensor]

    @property
    def tensors(self) -> list[torch.Tensor]:
        """The tensors, in order: the inputs of the graph."""
        return [tensor for _, tensor in tensors_with_paths((self.args, self.kwargs))]

    @property
    def described(self) -> tuple[GraphInput, ...]:
        """The same as the graph has them."""
        return tuple(
            GraphInput(
                name,
                tuple(tensor.shape),
                str(tensor.dtype).removeprefix("torch."),
                "in a container"
                if len(path) > 2
                else "by position"
                if path[0][1] == 0
                else "by name",
            )
            for name, (path, tensor) in zip(
                self.names, tensors_with_paths((self.args, self.kwargs)), strict=True
            )
        )

    def as_indices(self, chosen: Iterable[int]) -> Inputs:
        """Returns the same with some of the tensors as whole numbers."""
        which = set(chosen)
        return self._changed(
            lambda index, tensor: (
                torch.empty(tensor.shape, dtype=torch.int64, device="meta")
                if index in which
                else tensor
            )
        )

    def filled(
        self, fill: Callable[[torch.Tensor], torch.Tensor]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Returns arguments with real values: the examples, else what ``fill`` makes."""
        real = self._changed(
            lambda index, tensor: (
                self.examples[index].detach().clone() if index in self.examples else fill(tensor)
            )
        )
        return real.args, real.kwargs

    def _changed(self, change: Callable[[int, torch.Tensor], torch.Tensor]) -> Inputs:
        numbers = iter(range(len(self.names)))
        args, kwargs = map_tensors(
            (self.args, self.kwargs), lambda tensor: change(next(numbers), tensor)
        )
        return replace(self, args=args, kwargs=kwargs)


def read_inputs(
    model: torch.nn.Module, input_shape: InputShape, dtype: torch.dtype | None
) -> list[Inputs]:
    """Returns what ``input_shape`` may mean for the model, the likeliest first.

    ``(C, *axes)`` is one image (sequence, volume) where the model's convolutions have that
    many axes, two if it has none, and gets a batch of one. Where that is refused, two axes are
    tried if those convolutions have one, and without any the shape as it stands.

    Raises:
        UsageError: It is no shape.
    """
    if dtype is None:
        floating = (p.dtype for p in model.parameters() if p.is_floating_point())
        dtype = next(floating, torch.get_default_dtype())
    kinds = tuple(_CONVOLUTIONS)
    dims = {
        next(_CONVOLUTIONS[kind] for kind in type(module).__mro__ if kind in _CONVOLUTIONS)
        for module in model.modules()
        if isinstance(module, kinds)
    }
    num_axes = 2 if not dims or 2 in dims else max(dims)
    readings: list[Inputs] = []
    # Images may be convolved by a function, in a model whose only such module is of one axis.
    for axes in (num_axes, *((2,) if dims == {1} else () if dims else (None,))):
        reading = _build(model, input_shape, dtype, axes)
        if all(reading.described != other.described for other in readings):
            readings.append(reading)
    return readings


def shapes_given(model: torch.nn.Module, input_shape: InputShape) -> list[Shape]:
    """Returns the whole shape of each input that ``input_shape`` most likely means.

    Raises:
        UsageError: It is no shape.
    """
    first = read_inputs(model, input_shape, None)[0]
    return [tuple(tensor.shape) for tensor in first.tensors]


def _build(
    model: torch.nn.Module, given: InputShape, dtype: torch.dtype, num_axes: int | None
) -> Inputs:
    def tensor_of(item: Any) -> Any:
        if isinstance(item, torch.Tensor):
            return torch.empty(item.shape, dtype=item.dtype, device="meta")
        if isinstance(item, Mapping):
            return {str(name): tensor_of(part) for name, part in item.items()}
        if _is_leaf(item):
            shape = _whole_shape(item, num_axes)
            return torch.empty(shape, dtype=dtype, device="meta")
        return [tensor_of(part) for part in item]

    def examples_in(item: Any) -> list[torch.Tensor | None]:
        if isinstance(item, torch.Tensor):
            return [None if item.is_meta else item]
        if isinstance(item, Mapping):
            return [found for part in item.values() for found in examples_in(part)]
        return [None] if _is_leaf(item) else [f for part in item for f in examples_in(part)]

    positional, has_rest = _positional_names(model)
    kwargs: dict[str, Any] = {}
    args: tuple[Any, ...] = ()
    if isinstance(given, Mapping):
        if _accepts(model, given) or len(positional) != 1:
            kwargs = tensor_of(given)
        else:
            args = (tensor_of(given),)
    elif isinstance(given, torch.Tensor) or _is_leaf(given):
        args = (tensor_of(given),)
    elif len(given) > 1 and len(positional) == 1 and not has_rest:
        args = (tensor_of(given),)  # a list of images is one argument
    else:
        args = tuple(map(tensor_of, given))
    names = []
    for path, _ in tensors_with_paths((args, kwargs)):
        first = path[1][1]
        if path[0][1] == 0:
            first = positional[first] if first < len(positional) else f"input{first}"
        names.append(".".join(map(str, (first, *(key for _, key in path[2:])))))
    examples = {i: e for i, e in enumerate(examples_in(given)) if e is not None}
    return Inputs(args, kwargs, tuple(names), examples)


def _is_leaf(item: Any) -> bool:
    """Whether an item is meant as one shape; something without parts is refused as one."""
    if not isinstance(item, (Sequence, torch.Size)) or isinstance(item, str) or not item:
        return True
    return not all(isinstance(part, (Sequence, Mapping, torch.Tensor)) for part in item)


def _whole_shape(shape: Any, num_axes: int | None) -> Shape:
    sizes = tuple(shape) if isinstance(shape, Sequence) and not isinstance(shape, str) else (shape,)
    if not sizes or not all(type(size) is int and size > 0 for size in sizes):
        raise UsageError(
            f"got an input shape of {sizes!r}, expected positive whole numbers.",
            next_step="Give one image as (C, H, W), such as (3, 224, 224).",
        )
    is_one = num_axes is not None and len(sizes) == 1 + num_axes
    return (1, *sizes) if is_one and not isinstance(shape, torch.Size) else cast(Shape, sizes)


def _positional_names(model: torch.nn.Module) -> tuple[list[str], bool]:
    """Returns the arguments that ``forward`` takes by position, and whether any number may come."""
    try:
        parameters = inspect.signature(model.forward).parameters.values()
    except (TypeError, ValueError):
        return [], True
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [parameter.name for parameter in parameters if parameter.kind in kinds]
    return names, any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in parameters)


def _accepts(model: torch.nn.Module, names: Iterable[str]) -> bool:
    try:
        parameters = inspect.signature(model.forward).parameters
    except (TypeError, ValueError):
        return True
    known = {n for n, p in parameters.items() if p.kind is not inspect.Parameter.POSITIONAL_ONLY}
    has_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
    return has_any or set(names) <= known

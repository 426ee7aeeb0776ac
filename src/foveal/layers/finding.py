"""Finds a layer by name: an operation of the graph, or a module.

The name of a module stands for its last operation. Where tracing ended early, operations cannot
be told apart by name, and a layer is what a module returns at its first call.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import torch

from foveal.errors import UsageError
from foveal.graph import Graph, Op, Shape
from foveal.text import near_names

COMPILED = "_orig_mod."
"""What ``torch.compile`` puts before every name; what is lent is the module that it wraps."""


@dataclass(frozen=True, slots=True)
class ModuleSite:
    """The result is what a module returns, or what it is given.

    Attributes:
        path: Of the module; ``""`` is the model.
        call: Which of its calls, from 1.
        num_calls: How many there are in one forward pass; None where that is not known.
        shape: Of the tensor, without the batch; None where that is not known.
        output: Which of the module's tensors.
        side: ``"input"`` for what the module is given.
    """

    path: str
    call: int
    num_calls: int | None
    shape: Shape | None
    output: int = 0
    side: Literal["result", "input"] = "result"


@dataclass(frozen=True, slots=True)
class FunctionSite:
    """The result is what a function returns that a module calls itself.

    Attributes:
        path: Of the module; ``""`` is the model.
        function: The function's name, as in ``Op.function``.
        call: Which of the calls from that module with a result of that shape, from 1.
        num_calls: How many there are in one forward pass.
        shape: Of the tensor, without the batch.
        output: Which of the function's tensors.
    """

    path: str
    function: str
    call: int
    num_calls: int
    shape: Shape
    output: int = 0


Site = ModuleSite | FunctionSite
"""Where the tensor of a layer is in the running model."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer of a model.

    Attributes:
        name: Of the operation; of the module where tracing ended early.
        op: The operation; None where tracing ended early.
        site: Where its result is in the running model.
    """

    name: str
    op: Op | None
    site: Site


def find_layer(model: torch.nn.Module, graph: Graph, name: str) -> Layer:
    """Returns the layer of that name.

    Args:
        model: The network.
        graph: Of the network; complete or not.
        name: Of an operation, or the path of a module.

    Raises:
        UsageError: There is none, or no operation runs in it; near names are offered.
    """
    if graph.status == "complete":
        op = find_op(graph, name, model=model)
        return Layer(op.name, op, find_site(graph, op))
    if not _has_module(model, name):
        name = name.removeprefix(COMPILED)
    require_module(model, name, reason=f"of its operations none can be named: {graph.reason}")
    return Layer(name, None, ModuleSite(name, 1, None, None))


def find_op(graph: Graph, name: str, *, model: torch.nn.Module | None = None) -> Op:
    """Returns the operation of that name, or the last one of the module of that path.

    Args:
        graph: Complete.
        name: Of an operation or module.
        model: The network, if it is at hand: then a module may be named by any of its paths, and
            a module in which nothing runs is told from a wrong name.

    Raises:
        UsageError: There is none; near names are offered.
    """
    path = name
    if model is not None and name and _has_module(model, name):
        wanted = model.get_submodule(name)
        path = next(path for path, module in model.named_modules() if module is wanted)
    for tried in dict.fromkeys((name, path, name.removeprefix(COMPILED))):
        exact = next((op for op in graph.ops if op.name == tried), None)
        inside = [op for op in graph.ops if tried and f"{op.module_path}.".startswith(f"{tried}.")]
        if exact is not None or inside:
            return exact or inside[-1]
    if model is not None and name and _has_module(model, name):
        raise UsageError(
            f"no operation runs in {name!r} of {graph.model_type}, so it has no result of its own.",
            next_step="Name the layer before or after it.",
        )
    names = dict.fromkeys(op.name for op in graph.ops)
    for op in graph.ops:
        parts = op.module_path.split(".")
        names.update(dict.fromkeys(".".join(parts[:end]) for end in range(1, len(parts) + 1)))
    maps = [op.name for op in graph.ops if len(op.output_shape) == 4]
    raise UsageError(
        f"{graph.model_type} has neither operation nor module named {name!r}.",
        next_step=_did_you_mean(name, names)
        or (f"Its last map is {maps[-1]!r}." if maps else None),
    )


def require_module(
    model: torch.nn.Module, path: str, *, reason: str | None = None, next_step: str | None = None
) -> torch.nn.Module:
    """Returns the module at ``path``, which may be ``""`` where no reason is given.

    Args:
        model: The network.
        path: The module's path.
        reason: Why nothing but modules can be named, as a clause.
        next_step: What to do; near paths are offered if None.

    Raises:
        UsageError: There is none; near paths are offered.
    """
    if _has_module(model, path) and (path or reason is None):
        return model.get_submodule(path)
    why = "" if reason is None else f", and {reason}"
    raise UsageError(
        f"{type(model).__name__} has no module named {path!r}{why}.",
        next_step=next_step
        or _did_you_mean(path, (name for name, _ in model.named_modules() if name)),
    )


def find_site(graph: Graph, op: Op, *, output: int = 0) -> Site:
    """Returns where the result of an operation is in the running model.

    Args:
        graph: Complete.
        op: One of its operations.
        output: Which of the operation's tensors.
    """
    shape = op.output_shapes[output][1:]
    parts = op.module_path.split(".") if op.module_path else []
    for length in range(len(parts), 0, -1):
        found = _call_that_returns(graph, op, ".".join(parts[:length]))
        if found is not None:
            return ModuleSite(".".join(parts[:length]), *found, shape, output)
    alike = [
        item.index
        for item in graph.ops
        if item.module_path == op.module_path
        and item.function == op.function
        and output < len(item.output_shapes)
        and item.output_shapes[output] == op.output_shapes[output]
    ]
    call = alike.index(op.index) + 1
    return FunctionSite(op.module_path, op.function, call, len(alike), shape, output)


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


def _has_module(model: torch.nn.Module, path: str) -> bool:
    try:
        model.get_submodule(path)
    except AttributeError:
        return False
    return True


def _did_you_mean(name: str, known: Iterable[str]) -> str | None:
    near = near_names(name, dict.fromkeys(filter(None, known)))
    return f"Did you mean {' or '.join(near)}?" if near else None

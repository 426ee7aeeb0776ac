"""The result of one operation out of a real forward pass, and no more of the pass than it takes."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from foveal.errors import ModelError, UsageError
from foveal.inspection.inspection import Inspection, OpRow
from foveal.text import near_names

if TYPE_CHECKING:
    import torch


# A module and the number of its call; None where a function's result is wanted, which is none's.
Place = tuple[str, int] | None


def find_map(table: Inspection, at: str | None, *, purpose: str) -> tuple[OpRow, Place]:
    """Returns the operation called ``at`` and where its result comes out of a module.

    Args:
        table: The network's inspection.
        at: An operation or a module; the last map before global pooling if None.
        purpose: Who asks, as the subject of a message.

    Returns:
        The row, and the path of a module with the number of the call that gives the result;
        None in its place for a function in the middle of a module.

    Raises:
        UsageError: There is none of that name, or it has no places.
    """
    if len(table.inputs) != 1 or len(table.inputs[0].shape) != 4:
        raise UsageError(
            f"{purpose} needs one input of N, C, H, W; {table.name} takes "
            f"{len(table.inputs)} inputs, the first of shape {table.inputs[0].shape}."
        )
    name = at or table.totals.receptive_field_of
    if name is None:
        raise UsageError(f"No operation of {table.name} has places.")
    row, place = _find(table, name)
    if len(row.output_shape) != 4 or max(row.output_shape[2:]) < 2:
        raise UsageError(
            f"{row.name!r} has no places: its output is {row.output_shape}.",
            next_step=f"Choose a map, such as --at {table.totals.receptive_field_of}.",
        )
    return row, place


def _find(table: Inspection, name: str) -> tuple[OpRow, Place]:
    """Returns the operation called ``name`` and the module call that gives its result.

    The name of a module stands for the last operation in it.
    """
    inside = [row for row in table.ops if f"{row.op.module_path}.".startswith(f"{name}.")]
    exact = next((row for row in table.ops if row.name == name), None)
    if exact is None and inside:
        return inside[-1], (name, 1)
    if exact is None:
        near = near_names(name, [row.name for row in table.ops])
        raise UsageError(
            f"{table.name} has neither operation nor module named {name!r}.",
            next_step=f"Did you mean {' or '.join(near)}?" if near else None,
        )
    return exact, _module_call(table, exact)


class _ReachedError(BaseException):
    """Ends the forward pass where the wanted result is; no ``except Exception`` stops it."""


def run_up_to(
    model: torch.nn.Module, row: OpRow, place: Place, picture: torch.Tensor
) -> torch.Tensor:
    """Returns the result of ``row`` for ``picture [N, C, H, W]``, in evaluation mode.

    The model is left as found.

    Raises:
        ModelError: The pass gave no result of the shape that was traced.
    """
    from foveal.graph.borrowing import fully_borrowed

    if place is None:
        return _result_of_function(model, row, picture)
    path, call = place
    results: list[Any] = []

    def stop(module: torch.nn.Module, args: Any, result: Any) -> None:
        results.append(result)
        if len(results) == call:
            raise _ReachedError

    with fully_borrowed(model):
        for module in model.modules():
            module.training = False
        handle = model.get_submodule(path).register_forward_hook(stop)
        try:
            _run(model, picture)
        finally:
            handle.remove()
    if len(results) == call and tuple(results[-1].shape[1:]) == row.output_shape[1:]:
        return cast("torch.Tensor", results[-1])
    raise ModelError(
        f"The forward pass of real numbers gave no result of shape {row.output_shape} at {path!r}.",
        next_step="Choose another operation with --at.",
    )


def _result_of_function(model: torch.nn.Module, row: OpRow, picture: torch.Tensor) -> torch.Tensor:
    from foveal.graph import trace
    from foveal.graph.borrowing import fully_borrowed
    from foveal.graph.cut_points import require_complete
    from foveal.graph.cutting import prefix_of
    from foveal.graph.recordings import Recordings

    graph = trace(model, tuple(picture.shape), mode="eval")
    require_complete(graph, purpose=f"Reaching {row.name!r}")
    with fully_borrowed(model):
        for module in model.modules():
            module.training = False
        recordings = Recordings(model, graph)
        prefix = prefix_of(recordings, model, op_index=row.op.index, name=row.name)
        return cast("torch.Tensor", prefix(picture))


def _run(model: torch.nn.Module, picture: torch.Tensor) -> None:
    with suppress(_ReachedError):
        model(picture)


def _module_call(table: Inspection, row: OpRow) -> Place:
    """Returns the module whose result an operation is, and which of its calls."""
    name, _, number = row.name.partition("#")
    path = row.op.module_path
    if path and name == path:
        return path, int(number or 1)
    # A function at the very end of a module that is called once: the module's result.
    parts = path.split(".") if path else []
    for length in range(len(parts), 0, -1):
        outer = ".".join(parts[:length])
        last = [r for r in table.ops if f"{r.op.module_path}.".startswith(f"{outer}.")][-1]
        if last.op.index == row.op.index:
            return outer, 1
    return None

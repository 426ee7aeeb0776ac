"""From a module to its graph."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal

import torch
from torch.nn.parameter import is_lazy

from foveal.errors import TraceError
from foveal.graph.borrowing import borrowed
from foveal.graph.failures import (
    describe_limit,
    explain_failure,
    explain_real_failure,
    is_plain_from_shapes,
    location_of,
    model_line,
)
from foveal.graph.graph import Graph, GraphOutput, Op, Parameter, Shape
from foveal.graph.inputs import Inputs, InputShape, read_inputs
from foveal.graph.nested_tensors import path_text, tensors_with_paths
from foveal.graph.real_pass import RealPass, try_for_real
from foveal.graph.recorder import Recorder
from foveal.graph.records import RecordedOp, UnfollowableError

Mode = Literal["as found", "eval", "train"]


@dataclass(frozen=True, slots=True)
class Recording:
    """A graph together with the calls that it was read from; lives as long as a cut takes."""

    graph: Graph
    recorder: Recorder
    result: Any


def trace(
    model: torch.nn.Module,
    input_shape: InputShape,
    *,
    dtype: torch.dtype | None = None,
    mode: Mode = "as found",
) -> Graph:
    """Returns the graph of ``model`` on inputs of the given shape.

    Nothing is computed: tensors have shapes but no memory, so the time does not depend on
    the size of the image, and the model may be on any device, the meta device included.
    The model is left as it was found, also after an error: training flags, buffers, hooks,
    gradients and the random state. Its own forward hooks do run, since they may be part of
    what it computes.

    Args:
        model: Any module that is called with tensors, or with dictionaries and lists of them.
        input_shape: ``(C, H, W)`` of one image, or a whole shape with the batch first; three
            numbers are an image, unless they come as a ``torch.Size``, which is always whole.
            ``(C, L)`` and ``(C, D, H, W)`` where the model's convolutions have one axis or
            three. A sequence of these for several inputs; a mapping from the names of
            ``forward``'s arguments for inputs by name, or of one dictionary that ``forward``
            takes. An example tensor stands for its own shape and type.
        dtype: Of the inputs; that of the first floating-point parameter if None, and int64 for
            an input that is looked up in an embedding.
        mode: In which mode to look at the model. ``"as found"`` keeps the flag of every
            module; the others set all of them for the time of tracing, without calling
            ``model.train()``, which some models use to rewrite their weights.

    Returns:
        The graph. Where the model branches on the values in an image, or leaves PyTorch's
        Python functions, its status is ``partial`` or ``unavailable`` and its reason and
        location are named: the operations listed are right, those after are missing.

    Raises:
        TraceError: The model itself refuses the input or raises, on real numbers too; names
            the layer.
        UsageError: The shape is none.
    """
    return record(model, input_shape, dtype=dtype, mode=mode).graph


def record(
    model: torch.nn.Module,
    input_shape: InputShape,
    *,
    dtype: torch.dtype | None = None,
    mode: Mode = "as found",
    explain: Literal["search", "no search"] = "search",
) -> Recording:
    """As ``trace``, and keeps the recorded calls.

    ``explain`` says whether a refusal is followed by a search for a size that works.
    """
    _require_weights(model)
    refusal: TraceError | None = None
    # A tensor that is made in inference mode has no version, which tells what was overwritten.
    with torch.inference_mode(False):
        for inputs in read_inputs(model, input_shape, dtype):
            try:
                return _record(model, inputs, mode=mode, explain=explain)
            except TraceError as error:
                refusal = refusal or error
    assert refusal is not None
    raise refusal


def _record(
    model: torch.nn.Module, inputs: Inputs, *, mode: Mode, explain: Literal["search", "no search"]
) -> Recording:
    recorder = Recorder(model)
    result: Any = None
    stop: UnfollowableError | None = None
    error: Exception | None = None
    with _eager(), borrowed(model), warnings.catch_warnings():
        # What a forward pass warns of, it will say again when it runs for real.
        warnings.simplefilter("ignore")
        if mode != "as found":
            for module in model.modules():
                module.training = mode == "train"
        modes = {module.training for module in model.modules()}
        try:
            with recorder.recording():
                for index, tensor in enumerate(inputs.tensors):
                    recorder.add_input(tensor, index)
                result = model(*inputs.args, **inputs.kwargs)
        except UnfollowableError as unfollowable:
            stop = unfollowable
        except Exception as raised:
            error = raised
        # Compiled code and other threads turn the stop into an error of theirs, or drop it.
        stop = recorder.stop or stop
    ended_by = error or stop
    location = None if ended_by is None else location_of(ended_by, recorder)
    if error is not None and stop is None:
        indices = recorder.inputs_used_as_indices
        if indices:
            return _record(model, inputs.as_indices(indices), mode=mode, explain=explain)
        try:
            stop = _judge(model, recorder, error, inputs, mode=mode, explain=explain)
        except TraceError as refusal:
            if explain == "search":  # a search for sizes that work looks at none of this
                refusal.seen = _seen(model, recorder, inputs, modes, refusal.message, location)
            raise
    if stop is None and recorder.failure is not None:
        stop = UnfollowableError(
            f"it went on after an error of {recorder.failure.name}, which may come from "
            "having only shapes"
        )
    graph = _seen(model, recorder, inputs, modes)
    if stop is None:
        try:
            graph = replace(graph, outputs=_outputs(recorder, result))
        except UnfollowableError as unfollowable:
            stop = unfollowable
    if stop is not None:
        location = location or location_of(stop, recorder)
        graph = _stopped(graph, f"tracing stopped at {location}: {stop}", location)
    return Recording(graph, recorder, result)


def _seen(
    model: torch.nn.Module,
    recorder: Recorder,
    inputs: Inputs,
    modes: set[bool],
    reason: str | None = None,
    location: str | None = None,
) -> Graph:
    """Returns the graph of what was recorded; partial where a reason is given."""
    ops = _finish_ops(recorder)
    graph = Graph(
        model_type=type(model).__name__,
        inputs=inputs.described,
        outputs=(),
        ops=ops,
        parameters=_parameters(model, ops),
        modes="mixed" if len(modes) == 2 else "train" if True in modes else "eval",
    )
    return graph if reason is None else _stopped(graph, reason, location)


def _stopped(graph: Graph, reason: str, location: str | None) -> Graph:
    return replace(
        graph,
        status="partial" if graph.ops else "unavailable",
        reason=reason,
        stopped_at=location,
    )


def _require_weights(model: torch.nn.Module) -> None:
    if not any(map(is_lazy, (*model.parameters(), *model.buffers()))):
        return
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if is_lazy(tensor):
            raise TraceError(
                f"{name!r} of {type(model).__name__} belongs to a lazy module, without shape yet.",
                next_step="Run the model on one image first, which gives it its weights.",
            )


def _judge(
    model: torch.nn.Module,
    recorder: Recorder,
    error: Exception,
    inputs: Inputs,
    *,
    mode: Mode,
    explain: Literal["search", "no search"],
) -> UnfollowableError:
    """Returns why tracing stops, if the error is not the model's.

    Raises:
        TraceError: The model raises on real numbers too.
    """
    if explain == "no search":
        raise explain_failure(recorder, error, inputs.described, None) from error
    if is_plain_from_shapes(recorder, error) and any(p.is_meta for p in model.parameters()):
        real_pass = RealPass("fails", error)  # to make up values for a whole network would be waste
    else:
        real_pass = try_for_real(model, inputs, mode=mode)
    if real_pass.outcome == "fails" and real_pass.error is not None:
        works = _works_with(model, mode=mode)
        if model_line(real_pass.error) == model_line(error):
            raise explain_failure(recorder, error, inputs.described, works) from error
        raise explain_real_failure(
            model, real_pass.error, inputs.described, works
        ) from real_pass.error
    return UnfollowableError(describe_limit(recorder, error, real_pass.outcome))


@contextmanager
def _eager() -> Iterator[None]:
    """Lets what ``torch.compile`` made run as it was written."""
    if "torch._dynamo" not in sys.modules:  # then nothing was compiled, and it loads for seconds
        yield
        return
    with torch.compiler.set_stance("force_eager"):
        yield


def _works_with(model: torch.nn.Module, **options: Any) -> Any:
    def works(shape: Shape) -> bool:
        try:
            recording = record(model, shape, explain="no search", **options)
        except TraceError:
            return False
        return recording.graph.status == "complete"

    return works


def _finish_ops(recorder: Recorder) -> tuple[Op, ...]:
    """Gives every operation its final, unique name."""
    by_frame: dict[int, list[RecordedOp]] = {}
    for op in recorder.ops:
        by_frame.setdefault(op.call.frame.index, []).append(op)
    main: dict[int, int] = {}
    for frame_index, ops in by_frame.items():
        frame = ops[0].call.frame
        own = [op for op in ops if op.uses_own_weights]
        if frame.path and own:
            main[frame_index] = own[0].index
        elif frame.path and len(ops) == 1 and not frame.has_children:
            main[frame_index] = ops[0].index
    used: dict[str, int] = {}
    finished = []
    for op in recorder.ops:
        frame = op.call.frame
        is_main = main.get(frame.index) == op.index
        name = frame.path if is_main else ".".join(filter(None, (frame.path, op.call.name)))
        used[name] = used.get(name, 0) + 1
        if used[name] > 1:
            name = f"{name}#{used[name]}"
        finished.append(
            Op(
                index=op.index,
                name=name,
                module_path=frame.path,
                module_type=type(frame.module).__name__,
                kind=op.kind,
                function=op.call.name,
                attributes=MappingProxyType(op.attributes),
                inputs=op.inputs,
                input_shapes=op.input_shapes,
                output_shapes=op.output_shapes,
                parameters=op.parameters,
                buffers=op.buffers,
                macs=op.macs,
                is_inplace=bool(op.call.overwritten),
                dtype=op.dtype,
            )
        )
    return tuple(finished)


def _parameters(model: torch.nn.Module, ops: tuple[Op, ...]) -> tuple[Parameter, ...]:
    tensors: dict[int, torch.Tensor] = {}
    names: dict[int, list[str]] = {}
    for name, tensor in model.named_parameters(remove_duplicate=False):
        tensors[id(tensor)] = tensor
        names.setdefault(id(tensor), []).append(name)
    users: dict[str, list[int]] = {}
    for op in ops:
        for name in op.parameters:
            users.setdefault(name, []).append(op.index)
    return tuple(
        Parameter(
            name=names[key][0],
            shape=tuple(tensor.shape),
            dtype=str(tensor.dtype).removeprefix("torch."),
            is_trainable=tensor.requires_grad,
            other_names=tuple(names[key][1:]),
            op_indices=tuple(users.get(names[key][0], ())),
        )
        for key, tensor in tensors.items()
    )


def _outputs(recorder: Recorder, result: Any) -> tuple[GraphOutput, ...]:
    found = []
    for path, tensor in tensors_with_paths(result):
        known = recorder.seen.known(tensor)
        if known is None and tensor.device.type == "meta":
            raise UnfollowableError("it returns a tensor that no recorded function made")
        source = known.source if known is not None else None
        found.append(GraphOutput(path_text(path), source, tuple(tensor.shape)))
    if not found:
        raise UnfollowableError(f"it returns a {type(result).__name__} without tensors")
    return tuple(found)

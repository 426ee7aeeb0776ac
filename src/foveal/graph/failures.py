"""Saying which layer refused an input, why, and what would work."""

from __future__ import annotations

import linecache
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from foveal.errors import TraceError
from foveal.graph.attributes import read_attributes
from foveal.graph.graph import GraphInput, Shape
from foveal.graph.layer_attributes import Call
from foveal.graph.missing_values import UnreadValue, depends_on_values
from foveal.graph.recorder import Recorder
from foveal.graph.records import Failure
from foveal.text import printable

_OWN_FOLDERS = (str(Path(torch.__file__).parent), str(Path(__file__).parent))
_LARGEST_SIZE = 4096
# Sizes that networks with a fixed input are made for, the likely ones first.
_COMMON_SIZES = (224, 32, 28, 256, 384, 299, 64, 227, 128, 96, 192, 240, 288, 320, 448, 512)

Works = Callable[[Shape], bool]


def location_of(error: BaseException, recorder: Recorder) -> str:
    """Returns where the model's own code was: module, file, line and the line's text."""
    return _location(describe_module(recorder), model_line(error))


def model_line(error: BaseException) -> tuple[str, int] | None:
    """Returns the last line outside PyTorch that an error came through: file and number."""
    found = None
    traceback = error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if not code.co_filename.startswith(_OWN_FOLDERS):
            found = (code.co_filename, traceback.tb_lineno)
        traceback = traceback.tb_next
    return found


def _location(module: str, line: tuple[str, int] | None) -> str:
    if line is None:
        return module
    file, number = line
    text = linecache.getline(file, number).strip()
    where = f"{module}, {printable(Path(file).name)} line {number}"
    return f"{where} ({printable(text)})" if text else where


def describe_module(recorder: Recorder) -> str:
    """Returns the module at work as ``'layer1.0' (BasicBlock)``."""
    return _named(recorder.frame.path, recorder.frame.module)


def _named(path: str, module: torch.nn.Module) -> str:
    kind = type(module).__name__
    return f"{path!r} ({kind})" if path else f"the model itself ({kind})"


def is_plain_from_shapes(recorder: Recorder, error: Exception) -> bool:
    """Whether the shapes alone prove that the model does not take its input."""
    failure = recorder.failure
    if failure is None or failure.error is not error:
        return False
    found = (
        _wrong_axes(failure, "")
        or _wrong_channels(failure, "")
        or _collapsed(failure, "", (), None)
        or _wrong_features(failure, "", (), None)
    )
    return found is not None


def describe_limit(recorder: Recorder, error: Exception, outcome: str) -> str:
    """Returns why tracing stops at an error that the model does not raise for real."""
    failure = recorder.failure
    if UnreadValue.__name__ in str(error):  # PyTorch names the type that it does not take
        return depends_on_values("item")
    is_of_call = failure is not None and failure.error is error
    what = failure.name if is_of_call and failure is not None else "what runs there"
    lines = str(error).strip().splitlines() or [""]
    said = printable(lines[0][:160])
    proof = (
        "the model itself works on real numbers"
        if outcome == "works"
        else "whether the model itself works could not be tried"
    )
    return f"{what} cannot be followed from shapes alone ({type(error).__name__}: {said}); {proof}"


def explain_real_failure(
    model: torch.nn.Module,
    error: Exception,
    inputs: tuple[GraphInput, ...],
    works: Works | None,
) -> TraceError:
    """Returns the error that says where and how a real forward pass of ``model`` failed."""
    module, traceback = model, error.__traceback__
    while traceback is not None:
        # The pass ran on a copy: the innermost module at work is known by its class alone.
        owner = traceback.tb_frame.f_locals.get("self")
        module = owner if isinstance(owner, torch.nn.Module) else module
        traceback = traceback.tb_next
    given = ", ".join(" x ".join(map(str, item.shape)) for item in inputs)
    location = _location(f"a forward pass, in {type(module).__name__}", model_line(error))
    return TraceError(
        f"{location}, raised {type(error).__name__} on an input of {given}: "
        f"{printable(str(error))}",
        next_step=_size_advice(inputs, works),
    )


def explain_failure(
    recorder: Recorder, error: Exception, inputs: tuple[GraphInput, ...], works: Works | None
) -> TraceError:
    """Returns the error that names layer, numbers and a way out.

    Args:
        recorder: As it was when the model raised.
        error: What the model raised.
        inputs: What the model was given.
        works: Tells whether another input shape would do; None to leave the search out.
    """
    failure = recorder.failure
    given = ", ".join(" x ".join(map(str, item.shape)) for item in inputs)
    if failure is None or failure.error is not error:
        location = location_of(error, recorder)
        return TraceError(
            f"{location} raised {type(error).__name__} on an input of {given}: "
            f"{printable(str(error))}",
            next_step=_size_advice(inputs, works),
        )
    return (
        _wrong_axes(failure, given)
        or _wrong_channels(failure, given)
        or _collapsed(failure, given, inputs, works)
        or _wrong_features(failure, given, inputs, works)
        or TraceError(
            f"{_layer(failure)} refused its input of {_shape(failure)}, with {given} given to "
            f"the model: {printable(str(error))}",
            next_step=_size_advice(inputs, works),
        )
    )


def _layer(failure: Failure) -> str:
    frame = failure.frame
    path = frame.path or type(frame.module).__name__
    return f"layer {path!r} ({failure.name})"


def _first(failure: Failure) -> Any:
    return Call(failure.args, failure.kwargs).first


def _shape(failure: Failure) -> str:
    first = _first(failure)
    if not isinstance(first, torch.Tensor):
        return "several tensors"
    return " x ".join(map(str, first.shape))


# What one input of a network is called, and how its shape is given, by the axes of its kernels.
_ONE_INPUT = {
    1: ("sequence", "channels x length", "{channels}x128"),
    2: ("image", "channels x height x width", "{channels}x64x64"),
    3: ("volume", "channels x depth x height x width", "{channels}x16x64x64"),
}


def _shape_advice(num_axes: int, channels: object) -> str:
    what, order, example = _ONE_INPUT[num_axes]
    example = example.format(channels=channels)
    python = example.replace("x", ", ")
    return f"Give one {what} as {order}: --input {example}, or ({python}) from Python."


def _wrong_axes(failure: Failure, given: str) -> TraceError | None:
    """Returns the error where a kernel has more or fewer axes than its input has positions."""
    first = _first(failure)
    if failure.kind not in {"conv", "conv_transpose"} or not isinstance(first, torch.Tensor):
        return None
    attributes = read_attributes(failure.kind, failure.name, Call(failure.args, failure.kwargs))
    kernel, channels = attributes["kernel"], attributes["in_channels"]
    assert isinstance(kernel, tuple)
    if len(kernel) not in _ONE_INPUT or first.dim() in {len(kernel) + 1, len(kernel) + 2}:
        return None
    what = _ONE_INPUT[len(kernel)][0]
    return TraceError(
        f"{_layer(failure)} expects a {what} with {channels} channels, got {_shape(failure)} "
        f"(the model was given {given}).",
        next_step=_shape_advice(len(kernel), channels),
    )


def _wrong_channels(failure: Failure, given: str) -> TraceError | None:
    first = _first(failure)
    if failure.kind not in {"conv", "conv_transpose"} or not isinstance(first, torch.Tensor):
        return None
    attributes = read_attributes(failure.kind, failure.name, Call(failure.args, failure.kwargs))
    expected, kernel = attributes["in_channels"], attributes["kernel"]
    assert isinstance(kernel, tuple)
    axis = first.dim() - len(kernel) - 1
    if axis < 0 or first.shape[axis] == expected:
        return None
    if failure.frame.first_call:
        advice = "Check what comes before that layer, or the channels of the input."
    elif len(kernel) == 2:
        advice = f"Give an input with {expected} channels, or change that layer."
    else:
        advice = _shape_advice(len(kernel), expected)
    return TraceError(
        f"{_layer(failure)} expects {expected} channels, got {first.shape[axis]} "
        f"(the model was given {given}).",
        next_step=advice,
    )


def _collapsed(
    failure: Failure, given: str, inputs: tuple[GraphInput, ...], works: Works | None
) -> TraceError | None:
    first = _first(failure)
    if failure.kind not in {"conv", "max_pool", "avg_pool", "pad"}:
        return None
    text = str(failure.error)
    is_small = any(
        phrase in text
        for phrase in ("Kernel size can't be greater", "too small", "less than the corresponding")
    )
    if not is_small or not isinstance(first, torch.Tensor):
        return None
    size = " x ".join(map(str, first.shape[2:]))
    return TraceError(
        f"the input of {given} is too small: at {_layer(failure)} only {size} is left, which "
        "is less than its kernel with padding needs.",
        next_step=_size_advice(inputs, works),
    )


def _wrong_features(
    failure: Failure, given: str, inputs: tuple[GraphInput, ...], works: Works | None
) -> TraceError | None:
    first = _first(failure)
    if failure.kind != "linear" or not isinstance(first, torch.Tensor):
        return None
    weight = Call(failure.args, failure.kwargs).get("weight", 1)
    if first.shape[-1] == weight.shape[-1]:
        return None
    return TraceError(
        f"{_layer(failure)} expects {weight.shape[-1]} features, got {first.shape[-1]} "
        f"(the model was given {given}).",
        next_step=_size_advice(inputs, works)
        or "The size of the input decides this number where no pooling comes before.",
    )


def _size_advice(inputs: tuple[GraphInput, ...], works: Works | None) -> str | None:
    """Returns the smallest size that works, or one that does, as advice."""
    if works is None or len(inputs) != 1 or len(inputs[0].shape) != 4:
        return None
    batch, channels, height, width = inputs[0].shape

    def fits(size: int) -> bool:
        return works((batch, channels, size, size))

    smallest = _smallest(fits, below=min(height, width))
    if smallest is not None:
        return f"The smallest square input that works is {channels} x {smallest} x {smallest}."
    for size in _COMMON_SIZES:
        if size != height and fits(size):
            return f"It does work on {channels} x {size} x {size}."
    return None


def _smallest(fits: Callable[[int], bool], *, below: int) -> int | None:
    """Returns the smallest size that fits, if all sizes from there on seem to.

    Bisection needs that; sizes next to the result are tried as a check.
    """
    low, high = below, below
    while not fits(high):
        low, high = high, high * 2
        if high > _LARGEST_SIZE:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(middle) else (middle, high)
    return high if all(fits(high + more) for more in (1, 2, 3, 7)) else None

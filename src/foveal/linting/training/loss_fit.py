"""T410: a loss that outputs and labels do not fit."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from foveal.draw.numbers import percent
from foveal.graph.borrowing import fully_borrowed
from foveal.graph.wiring import SAME_NUMBERS, WEIGHTED, output_op
from foveal.linting.behaviour.passes import (
    answers,
    call,
    copied,
    first_line,
    images_of,
    reason_not_to_run,
    set_training_modes,
)
from foveal.linting.context import LintContext
from foveal.linting.finding import (
    CannotTellError,
    Checked,
    Finding,
    NotApplicable,
    Outcome,
    Severity,
)
from foveal.linting.losses import KNOWN, OF_DISTANCES, OF_LOG_PROBABILITIES, loss_name
from foveal.linting.rule import Rule
from foveal.linting.structure.squashed_logits import RANGES

MAX_IMAGES = 32
# How far the sum of what should be probabilities may be from 1, by half precision too.
_SUM_TOLERANCE = 0.05
# Classes from which on a batch that knows the first tenth alone is no chance.
_MANY = 50
# A cross-entropy of probabilities moves by 1 between the best and the worst answer.
_BOUNDED = 1.5
# Labels may overshoot an activation's range a little (noise, interpolation), or a few far.
_BEYOND, _MIN_SHARE_BEYOND = 0.1, 0.05
# Published recipes go to 0.2.
MOST_SMOOTHING = 0.5
# Float labels that are 0, 1, 2, … and come equally often are classes in disguise: amounts are
# never so even.
_MIN_EVEN = 8


@dataclass(frozen=True, slots=True)
class Told:
    """What does not fit, and what to do."""

    severity: Severity
    evidence: str
    fix: str


def check(context: LintContext) -> Outcome:
    """Runs the batch in training mode, compares outputs and labels, and calls the loss on both.

    What the loss refuses is the finding; so is what it takes without a word and means
    something else, such as shapes that broadcast.
    """
    if (reason := reason_not_to_run(context)) is not None:
        return reason
    if context.labels is None:
        return NotApplicable("no labels were given")
    if (told := _rows(context)) is not None:
        return Checked((_finding(told, loss_name(context.loss)),))
    result, outputs = training_outputs(context)
    labels = context.labels[: len(outputs)].to(outputs.device)
    name = loss_name(context.loss)
    if name is None:
        # Whole numbers beside several outputs are class indices, whatever the loss will be.
        if labels.is_floating_point() or labels.dim() != 1 or outputs.dim() != 2:
            return NotApplicable("no loss was given")
        told = _classes(outputs, labels, context, "a loss over classes")
    else:
        told = (
            _shapes_and_ranges(name, outputs, labels, context)
            or _call(context, result, outputs, labels, name)
            or _floor(context, outputs, labels, name)
            or _values(name, outputs)
            or _range(context, name, labels)
        )
    if told is None:
        return Checked()
    return Checked((_finding(told, name),))


def _finding(told: Told, name: str | None) -> Finding:
    return Finding("T410", told.severity, "", told.evidence, told.fix, data={"loss": name})


def _rows(context: LintContext) -> Told | None:
    """Compares the numbers of images, labels and answers."""
    assert context.batch is not None
    assert context.labels is not None
    num_images = len(context.batch)
    if context.labels.dim() == 0 or len(context.labels) != num_images:
        return Told(
            "error",
            f"there are {num_images} images and labels of shape {_shape(context.labels)}.",
            "Give one label for each image.",
        )
    result = training_pass(context)
    num_given = min(num_images, MAX_IMAGES)
    if not isinstance(result, Tensor) or (result.dim() > 0 and len(result) == num_given):
        return None
    if loss_name(context.loss) not in KNOWN:
        return None
    return Told(
        "error",
        f"the model returns {_shape(result)} for {num_given} images: the first dimension is not "
        "that of the batch any more.",
        "Keep the batch dimension: flatten(1), reshape(len(x), -1), squeeze only the last axis.",
    )


def training_outputs(context: LintContext) -> tuple[Any, Tensor]:
    """Returns what the model returns for the batch in training mode, and its first tensor.

    Raises:
        CannotTellError: The model fails on the batch or returns no such tensor.
    """
    result = training_pass(context)
    assert context.batch is not None
    return result, answers(result, min(len(context.batch), MAX_IMAGES))


def training_pass(context: LintContext) -> Any:
    """Returns what a copy of the model returns for the batch in training mode; run once.

    Raises:
        CannotTellError: The model cannot be copied or fails on the batch.
    """
    found = context.kept.get("training pass")
    if found is None:
        images = images_of(context, at_most=MAX_IMAGES)
        try:
            (model,) = copied(context.model)
            with fully_borrowed(model), torch.no_grad():
                set_training_modes(model, num_images=len(images))
                found = (call(model, images),)
        except CannotTellError as error:
            found = error
        context.kept["training pass"] = found
    if isinstance(found, CannotTellError):
        raise found
    return found[0]


def call_loss(loss: Any, result: Any, outputs: Tensor, labels: Tensor) -> Any:
    """Returns the loss of what the model returned, or of its first tensor if that is refused."""
    if isinstance(loss, type):
        loss = loss()
    if isinstance(result, Tensor):
        return loss(result, labels)
    try:
        return loss(result, labels)
    except Exception:
        return loss(outputs, labels)


def _shapes_and_ranges(
    name: str, outputs: Tensor, labels: Tensor, context: LintContext
) -> Told | None:
    if name in {"CrossEntropyLoss", "NLLLoss", "MultiMarginLoss"}:
        return _classes(outputs, labels, context, name)
    if name in {"BCELoss", "BCEWithLogitsLoss", "MultiLabelSoftMarginLoss"}:
        return _yes_or_no(name, outputs, labels)
    if name in OF_DISTANCES:
        return _distances(name, outputs, labels)
    if name in {"SoftMarginLoss", "HingeEmbeddingLoss"}:
        return _signs(name, outputs, labels)
    return None


def _signs(name: str, outputs: Tensor, labels: Tensor) -> Told | None:
    if labels.shape != outputs.shape:
        return _yes_or_no(name, outputs, labels)
    values = sorted(set(labels.flatten().tolist()))
    if set(values) <= {-1, 1}:
        return None
    shown = ", ".join(f"{value:g}" for value in values[:5])
    return Told(
        "error",
        f"{name} expects labels of -1 and 1; they are {shown}{', …' if len(values) > 5 else ''}.",
        "Give 2 * labels - 1 where labels are 0 and 1.",
    )


def _classes(outputs: Tensor, labels: Tensor, context: LintContext, name: str) -> Told | None:
    shapes = f"the outputs have shape {_shape(outputs)} and the labels {_shape(labels)}"
    if outputs.dim() < 2:
        return Told(
            "error",
            f"{name} expects one output for each class, [N, K]; {shapes}.",
            "Return [N, K] logits, or use BCEWithLogitsLoss for one yes-or-no answer.",
        )
    num_classes = outputs.shape[1]
    if num_classes == 1 and name != "MultiMarginLoss":
        return Told(
            "error",
            f"{name} over a single output is always the same: a softmax over one class is 1. "
            f"Here {shapes}.",
            "Return one logit for each class; or BCEWithLogitsLoss with this one output.",
        )
    if labels.is_floating_point():
        if labels.shape != outputs.shape:
            return Told(
                "error",
                f"{name} expects class indices as whole numbers; the labels are {_dtype(labels)} "
                f"and {shapes}.",
                "Give labels.long(), of shape [N].",
            )
        sums = labels.float().sum(1)
        if bool(((sums - 1).abs() > _SUM_TOLERANCE).any()):
            return Told(
                "warning",
                f"{name} takes labels of the outputs' shape as probabilities that add to 1; "
                f"here they add to between {float(sums.min()):.2g} and {float(sums.max()):.2g}.",
                "Use BCEWithLogitsLoss where several classes may be right at once.",
            )
        return None
    if labels.shape == outputs.shape:
        return Told(
            "error",
            f"{name} expects class indices [N]; the labels are whole numbers of the outputs' "
            f"shape {_shape(labels)}, as if one-hot.",
            "Give labels.argmax(1); or labels.float(), to be taken as probabilities.",
        )
    if labels.shape != (outputs.shape[0], *outputs.shape[2:]):
        squeezed = labels.dim() == outputs.dim() and labels.shape[1] == 1
        return Told(
            "error",
            f"{name} expects labels of shape {_shape_of((outputs.shape[0], *outputs.shape[2:]))}; "
            f"{shapes}.",
            "Give labels.squeeze(1)." if squeezed else "Give one class index for each answer.",
        )
    ignored = getattr(context.loss, "ignore_index", -100)
    counted = labels[labels != ignored]
    if counted.numel() == 0:
        return Told(
            "error",
            f"all labels of the batch are {ignored}, which {name} ignores: nothing is left to "
            "learn from.",
            "Look at how labels are read, or choose another ignore_index.",
        )
    if (told := _settings(context.loss, counted, num_classes, name)) is not None:
        return told
    low, high = int(counted.min()), int(counted.max())
    num_labels = counted.numel()
    is_far_below = num_classes >= _MANY and 0 <= 10 * (high + 1) <= num_classes
    if is_far_below and counted.dim() == 1 and num_labels >= 8 and low >= 0:
        return Told(
            "warning",
            f"the model has {num_classes:,} outputs, and {num_labels} labels go from {low} to "
            f"{high}: nine tenths of the outputs are for classes that are not there.",
            f"Give the last layer as many outputs as there are classes ({high + 1}?).",
        )
    if low < 0 or high >= num_classes:
        fix = f"Give the last layer {high + 1} outputs, or mend the labels."
        if low == 1 and high == num_classes:
            fix = "Labels begin at 0: give labels - 1."
        elif low < 0:
            fix = "Class indices begin at 0; set ignore_index for those that are not to count."
        return Told(
            "error",
            f"the labels go from {low} to {high} and the model has {num_classes} outputs, for "
            f"classes 0 to {num_classes - 1}.",
            fix,
        )
    return None


def _settings(loss: Any, labels: Tensor, num_classes: int, name: str) -> Told | None:
    """Judges class weights and label smoothing."""
    smoothing = float(getattr(loss, "label_smoothing", 0.0) or 0.0)
    if smoothing > MOST_SMOOTHING:
        right = 1 - smoothing + smoothing / num_classes
        return Told(
            "error" if smoothing >= 1 else "warning",
            f"{name} with a label smoothing of {smoothing:g} asks for {percent(right)} of the "
            f"right class{', as of every other' if smoothing >= 1 else ''}.",
            "Give 0.1.",
        )
    weights = getattr(loss, "weight", None)
    if not isinstance(weights, Tensor) or weights.dim() != 1:
        return None
    if bool((weights < 0).any()):
        return Told(
            "error",
            f"{name} has a class weight of {float(weights.min()):g}: it rewards wrong answers.",
            "Give weights above zero.",
        )
    present = [label for label in set(labels.flatten().tolist()) if 0 <= label < len(weights)]
    unweighted = [label for label in present if float(weights[label]) == 0]
    # One class of weight zero, such as the background, may be meant.
    if len(unweighted) > 1 and 2 * len(unweighted) >= len(present):
        return Told(
            "warning",
            f"{len(unweighted)} of {len(present)} classes of the batch have the weight zero in "
            f"{name}: nothing is learned from them.",
            "Weigh classes by the inverse of how often they come.",
        )
    return None


def _yes_or_no(name: str, outputs: Tensor, labels: Tensor) -> Told | None:
    if labels.shape != outputs.shape:
        is_index = labels.dim() == 1 and outputs.dim() == 2 and outputs.shape[1] > 1
        fix = (
            "Use CrossEntropyLoss, or give one 0 or 1 for each class (one_hot(labels).float())."
            if is_index
            else "Give both the same shape: outputs.squeeze(1), or labels[:, None]."
        )
        return Told(
            "error",
            f"{name} compares outputs {_shape(outputs)} with labels {_shape(labels)}, which are "
            "not of one shape.",
            fix,
        )
    if not labels.is_floating_point():
        return Told(
            "error",
            f"{name} expects labels of the outputs' type; they are {_dtype(labels)}.",
            "Give labels.float().",
        )
    low, high = float(labels.min()), float(labels.max())
    if low < 0 or high > 1:
        return Told(
            "error",
            f"{name} expects labels between 0 and 1; they go from {low:g} to {high:g}, and then "
            "the loss has no lowest value.",
            "Write the two classes as 0 and 1.",
        )
    return None


def _distances(name: str, outputs: Tensor, labels: Tensor) -> Told | None:
    is_whole = not labels.is_floating_point() and labels.dtype != torch.bool
    if is_whole and labels.dim() <= 1 and outputs.dim() == 2 and outputs.shape[1] > 1:
        return Told(
            "error",
            f"{name} compares {outputs.shape[1]} outputs an image with class indices "
            f"{_shape(labels)}: class 3 is not three times class 1.",
            "Use CrossEntropyLoss, which takes logits [N, K] and class indices [N].",
        )
    if labels.shape != outputs.shape:
        told = f"{name} compares outputs {_shape(outputs)} with labels {_shape(labels)}"
        try:
            broadcast = torch.broadcast_shapes(  # type: ignore[no-untyped-call]
                outputs.shape, labels.shape
            )
        except RuntimeError:
            return Told("error", f"{told}, which cannot be.", "Give both the same shape.")
        return Told(
            "error",
            f"{told}: they broadcast to {_shape_of(broadcast)}, so that every answer is compared "
            "with the labels of other images.",
            "Give both the same shape: outputs.squeeze(1), or labels[:, None].",
        )
    if is_whole and int(labels.min()) >= 0 and len(set(labels.flatten().tolist())) > 2:
        return Told(
            "warning",
            f"{name} takes whole-number labels ({int(labels.min())} to {int(labels.max())}) as "
            "amounts. As class indices they have no distances.",
            "For classes use CrossEntropyLoss; for amounts give labels.float().",
        )
    if _are_even_classes(labels):
        return Told(
            "warning",
            f"{name} compares one output with labels that are the whole numbers from 0 to "
            f"{int(labels.max())}, each as often as the others: they look like classes, and class "
            "3 is not three times class 1.",
            "For classes use CrossEntropyLoss with one output for each, and labels.long().",
        )
    return None


def _are_even_classes(labels: Tensor) -> bool:
    values = labels.flatten()
    if (
        len(values) != len(labels)
        or len(values) < _MIN_EVEN
        or bool((values != values.round()).any())
    ):
        return False
    found, counts = torch.unique(values, return_counts=True)
    is_dense = len(found) >= 3 and found.tolist() == list(range(len(found)))
    return is_dense and int(counts.max()) - int(counts.min()) <= 1


def _call(
    context: LintContext, result: Any, outputs: Tensor, labels: Tensor, name: str
) -> Told | None:
    try:
        with torch.no_grad(), warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            value = call_loss(context.loss, result, outputs, labels)
    except Exception as error:
        if name == "BCELoss" and not _is_within(outputs, 0.0, 1.0):
            return _not_probabilities(name, outputs)
        text = f"{name} raises {type(error).__name__} on this batch: {first_line(error)}"
        if not isinstance(result, Tensor):
            raise CannotTellError(f"{text} (the model returns {type(result).__name__})") from error
        return Told(
            "error",
            f"{text.rstrip('.')}. The outputs have shape {_shape(outputs)}, the labels "
            f"{_shape(labels)} ({_dtype(labels)}).",
            "Bring outputs and labels to what the loss expects.",
        )
    if any("target size" in str(message.message) for message in said):
        return Told(
            "error",
            f"{name} broadcasts outputs {_shape(outputs)} and labels {_shape(labels)} against each "
            "other.",
            "Give both the same shape.",
        )
    if not isinstance(value, Tensor):
        return None
    if value.numel() != 1:
        return Told(
            "error",
            f"{name} returns {_shape(value)} values, and backward() needs one.",
            "Take their mean(); reduction='mean' does so.",
        )
    if not math.isfinite(float(value)) and bool(torch.isfinite(outputs).all()):
        return Told(
            "error",
            f"{name} is {float(value)} on this batch, though all outputs are finite.",
            "Look for a logarithm of zero, a division by zero, or labels that are not finite.",
        )
    return None


def _floor(context: LintContext, outputs: Tensor, labels: Tensor, name: str) -> Told | None:
    """Asks a loss of the caller's own what it makes of perfect answers.

    A softmax inside it, before a cross-entropy, bounds it from both sides.
    """
    is_of_classes = labels.dim() == 1 and not labels.is_floating_point() and outputs.dim() == 2
    if name in KNOWN or not is_of_classes or outputs.shape[1] < 3 or int(labels.min()) < 0:
        return None
    perfect = torch.nn.functional.one_hot(labels.long(), outputs.shape[1]).to(outputs.dtype)
    try:
        with torch.no_grad():
            values = [float(context.loss(s * perfect, labels)) for s in (-50, -10, 0, 10, 50)]
    except Exception:
        return None
    worst, _, unsure, good, best = values
    if not all(map(math.isfinite, values)) or unsure <= 0 or abs(good - best) > 0.01 * abs(best):
        return None
    if worst - best > _BOUNDED or best < unsure / 2:
        return None
    return Told(
        "error",
        f"{name} gives perfect logits {best:.2f} and undecided ones {unsure:.2f}: it can hardly "
        "fall, as where softmax is applied twice.",
        "Give the logits themselves to cross_entropy.",
    )


def _values(name: str, outputs: Tensor) -> Told | None:
    """Judges what the loss took without a word."""
    detached = outputs.detach().float()
    if name == "BCELoss" and not _is_within(detached, 0.0, 1.0):
        return _not_probabilities(name, detached)
    if name in OF_LOG_PROBABILITIES and detached.dim() >= 2:
        sums = detached.exp().sum(1)
        plain = detached.sum(1)
        is_probability = bool((detached >= 0).all()) and bool(
            ((plain - 1).abs() <= _SUM_TOLERANCE).all()
        )
        # Probabilities are S111's, which knows the softmax.
        if not is_probability and bool(((sums - 1).abs() > _SUM_TOLERANCE).any()):
            return Told(
                "error",
                f"{name} expects logarithms of probabilities, whose exponentials add to 1; those "
                f"of the outputs add to between {float(sums.min()):.2g} and "
                f"{float(sums.max()):.2g}. The loss can fall without end and nothing is learned.",
                "Use CrossEntropyLoss on the logits, or end with log_softmax over the classes.",
            )
    return None


def _range(context: LintContext, name: str, labels: Tensor) -> Told | None:
    """Judges labels by the last activation, if the graph tells it."""
    try:
        last = output_op(context.graph, through=SAME_NUMBERS)
    except CannotTellError:
        return None
    if name == "BCELoss" and last is not None and last.kind in WEIGHTED:
        return Told(
            "error",
            f"{name} expects probabilities, and the outputs are those of {last.name} as they are; "
            "that all of them lie between 0 and 1 on this batch is chance.",
            "Use BCEWithLogitsLoss on these logits, or end with a sigmoid.",
        )
    one_hot = (
        labels.dim() == 2
        and labels.shape[1] > 1
        and bool(((labels == 0) | (labels == 1)).all())
        and bool((labels.sum(1) == 1).all())
    )
    if last is not None and last.kind in WEIGHTED and one_hot and name in OF_DISTANCES:
        return Told(
            "warning",
            f"{name} compares the outputs of {last.name} as they are with one-hot classes: an "
            "answer that is right and sure is punished for being more than 1.",
            "Use CrossEntropyLoss, which takes these logits; labels.argmax(1) are the classes.",
        )
    if last is None or last.kind not in {"activation", "softmax"}:
        return None
    is_softmax = last.kind == "softmax" and last.function == "softmax"
    if name == "BCELoss" and is_softmax and one_hot and labels.shape[1] > 2:
        return Told(
            "warning",
            f"{name} judges {labels.shape[1]} independent answers, and {last.name} makes them "
            "exclusive by a softmax: the same fault is counted several times.",
            "Use CrossEntropyLoss on the logits; or a sigmoid where several may be right.",
        )
    if name not in OF_DISTANCES:
        return None
    if one_hot and (is_softmax or last.function == "sigmoid"):
        return Told(
            "warning",
            f"{name} compares probabilities ({last.name}) with one-hot classes: where the network "
            "is sure and wrong its gradient vanishes.",
            "Use CrossEntropyLoss on the logits (BCEWithLogitsLoss for yes-or-no answers).",
        )
    low, high = (0.0, 1.0) if is_softmax else RANGES.get(last.function, (None, None))
    beyond = torch.zeros_like(labels, dtype=torch.bool)
    if low is not None:
        beyond |= labels < low - _BEYOND
    if high is not None:
        beyond |= labels > high + _BEYOND
    share = float(beyond.float().mean())
    if share < _MIN_SHARE_BEYOND:
        return None
    reach = f"{'-∞' if low is None else f'{low:g}'} to {'∞' if high is None else f'{high:g}'}"
    return Told(
        "error",
        f"{last.name} ({last.function}) can answer from {reach}, and {percent(share)} of the "
        f"labels lie beyond (they go from {float(labels.min()):.3g} to {float(labels.max()):.3g}).",
        "End with the linear layer, or bring the labels to that range.",
    )


def _not_probabilities(name: str, outputs: Tensor) -> Told:
    outputs = outputs.detach()
    return Told(
        "error",
        f"{name} expects probabilities; the outputs go from {float(outputs.min()):.2g} to "
        f"{float(outputs.max()):.2g}.",
        "Use BCEWithLogitsLoss on these logits, or end with a sigmoid.",
    )


def _is_within(values: Tensor, low: float, high: float) -> bool:
    return bool((values >= low).all()) and bool((values <= high).all())


def _shape(tensor: Tensor) -> str:
    return _shape_of(tuple(tensor.shape))


def _shape_of(sizes: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, sizes))}]"


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


RULE = Rule("T410", "a loss that outputs and labels do not fit", "error", check, topics=(19,))

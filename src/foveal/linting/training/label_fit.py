"""Whether labels have the number, shape, type and values that a loss expects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from foveal.draw.numbers import percent
from foveal.linting.behaviour.passes import (
    MAX_IMAGES,
    training_pass,
)
from foveal.linting.context import LintContext
from foveal.linting.finding import CannotTellError, Severity
from foveal.linting.losses import (
    KNOWN,
    OF_DISTANCES,
    loss_name,
)

# How far the sum of what should be probabilities may be from 1, by half precision too.
SUM_TOLERANCE = 0.05


# Classes from which on a batch that knows the first tenth alone is no chance.
_MANY = 50


# Published recipes go to 0.2.
MOST_SMOOTHING = 0.5


# Float labels that are 0, 1, 2, … and come equally often are classes in disguise: amounts are
# never so even.
_MIN_EVEN = 8


@dataclass(frozen=True, slots=True)
class Problem:
    """What does not fit, and what to do about it."""

    severity: Severity
    evidence: str
    fix: str


def wrong_rows(context: LintContext) -> Problem | None:
    """Compares the numbers of images, labels and answers."""
    assert context.batch is not None
    assert context.labels is not None
    num_images = len(context.batch)
    if context.labels.dim() == 0 or len(context.labels) != num_images:
        return Problem(
            "error",
            f"there are {num_images} images and labels of shape {shape_of(context.labels)}.",
            "Give one label for each image.",
        )
    result = training_pass(context)
    num_given = min(num_images, MAX_IMAGES)
    if not isinstance(result, Tensor) or loss_name(context.loss) not in KNOWN:
        return None
    if result.dim() > 0 and len(result) == num_given:
        return _rows_by_chance(context, result)
    return Problem(
        "error",
        f"the model returns {shape_of(result)} for {num_given} images: the first dimension is "
        "not that of the batch any more.",
        "Keep the batch dimension: flatten(1), reshape(len(x), -1), squeeze only the last axis.",
    )


def _rows_by_chance(context: LintContext, result: Tensor) -> Problem | None:
    """Finds outputs whose first dimension is as long as the batch, but not that of the batch."""
    try:
        graph = context.graph
    except CannotTellError:
        return None
    given, shape = graph.inputs[0].shape, graph.outputs[0].shape
    if len(shape) != result.dim() or shape[0] == given[0] or given[0] == len(result):
        return None
    return Problem(
        "error",
        f"the model returns {sizes_text(shape)} for {given[0]} image and {shape_of(result)} for "
        f"{len(result)}: the first dimension is not that of the batch.",
        "Keep the batch dimension: average or flatten over the other ones.",
    )


def wrong_labels(
    name: str, outputs: Tensor, labels: Tensor, context: LintContext
) -> Problem | None:
    """Compares labels and outputs with what the loss of that name expects of both."""
    if name in {"CrossEntropyLoss", "NLLLoss", "MultiMarginLoss"}:
        return wrong_classes(outputs, labels, context, name)
    if name in {"BCELoss", "BCEWithLogitsLoss", "MultiLabelSoftMarginLoss"}:
        return _yes_or_no(name, outputs, labels)
    if name in OF_DISTANCES:
        return _distances(name, outputs, labels)
    if name in {"SoftMarginLoss", "HingeEmbeddingLoss"}:
        return _signs(name, outputs, labels)
    return None


def _signs(name: str, outputs: Tensor, labels: Tensor) -> Problem | None:
    if labels.shape != outputs.shape:
        return _yes_or_no(name, outputs, labels)
    values = sorted(set(labels.flatten().tolist()))
    if set(values) <= {-1, 1}:
        return None
    shown = ", ".join(f"{value:g}" for value in values[:5])
    return Problem(
        "error",
        f"{name} expects labels of -1 and 1; they are {shown}{', …' if len(values) > 5 else ''}.",
        "Give 2 * labels - 1 where labels are 0 and 1.",
    )


def wrong_classes(
    outputs: Tensor, labels: Tensor, context: LintContext, name: str
) -> Problem | None:
    """Compares class indices, or probabilities of classes, with the outputs ``[N, K, ...]``."""
    shapes = f"the outputs have shape {shape_of(outputs)} and the labels {shape_of(labels)}"
    if outputs.dim() < 2:
        return Problem(
            "error",
            f"{name} expects one output for each class, [N, K]; {shapes}.",
            "Return [N, K] logits, or use BCEWithLogitsLoss for one yes-or-no answer.",
        )
    num_classes = outputs.shape[1]
    if num_classes == 1 and name != "MultiMarginLoss":
        return Problem(
            "error",
            f"{name} over a single output is always the same: a softmax over one class is 1. "
            f"Here {shapes}.",
            "Return one logit for each class; or BCEWithLogitsLoss with this one output.",
        )
    if labels.is_floating_point():
        if labels.shape != outputs.shape:
            return Problem(
                "error",
                f"{name} expects class indices as whole numbers; the labels are "
                f"{dtype_of(labels)} and {shapes}.",
                "Give labels.long(), of shape [N].",
            )
        sums = labels.float().sum(1)
        if bool(((sums - 1).abs() > SUM_TOLERANCE).any()):
            return Problem(
                "warning",
                f"{name} takes labels of the outputs' shape as probabilities that add to 1; "
                f"here they add to between {float(sums.min()):.2g} and {float(sums.max()):.2g}.",
                "Use BCEWithLogitsLoss where several classes may be right at once.",
            )
        return None
    if labels.shape == outputs.shape:
        return Problem(
            "error",
            f"{name} expects class indices [N]; the labels are whole numbers of the outputs' "
            f"shape {shape_of(labels)}, as if one-hot.",
            "Give labels.argmax(1); or labels.float(), to be taken as probabilities.",
        )
    if labels.shape != (outputs.shape[0], *outputs.shape[2:]):
        squeezed = labels.dim() == outputs.dim() and labels.shape[1] == 1
        return Problem(
            "error",
            f"{name} expects labels of shape {sizes_text((outputs.shape[0], *outputs.shape[2:]))}; "
            f"{shapes}.",
            "Give labels.squeeze(1)." if squeezed else "Give one class index for each answer.",
        )
    ignored = getattr(context.loss, "ignore_index", -100)
    counted = labels[labels != ignored]
    if counted.numel() == 0:
        return Problem(
            "error",
            f"all labels of the batch are {ignored}, which {name} ignores: nothing is left to "
            "learn from.",
            "Look at how labels are read, or choose another ignore_index.",
        )
    if (problem := _settings(context.loss, counted, num_classes, name)) is not None:
        return problem
    low, high = int(counted.min()), int(counted.max())
    num_labels = counted.numel()
    is_far_below = num_classes >= _MANY and 0 <= 10 * (high + 1) <= num_classes
    if is_far_below and counted.dim() == 1 and num_labels >= 8 and low >= 0:
        return Problem(
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
        return Problem(
            "error",
            f"the labels go from {low} to {high} and the model has {num_classes} outputs, for "
            f"classes 0 to {num_classes - 1}.",
            fix,
        )
    return None


def _settings(loss: Any, labels: Tensor, num_classes: int, name: str) -> Problem | None:
    """Judges class weights and label smoothing."""
    smoothing = float(getattr(loss, "label_smoothing", 0.0) or 0.0)
    if smoothing > MOST_SMOOTHING:
        right = 1 - smoothing + smoothing / num_classes
        return Problem(
            "error" if smoothing >= 1 else "warning",
            f"{name} with a label smoothing of {smoothing:g} asks for {percent(right)} of the "
            f"right class{', as of every other' if smoothing >= 1 else ''}.",
            "Give 0.1.",
        )
    weights = getattr(loss, "weight", None)
    if not isinstance(weights, Tensor) or weights.dim() != 1:
        return None
    if bool((weights < 0).any()):
        return Problem(
            "error",
            f"{name} has a class weight of {float(weights.min()):g}: it rewards wrong answers.",
            "Give weights above zero.",
        )
    present = [label for label in set(labels.flatten().tolist()) if 0 <= label < len(weights)]
    unweighted = [label for label in present if float(weights[label]) == 0]
    # One class of weight zero, such as the background, may be meant.
    if len(unweighted) > 1 and 2 * len(unweighted) >= len(present):
        return Problem(
            "warning",
            f"{len(unweighted)} of {len(present)} classes of the batch have the weight zero in "
            f"{name}: nothing is learned from them.",
            "Weigh classes by the inverse of how often they come.",
        )
    return None


def _yes_or_no(name: str, outputs: Tensor, labels: Tensor) -> Problem | None:
    if labels.shape != outputs.shape:
        is_index = labels.dim() == 1 and outputs.dim() == 2 and outputs.shape[1] > 1
        fix = (
            "Use CrossEntropyLoss, or give one 0 or 1 for each class (one_hot(labels).float())."
            if is_index
            else "Give both the same shape: outputs.squeeze(1), or labels[:, None]."
        )
        return Problem(
            "error",
            f"{name} compares outputs {shape_of(outputs)} with labels {shape_of(labels)}, which "
            "are not of one shape.",
            fix,
        )
    if not labels.is_floating_point():
        return Problem(
            "error",
            f"{name} expects labels of the outputs' type; they are {dtype_of(labels)}.",
            "Give labels.float().",
        )
    low, high = float(labels.min()), float(labels.max())
    if low < 0 or high > 1:
        return Problem(
            "error",
            f"{name} expects labels between 0 and 1; they go from {low:g} to {high:g}, and then "
            "the loss has no lowest value.",
            "Write the two classes as 0 and 1.",
        )
    return None


def _distances(name: str, outputs: Tensor, labels: Tensor) -> Problem | None:
    is_whole = not labels.is_floating_point() and labels.dtype != torch.bool
    if is_whole and labels.dim() <= 1 and outputs.dim() == 2 and outputs.shape[1] > 1:
        return Problem(
            "error",
            f"{name} compares {outputs.shape[1]} outputs an image with class indices "
            f"{shape_of(labels)}: class 3 is not three times class 1.",
            "Use CrossEntropyLoss, which takes logits [N, K] and class indices [N].",
        )
    if labels.shape != outputs.shape:
        problem = f"{name} compares outputs {shape_of(outputs)} with labels {shape_of(labels)}"
        try:
            broadcast = torch.broadcast_shapes(  # type: ignore[no-untyped-call]
                outputs.shape, labels.shape
            )
        except RuntimeError:
            return Problem("error", f"{problem}, which cannot be.", "Give both the same shape.")
        return Problem(
            "error",
            f"{problem}: they broadcast to {sizes_text(broadcast)}, so that every answer is "
            "compared with the labels of other images.",
            "Give both the same shape: outputs.squeeze(1), or labels[:, None].",
        )
    if is_whole and int(labels.min()) >= 0 and len(set(labels.flatten().tolist())) > 2:
        return Problem(
            "warning",
            f"{name} takes whole-number labels ({int(labels.min())} to {int(labels.max())}) as "
            "amounts. As class indices they have no distances.",
            "For classes use CrossEntropyLoss; for amounts give labels.float().",
        )
    if _are_even_classes(labels):
        return Problem(
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


def shape_of(tensor: Tensor) -> str:
    """Returns a shape as ``[8, 3]``."""
    return sizes_text(tuple(tensor.shape))


def sizes_text(sizes: tuple[int, ...]) -> str:
    """Returns sizes as ``[8, 3]``."""
    return f"[{', '.join(map(str, sizes))}]"


def dtype_of(tensor: Tensor) -> str:
    """Returns the type of a tensor's numbers, such as ``int64``."""
    return str(tensor.dtype).removeprefix("torch.")

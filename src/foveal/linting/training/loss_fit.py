"""Losses that outputs and labels do not fit: T410, T411."""

from __future__ import annotations

import math
import warnings
from math import isfinite, log
from typing import Any

import torch
from torch import Tensor

from foveal.draw.numbers import percent
from foveal.graph.wiring import SAME_NUMBERS, WEIGHTED, output_op
from foveal.linting.behaviour.passes import (
    call_loss,
    first_line,
    reason_not_to_run,
    training_outputs,
)
from foveal.linting.context import LintContext
from foveal.linting.finding import (
    CannotTellError,
    Checked,
    Finding,
    NotApplicable,
    Outcome,
)
from foveal.linting.losses import (
    KNOWN,
    OF_DISTANCES,
    OF_LOG_PROBABILITIES,
    WITH_SIGMOID,
    WITH_SOFTMAX,
    loss_name,
)
from foveal.linting.structure.outputs import range_of
from foveal.linting.training.label_fit import (
    SUM_TOLERANCE,
    Problem,
    dtype_of,
    shape_of,
    wrong_classes,
    wrong_labels,
    wrong_rows,
)
from foveal.linting.weights.stored import has_signs_of_training

# A cross-entropy of probabilities moves by 1 between the best and the worst answer.
_BOUNDED = 1.5
# Labels may overshoot an activation's range a little (noise, interpolation), or a few far.
_BEYOND, _MIN_SHARE_BEYOND = 0.1, 0.05


def loss_fit(context: LintContext) -> Outcome:
    """Runs the batch in training mode, compares outputs and labels, and calls the loss on both.

    A finding is what the loss refuses, and what it accepts but means otherwise, such as shapes
    that broadcast.
    """
    if (reason := reason_not_to_run(context)) is not None:
        return reason
    if context.labels is None:
        return NotApplicable("no labels were given")
    if (problem := wrong_rows(context)) is not None:
        return Checked((_finding(problem, loss_name(context.loss)),))
    result, outputs = training_outputs(context)
    labels = context.labels[: len(outputs)].to(outputs.device)
    name = loss_name(context.loss)
    if name is None:
        # Whole numbers beside several outputs are class indices, whatever the loss will be.
        if labels.is_floating_point() or labels.dim() != 1 or outputs.dim() != 2:
            return NotApplicable("no loss was given")
        problem = wrong_classes(outputs, labels, context, "a loss over classes")
    else:
        problem = (
            wrong_labels(name, outputs, labels, context)
            or _call(context, result, outputs, labels, name)
            or _floor(context, outputs, labels, name)
            or _values(name, outputs)
            or _range(context, name, labels)
        )
    if problem is None:
        return Checked()
    return Checked((_finding(problem, name),))


def _finding(problem: Problem, name: str | None) -> Finding:
    return Finding("T410", problem.severity, "", problem.evidence, problem.fix, data={"loss": name})


def _call(
    context: LintContext, result: Any, outputs: Tensor, labels: Tensor, name: str
) -> Problem | None:
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
        return Problem(
            "error",
            f"{text.rstrip('.')}. The outputs have shape {shape_of(outputs)}, the labels "
            f"{shape_of(labels)} ({dtype_of(labels)}).",
            "Bring outputs and labels to what the loss expects.",
        )
    if any("target size" in str(message.message) for message in said):
        return Problem(
            "error",
            f"{name} broadcasts outputs {shape_of(outputs)} and labels {shape_of(labels)} against "
            "each other.",
            "Give both the same shape.",
        )
    if isinstance(value, bool | int | float):
        return Problem(
            "error",
            f"{name} returns a Python number ({float(value):.4g}), which has no gradient.",
            "Return the tensor: item() and float() belong to what is printed.",
        )
    if not isinstance(value, Tensor):
        return None
    if value.numel() != 1:
        return Problem(
            "error",
            f"{name} returns {shape_of(value)} values, and backward() needs one.",
            "Take their mean(); reduction='mean' does so.",
        )
    if not math.isfinite(float(value)) and bool(torch.isfinite(outputs).all()):
        return Problem(
            "error",
            f"{name} is {float(value)} on this batch, though all outputs are finite.",
            "Look for a logarithm of zero, a division by zero, or labels that are not finite.",
        )
    return None


def _floor(context: LintContext, outputs: Tensor, labels: Tensor, name: str) -> Problem | None:
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
    return Problem(
        "error",
        f"{name} gives perfect logits {best:.2f} and undecided ones {unsure:.2f}: it can hardly "
        "fall, as where softmax is applied twice.",
        "Give the logits themselves to cross_entropy.",
    )


def _values(name: str, outputs: Tensor) -> Problem | None:
    """Judges outputs that the loss accepted."""
    detached = outputs.detach().float()
    if name == "BCELoss" and not _is_within(detached, 0.0, 1.0):
        return _not_probabilities(name, detached)
    if name in OF_LOG_PROBABILITIES and detached.dim() >= 2:
        sums = detached.exp().sum(1)
        plain = detached.sum(1)
        is_probability = bool((detached >= 0).all()) and bool(
            ((plain - 1).abs() <= SUM_TOLERANCE).all()
        )
        # Probabilities are S111's, which knows the softmax.
        if not is_probability and bool(((sums - 1).abs() > SUM_TOLERANCE).any()):
            return Problem(
                "error",
                f"{name} expects logarithms of probabilities, whose exponentials add to 1; those "
                f"of the outputs add to between {float(sums.min()):.2g} and "
                f"{float(sums.max()):.2g}. The loss can fall without end and nothing is learned.",
                "Use CrossEntropyLoss on the logits, or end with log_softmax over the classes.",
            )
    return None


def _range(context: LintContext, name: str, labels: Tensor) -> Problem | None:
    """Judges labels by the last activation, if the graph tells it."""
    try:
        last = output_op(context.graph, through=SAME_NUMBERS)
    except CannotTellError:
        return None
    if name == "BCELoss" and last is not None and last.kind in WEIGHTED:
        return Problem(
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
        return Problem(
            "warning",
            f"{name} compares the outputs of {last.name} as they are with one-hot classes: an "
            "answer that is right and sure is punished for being more than 1.",
            "Use CrossEntropyLoss, which takes these logits; labels.argmax(1) are the classes.",
        )
    if last is None or last.kind not in {"activation", "softmax"}:
        return None
    is_softmax = last.kind == "softmax" and last.function == "softmax"
    if name == "BCELoss" and is_softmax and one_hot and labels.shape[1] > 2:
        return Problem(
            "warning",
            f"{name} judges {labels.shape[1]} independent answers, and {last.name} makes them "
            "exclusive by a softmax: the same fault is counted several times.",
            "Use CrossEntropyLoss on the logits; or a sigmoid where several may be right.",
        )
    most_right = int(labels.sum(1).max()) if name == "BCELoss" and _are_several(labels) else 1
    if is_softmax and most_right > 1:
        return Problem(
            "error",
            f"{name} expects up to {most_right} answers of an image to be 1, and {last.name} is a "
            "softmax: all answers together are 1.",
            "End with a sigmoid; or return logits and use BCEWithLogitsLoss.",
        )
    if name not in OF_DISTANCES:
        return None
    if one_hot and (is_softmax or last.function == "sigmoid"):
        return Problem(
            "warning",
            f"{name} compares probabilities ({last.name}) with one-hot classes: where the network "
            "is sure and wrong its gradient vanishes.",
            "Use CrossEntropyLoss on the logits (BCEWithLogitsLoss for yes-or-no answers).",
        )
    low, high = (0.0, 1.0) if is_softmax else range_of(last)
    beyond = torch.zeros_like(labels, dtype=torch.bool)
    if low is not None:
        beyond |= labels < low - _BEYOND
    if high is not None:
        beyond |= labels > high + _BEYOND
    share = float(beyond.float().mean())
    if share < _MIN_SHARE_BEYOND:
        return None
    reach = f"{'-∞' if low is None else f'{low:g}'} to {'∞' if high is None else f'{high:g}'}"
    return Problem(
        "error",
        f"{last.name} ({last.function}) can answer from {reach}, and {percent(share)} of the "
        f"labels lie beyond (they go from {float(labels.min()):.3g} to {float(labels.max()):.3g}).",
        "End with the linear layer, or bring the labels to that range.",
    )


def _are_several(labels: Tensor) -> bool:
    """Whether they are zeros and ones, one for each class of an image."""
    return labels.dim() == 2 and bool(((labels == 0) | (labels == 1)).all())


def _not_probabilities(name: str, outputs: Tensor) -> Problem:
    outputs = outputs.detach()
    return Problem(
        "error",
        f"{name} expects probabilities; the outputs go from {float(outputs.min()):.2g} to "
        f"{float(outputs.max()):.2g}.",
        "Use BCEWithLogitsLoss on these logits, or end with a sigmoid.",
    )


def _is_within(values: Tensor, low: float, high: float) -> bool:
    return bool((values >= low).all()) and bool((values <= high).all())


# The sound networks of docs/lint-recall.md and docs/lint-tasks.md stay below 1.5 times chance.
FIRST_LOSS_FACTOR, FIRST_LOSS_MARGIN = 3.0, 2.0


def first_loss(context: LintContext) -> Outcome:
    """Compares the loss of a new network with ln K, that of K equally likely classes.

    A new network knows nothing. If its loss is far higher it is sure of wrong answers: images
    on a large scale, or initial weights too large.
    """
    if (reason := reason_not_to_run(context)) is not None:
        return reason
    if context.labels is None or context.loss is None:
        return NotApplicable("labels and a loss are needed")
    name = loss_name(context.loss)
    if name not in WITH_SOFTMAX | WITH_SIGMOID:
        return NotApplicable("the loss has no value that chance would give")
    if context.is_pretrained or has_signs_of_training(context):
        return NotApplicable("the network is trained already")
    result, outputs = training_outputs(context)
    labels = context.labels[: len(outputs)].to(outputs.device)
    try:
        with torch.no_grad():
            value = call_loss(context.loss, result, outputs, labels)
        loss = float(value)
    except Exception:
        return NotApplicable("the loss does not take this batch (T410)")
    if getattr(context.loss, "reduction", "mean") == "sum":
        loss /= max(1, labels.numel())
    chance = log(outputs.shape[1]) if name in WITH_SOFTMAX else log(2)
    has_weights = any(
        getattr(context.loss, key, None) is not None for key in ("weight", "pos_weight")
    )
    if has_weights or outputs.dim() < 2 or chance == 0:
        return NotApplicable("what chance would give is not known of this loss")
    if not isfinite(loss) or loss <= FIRST_LOSS_FACTOR * chance + FIRST_LOSS_MARGIN:
        return Checked()
    spread = float(outputs.detach().float().std())
    return Checked(
        (
            Finding(
                "T411",
                "warning",
                "",
                f"The first loss is {loss:,.1f}; a new network that knows nothing is at "
                f"{chance:.2f} (ln {outputs.shape[1] if name in WITH_SOFTMAX else 2}). Its logits "
                f"spread by {spread:,.1f}: it is sure of answers that it has not learned.",
                "Bring the images to about zero mean and unit spread, and draw the initial "
                "weights smaller (kaiming_normal_; a last layer near zero).",
                data={"first_loss": loss, "loss_of_chance": chance, "logit_spread": spread},
            ),
        )
    )

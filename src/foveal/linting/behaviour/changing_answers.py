"""Answers that change though the image does not: B301, B306."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from foveal.draw.numbers import percent
from foveal.graph.borrowing import current_random_state, restore_random_state
from foveal.layers import fully_borrowed
from foveal.linting.behaviour.function_calls import Call, calls_shown_to
from foveal.linting.behaviour.passes import (
    answers,
    batch_norms,
    has_learned_statistics,
    images_of,
    reason_not_to_run,
    run,
    uses_batch_statistics,
)
from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, NotApplicable, Outcome, Severity, Undetermined
from foveal.text import count_noun

_MAX_IMAGES = 8
_MAX_TRIED = 4
# Relative change of an answer beyond what rounding explains, by the type of the weights.
_REDUCED_TOLERANCE = {torch.float16: 5e-2, torch.bfloat16: 1e-1}
_FULL_TOLERANCE = 1e-3
# Dynamically quantised layers round by the largest value of the whole batch.
_QUANTISED_TOLERANCE = 0.1


def batch_dependence(context: LintContext) -> Outcome:
    """Runs images with others and with copies of themselves, in the model's present mode.

    Copies of one image have the statistics of that image alone, and keep the shape of the
    batch: with the same random state, dropout then draws the same masks, so that only the
    other images differ.
    """
    if (reason := reason_not_to_run(context)) is not None:
        return reason
    is_training = context.optimizer is not None and context.model.training
    if is_training and any(norm.running_mean is None for _, norm in batch_norms(context.model)):
        return NotApplicable("the model is being trained, and batch statistics belong to that")
    images = images_of(context, at_most=_MAX_IMAGES)
    if len(images) < 2:
        return Undetermined(
            "got one image, expected two or more, to compare answers with and without others"
        )
    if bool((images - images[:1]).abs().max() == 0):
        return Undetermined(
            "all images of the batch are the same, so the other images make no difference"
        )
    learned = any(has_learned_statistics(norm) for _, norm in batch_norms(context.model))
    with fully_borrowed(context.model) as model:
        if is_training:
            # Batch norms and dropout belong to training; what mixes images without them does not.
            for module in model.modules():
                module.training = False
        seed = int(torch.initial_seed() % 2**31)
        together = _run_seeded(model, images, seed)
        changes, flips = [], 0
        for index in range(min(len(images), _MAX_TRIED)):
            copies = images[index : index + 1].expand_as(images)
            alone = _run_seeded(model, copies, seed)[index]
            changes.append(_largest_change(together[index], alone))
            flips += int(_decision(together[index]) != _decision(alone))
        is_steady = max(changes) <= _FULL_TOLERANCE or (
            _largest_change(together, _run_seeded(model, images, seed)) <= _FULL_TOLERANCE
        )
        culprits = [path for path, norm in batch_norms(model) if uses_batch_statistics(norm)]
    dtype = next((p.dtype for p in context.model.parameters()), torch.float32)
    tolerance = _REDUCED_TOLERANCE.get(dtype, _FULL_TOLERANCE)
    if any("quantized" in type(module).__module__ for module in context.modules.values()):
        tolerance = max(tolerance, _QUANTISED_TOLERANCE)
    if not max(changes) > tolerance:
        return Checked()
    if not is_steady:
        return Undetermined("the same batch is answered differently each time (B306)")
    is_grave = learned or is_training or not context.model.training
    severity: Severity = "error" if is_grave else "warning"
    return Checked((_batch_finding(severity, culprits, changes, flips, context.model),))


def _run_seeded(model: nn.Module, images: Tensor, seed: int) -> Tensor:
    torch.manual_seed(seed)
    return answers(run(model, images), len(images))


def _largest_change(one: Tensor, other: Tensor) -> float:
    size = float(torch.maximum(one.abs().max(), other.abs().max()))
    return float((one - other).abs().max()) / size if size > 0 else 0.0


def _decision(answer: Tensor) -> int:
    return int(answer.flatten().argmax())


def _batch_finding(
    severity: Severity,
    culprits: list[str],
    changes: list[float],
    flips: int,
    model: nn.Module,
) -> Finding:
    tried = len(changes)
    decided = f"; {flips} of {tried} decisions change" if flips else ""
    if culprits:
        cause = (
            f"{count_noun(len(culprits), 'batch norm')} (first {culprits[0]!r}) "
            f"{'uses' if len(culprits) == 1 else 'use'} the statistics of the batch."
        )
    else:
        cause = "No batch norm does it: the forward pass itself mixes the images."
    trapped = [path for path in culprits if not model.get_submodule(path).training]
    if not culprits:
        fix = "Find what reduces over the batch dimension, and give each image its own."
    elif trapped:
        fix = "Build the batch norms with track_running_stats=True; eval() alone does not help."
    else:
        fix = "Call model.eval() before predicting."
    return Finding(
        code="B301",
        severity=severity,
        location=culprits[0] if culprits else "",
        evidence=(
            f"The same image answers differently alone and among others: by up to "
            f"{percent(max(changes), digits=1)} of the largest output over "
            f"{count_noun(tried, 'image')}"
            f"{decided}. {cause}"
        ),
        fix=fix,
        data={
            "largest_change": max(changes),
            "num_decisions_changed": flips,
            "num_images": tried,
            "num_batch_norms": len(culprits),
        },
    )


_MAX_REPEATED = 8
# Relative; parallel sums may differ in the last digits from run to run.
_REPEAT_TOLERANCE = 1e-4
Cause = Literal["chance", "state"]


def changing_answers(context: LintContext) -> Outcome:
    """Runs the batch twice in the present mode and compares."""
    if (reason := reason_not_to_run(context)) is not None:
        return reason
    if context.optimizer is not None and context.model.training:
        return _chance_in_evaluation(context)
    images = images_of(context, at_most=_MAX_REPEATED)
    with fully_borrowed(context.model) as model:
        first, second = run(model, images), run(model, images)
        if _change(first, second) <= _REPEAT_TOLERANCE:
            return Checked()
        cause, location = _trace_difference(model, images)
    return Checked((_repeat_finding(context.model, _change(first, second), cause, location),))


def _chance_in_evaluation(context: LintContext) -> Outcome:
    """Looks for dropout that evaluation mode does not switch off, and for what is remembered.

    A model that is being trained may draw what it likes while it trains, and other draws in
    evaluation mode may be meant (a variational autoencoder); dropout is not.
    """
    found: list[str] = []

    def see(call: Call) -> None:
        before = call.arguments[0] if "dropout" in call.function and call.arguments else None
        if isinstance(before, Tensor) and before.shape == call.result.shape:
            changed = torch.ne(call.result, before)
            found.extend([call.location] if bool(changed.any()) else [])

    images = images_of(context, at_most=2)
    with fully_borrowed(context.model) as model:
        for module in model.modules():
            module.training = False
        random_state = current_random_state()
        with calls_shown_to(model, see):
            first = run(model, images)
        restore_random_state(random_state)
        change = 0.0 if found else _change(first, run(model, images))
    if not found:
        return Checked((_memory_finding(change),) if change > _REPEAT_TOLERANCE else ())
    return Checked(
        (
            Finding(
                code="B306",
                severity="warning",
                location=found[0],
                evidence=(
                    f"{found[0]!r} drops values in evaluation mode too: eval() does not switch "
                    "it off, so every prediction will depend on chance."
                ),
                fix="Write F.dropout(x, p, training=self.training), or use nn.Dropout.",
                data={"num_locations": len(found)},
            ),
        )
    )


def _memory_finding(change: float) -> Finding:
    return Finding(
        code="B306",
        severity="warning",
        location="",
        evidence=(
            f"In evaluation mode the same images are answered differently twice in a row, by "
            f"{percent(change, digits=1)} of the largest output, with the same random state: the "
            "model keeps something of the batch before."
        ),
        fix="Keep nothing of a batch in forward, or only while the model is training.",
        data={"largest_change": change, "cause": "state"},
    )


def _change(one: Tensor, other: Tensor) -> float:
    if one.shape != other.shape:
        return float("inf")
    # Where both are not a number they are the same; that is a finding of B305.
    both = torch.isfinite(one) & torch.isfinite(other)
    if not bool(both.any()):
        return 0.0
    size = float(torch.maximum(one[both].abs().max(), other[both].abs().max()))
    return float((one - other)[both].abs().max()) / size if size > 0 else 0.0


def _trace_difference(model: nn.Module, images: Tensor) -> tuple[Cause, str]:
    """Returns whether chance or a memory does it, and the first call that differs."""
    state = torch.get_rng_state()
    sums: list[list[tuple[str, float]]] = []
    for _ in range(2):
        noted: list[tuple[str, float]] = []

        def see(call: Call, noted: list[tuple[str, float]] = noted) -> None:
            if not call.result.is_complex():
                noted.append((call.location, float(call.result.double().sum())))

        with calls_shown_to(model, see):
            run(model, images)
        sums.append(noted)
    torch.set_rng_state(state)
    one = run(model, images)
    torch.set_rng_state(state)
    cause: Cause = "chance" if _change(one, run(model, images)) <= _REPEAT_TOLERANCE else "state"
    for (location, value), (_, other) in zip(*sums, strict=False):
        if abs(value - other) > _REPEAT_TOLERANCE * max(abs(value), abs(other), 1e-12):
            return cause, location
    return cause, ""


def _repeat_finding(model: nn.Module, change: float, cause: Cause, location: str) -> Finding:
    severity: Severity = "warning" if model.training else "error"
    path = location.partition("#")[0]
    module = dict(model.named_modules()).get(path)
    if cause == "state":
        what = "also with the same random state: the model remembers earlier calls"
        fix = "Let forward write no buffers or attributes when the model is not training."
    elif model.training:
        what = "and the model is in training mode"
        fix = "Call model.eval() before predicting."
    elif module is not None and module.training:
        what = f"and {path!r} alone is in training mode"
        fix = f"Call eval() on the whole model, or on {path!r}, before predicting."
    else:
        what = "although the model is in evaluation mode"
        fix = "Give F.dropout training=self.training; draw no random numbers in evaluation mode."
    return Finding(
        code="B306",
        severity=severity,
        location=location,
        evidence=(
            f"The same images answered differently twice in a row, by {percent(change, digits=1)} "
            f"of the largest output, {what}."
            + (f" The first result that differs is that of {location!r}." if location else "")
        ),
        fix=fix,
        data={"largest_change": change, "cause": cause},
    )

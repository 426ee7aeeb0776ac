"""B301: an image's answer depends on the other images of its batch (forgotten eval())."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from foveal.draw.numbers import percent
from foveal.graph.borrowing import fully_borrowed
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
from foveal.linting.rule import Rule
from foveal.text import count_noun

_MAX_COMPANY = 8
_MAX_TRIED = 4
# Relative change of an answer beyond what rounding explains, by the type of the weights.
_TOLERANCE = {torch.float16: 5e-2, torch.bfloat16: 1e-1}
_FULL_TOLERANCE = 1e-3
# Dynamically quantised layers round by the largest value of the whole batch.
_QUANTISED_TOLERANCE = 0.1


def check(context: LintContext) -> Outcome:
    """Runs images with others and with copies of themselves, in the model's present mode.

    Copies of one image have the statistics of that image alone, and keep the shape of the
    batch: with the same random state, dropout then draws the same masks, so that only the
    company differs.
    """
    if (reason := reason_not_to_run(context)) is not None:
        return reason
    is_training = context.optimizer is not None and context.model.training
    if is_training and any(norm.running_mean is None for _, norm in batch_norms(context.model)):
        return NotApplicable("the model is being trained, and batch statistics belong to that")
    images = images_of(context, at_most=_MAX_COMPANY)
    if len(images) < 2:
        return Undetermined("one image has no company; give a batch of two or more")
    if bool((images - images[:1]).abs().max() == 0):
        return Undetermined("all images of the batch are the same, so company makes no difference")
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
            changes.append(_change(together[index], alone))
            flips += int(_decision(together[index]) != _decision(alone))
        is_steady = max(changes) <= _FULL_TOLERANCE or (
            _change(together, _run_seeded(model, images, seed)) <= _FULL_TOLERANCE
        )
        culprits = [path for path, norm in batch_norms(model) if uses_batch_statistics(norm)]
    dtype = next((p.dtype for p in context.model.parameters()), torch.float32)
    tolerance = _TOLERANCE.get(dtype, _FULL_TOLERANCE)
    if any("quantized" in type(module).__module__ for module in context.modules.values()):
        tolerance = max(tolerance, _QUANTISED_TOLERANCE)
    if not max(changes) > tolerance:
        return Checked()
    if not is_steady:
        return Undetermined("the same batch is answered differently each time (B306)")
    is_grave = learned or is_training or not context.model.training
    severity: Severity = "error" if is_grave else "warning"
    return Checked((_finding(severity, culprits, changes, flips, context.model),))


def _run_seeded(model: nn.Module, images: Tensor, seed: int) -> Tensor:
    torch.manual_seed(seed)
    return answers(run(model, images), len(images))


def _change(one: Tensor, other: Tensor) -> float:
    size = float(torch.maximum(one.abs().max(), other.abs().max()))
    return float((one - other).abs().max()) / size if size > 0 else 0.0


def _decision(answer: Tensor) -> int:
    return int(answer.flatten().argmax())


def _finding(
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
        place=culprits[0] if culprits else "",
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


RULE = Rule("B301", "answers that depend on the rest of the batch", "error", check, topics=(27,))

"""T415: a short trial on a copy, and what happens in it."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from foveal.graph.borrowing import borrowed
from foveal.inspection.gradient_flow import usual_loss
from foveal.linting.behaviour.passes import (
    answers,
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
from foveal.linting.rule import Rule
from foveal.linting.training.groups import NO_OPTIMIZER
from foveal.linting.training.loss_fit import call_loss
from foveal.linting.weights.stored import has_signs_of_training

NUM_STEPS = 8
MAX_IMAGES = 16
# The trial ends early after this time, and is not begun with models too large to copy.
BUDGET_SECONDS = 5.0
MAX_WEIGHTS = 200_000_000
# Below it a step is lost in the rounding of single precision (2⁻²³ = 1.2e-7).
LOST_RATIO = 1e-7
# A loss that is so many times the first has left for good.
DIVERGED = 10.0
SMALLER_RATE = 1e-2
# Answers to different images that differ by less, of the largest, are the same but for rounding.
SAME = 1e-6


class BackwardError(Exception):
    """The backward pass of the caller's own model and loss fails."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What happened.

    Attributes:
        losses: Before the first step and after each, on one batch.
        ratios: Size of the first step over the size of the weight, by parameter.
        chances: Cross-entropy of the labels at the same moments, where they are class indices
            beside logits; empty otherwise.
        spread: Largest difference between answers to different images after the last step,
            over the largest answer.
        num_images: How many images the steps were taken on.
    """

    losses: tuple[float, ...]
    chances: tuple[float, ...]
    ratios: dict[str, float]
    spread: float
    num_images: int

    @property
    def num_steps(self) -> int:
        """How many steps were taken."""
        return len(self.losses) - 1

    @property
    def falls(self) -> bool:
        """Whether the loss was below the first after any step."""
        first = self.losses[0]
        later = [loss for loss in self.losses[1:] if math.isfinite(loss)]
        return bool(later) and min(later) < first - 1e-7 * abs(first)

    @property
    def forgets(self) -> bool:
        """Whether the right classes become less likely with every step."""
        pairs = zip(self.chances, self.chances[1:], strict=False)
        return len(self.chances) > 2 and all(after > before for before, after in pairs)

    @property
    def typical_ratio(self) -> float:
        """Median over parameters that moved; 0 if none did."""
        moved = [ratio for ratio in self.ratios.values() if ratio > 0]
        return median(moved) if moved else 0.0


def check(context: LintContext) -> Outcome:
    """Takes a few steps with a copy of the optimizer, always on the same images.

    Steps down the gradient of one batch lower the loss of that batch, unless the rate is too
    large or nothing is learned at all. Chance is switched off (dropout, stochastic depth).
    """
    if (reason := _reason_not_to_try(context)) is not None:
        return reason
    try:
        trial = run_trial(context)
    except BackwardError as error:
        return Checked((_no_way_back(error),))
    if trial is None:
        return NotApplicable("the loss does not take this batch (T410)")
    first = trial.losses[0]
    if not math.isfinite(first):
        return NotApplicable("the loss is not finite before the first step (B305, T410)")
    if not any(ratio > 0 for ratio in trial.ratios.values()):
        return Checked((_nothing_moves(trial),))
    broken = next((i for i, loss in enumerate(trial.losses) if not math.isfinite(loss)), None)
    if broken is not None or trial.losses[-1] > DIVERGED * max(abs(first), 0.1):
        return Checked((_diverges(trial, broken),))
    if first == 0:
        return Checked()
    if not trial.falls:
        slower = run_trial(context, rate_factor=SMALLER_RATE)
        if slower is not None and slower.falls:
            return Checked((_too_fast(trial, slower),))
    if trial.forgets and trial.losses[-1] < first:
        return Checked((_wrong_way(trial),))
    if trial.typical_ratio < LOST_RATIO and not _is_trained(context):
        return Checked((_too_slow(trial),))
    if trial.spread <= SAME and trial.num_images > 1 and _images_differ(context):
        return Checked((_collapsed(trial),))
    if not trial.falls:
        raise CannotTellError(
            f"in {trial.num_steps} steps the loss did not fall below {first:.4g}, at a hundredth "
            "of the rate neither; what the model returns may depend on chance"
        )
    return Checked()


def _reason_not_to_try(context: LintContext) -> NotApplicable | None:
    if context.optimizer is None:
        return NO_OPTIMIZER
    if (reason := reason_not_to_run(context)) is not None:
        return reason
    if context.labels is None:
        return NotApplicable("no labels were given")
    if context.loss is None and (context.labels.is_floating_point() or context.labels.dim() != 1):
        return NotApplicable("no loss was given")
    if sum(parameter.numel() for parameter in context.model.parameters()) > MAX_WEIGHTS:
        raise CannotTellError(f"a trial copies the model, and this has more than {MAX_WEIGHTS:,}")
    return None


def run_trial(context: LintContext, *, rate_factor: float = 1.0) -> Trial | None:
    """Returns what happens in a few steps; None if the loss does not take the batch.

    Model, optimizer and loss are copied together, and the random state is put back.

    Raises:
        CannotTellError: They cannot be copied, or the model or optimizer fails.
    """
    model, optimizer, loss = copied(context.model, context.optimizer, context.loss)
    images = images_of(context, at_most=MAX_IMAGES)
    assert context.labels is not None
    labels = context.labels[: len(images)].to(images.device)
    for group in optimizer.param_groups:
        group["lr"] = rate_factor * max(float(group["lr"]), float(group.get("initial_lr") or 0.0))
    named = dict(model.named_parameters())
    began = time.monotonic()
    with borrowed(model), torch.enable_grad():
        set_training_modes(model, num_images=len(images))

        def measure(given: Tensor = images) -> tuple[Tensor, Tensor]:
            random.seed(0)
            torch.manual_seed(0)
            result = model(given.clone())
            outputs = answers(result, len(images))
            if loss is None:
                return usual_loss(outputs, labels), outputs
            return call_loss(loss, result, outputs, labels), outputs

        try:
            value, outputs = measure()
            losses = [float(value.detach())]
            chances = [_chance(outputs, labels)]
        except CannotTellError:
            raise
        except Exception:
            return None
        if not value.requires_grad:
            return Trial((losses[0],), (), dict.fromkeys(named, 0.0), 1.0, len(images))
        ratios: dict[str, float] = {}
        for step in range(NUM_STEPS):
            before = None
            if step == 0:
                before = {name: tensor.detach().clone() for name, tensor in named.items()}
            try:
                _step(optimizer, value, measure)
                value, outputs = measure()
            except BackwardError:
                raise
            except Exception as error:
                raise CannotTellError(
                    f"the trial fails with {type(error).__name__}: {first_line(error)}"
                ) from error
            if before is not None:
                ratios = _ratios(named, before)
            losses.append(float(value.detach()))
            chances.append(_chance(outputs, labels))
            if not math.isfinite(losses[-1]) or time.monotonic() - began > BUDGET_SECONDS:
                break
        spread = _spread(outputs.detach())
        if spread > SAME and math.isfinite(losses[-1]):
            # Answers may differ by chance alone: then they stay the same for other images.
            with torch.no_grad():
                _, turned = measure(images.flip(0))
            spread = _spread(torch.stack([turned, outputs.detach()]))
    told = tuple(chance for chance in chances if chance is not None)
    return Trial(tuple(losses), told, ratios, spread, len(images))


def _step(optimizer: Any, value: Tensor, measure: Callable[[], tuple[Tensor, Tensor]]) -> None:
    optimizer.zero_grad()
    try:
        value.backward()  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        raise BackwardError(first_line(error)) from error
    if not isinstance(optimizer, torch.optim.LBFGS):
        optimizer.step()
        return

    def again() -> Tensor:
        optimizer.zero_grad()
        found, _ = measure()
        found.backward()  # type: ignore[no-untyped-call]
        return found

    optimizer.step(again)  # type: ignore[no-untyped-call]


def _chance(outputs: Tensor, labels: Tensor) -> float | None:
    """Returns the cross-entropy of class indices; None where outputs or labels are no such."""
    if outputs.dim() != 2 or outputs.shape[1] < 2 or labels.is_floating_point():
        return None
    if labels.shape != outputs.shape[:1] or int(labels.max()) >= outputs.shape[1]:
        return None
    if int(labels.min()) < 0:
        return None
    return float(nn.functional.cross_entropy(outputs.detach().float(), labels.long()))


def _ratios(named: dict[str, nn.Parameter], before: dict[str, Tensor]) -> dict[str, float]:
    found = {}
    for name, parameter in named.items():
        if not parameter.is_floating_point():
            continue
        step = float((parameter.detach() - before[name]).float().norm())
        size = float(before[name].float().norm())
        if not math.isfinite(step):
            found[name] = math.inf
        else:
            found[name] = step / size if size > 0 else (math.inf if step > 0 else 0.0)
    return found


def _spread(outputs: Tensor) -> float:
    outputs = outputs.float()
    largest = float(outputs.abs().max())
    if not largest > 0:
        return 0.0
    return float((outputs.amax(0) - outputs.amin(0)).max()) / largest


def _images_differ(context: LintContext) -> bool:
    images = images_of(context, at_most=MAX_IMAGES)
    return bool((images != images[:1]).any())


def _is_trained(context: LintContext) -> bool:
    return bool(context.is_pretrained) or has_signs_of_training(context)


def _course(trial: Trial) -> str:
    shown = [trial.losses[0], *trial.losses[1:][-3:]]
    words = [f"{loss:.4g}" for loss in shown]
    gap = " … " if len(trial.losses) > 4 else ", "
    return f"{words[0]}{gap}{', '.join(words[1:])}"


def _told(trial: Trial, severity: Severity, evidence: str, fix: str, *, place: str = "") -> Finding:
    return Finding(
        "T415",
        severity,
        place,
        f"In a trial of {trial.num_steps} steps on {trial.num_images} images {evidence}",
        fix,
        data={
            "losses": [loss if math.isfinite(loss) else None for loss in trial.losses],
            "typical_update_ratio": trial.typical_ratio,
        },
    )


def _no_way_back(error: BackwardError) -> Finding:
    return Finding(
        "T415",
        "error",
        "",
        f"The backward pass fails: {error}",
        "Look for values that are overwritten in place (+=, relu_) after they were used, and for "
        "functions without a derivative; torch.autograd.set_detect_anomaly(True) names the line.",
    )


def _nothing_moves(trial: Trial) -> Finding:
    return _told(
        trial,
        "error",
        "no weight changed at all.",
        "Look for a cut in the forward pass (B307), a rate of zero (T409) or "
        "frozen weights (T408).",
    )


def _diverges(trial: Trial, broken: int | None) -> Finding:
    fastest = max(trial.ratios, key=lambda name: trial.ratios[name])
    what = (
        f"the loss became {trial.losses[broken]} at step {broken}"
        if broken is not None
        else f"the loss rose from {trial.losses[0]:.4g} to {trial.losses[-1]:.4g}"
    )
    return _told(
        trial,
        "error",
        f"{what} ({_course(trial)}). The first step changed weights by "
        f"{trial.typical_ratio:.2g} of their size (median of the layers).",
        "Lower the learning rate by ten or more; look at the scale of images and first weights.",
        place=fastest,
    )


def _too_fast(trial: Trial, slower: Trial) -> Finding:
    severity: Severity = "error" if min(trial.losses[1:]) > 2 * abs(trial.losses[0]) else "warning"
    return _told(
        trial,
        severity,
        f"the loss never fell below its first value ({_course(trial)}); at a hundredth of the rate "
        f"it falls ({_course(slower)}). The first step changed weights by "
        f"{trial.typical_ratio:.2g} of their size (median of the layers).",
        "Lower the learning rate.",
    )


def _wrong_way(trial: Trial) -> Finding:
    return _told(
        trial,
        "error",
        f"the loss fell ({_course(trial)}) while the right classes became less likely with every "
        f"step (their cross-entropy rose from {trial.chances[0]:.4g} to {trial.chances[-1]:.4g}).",
        "Look at the sign of the loss and at how labels reach it.",
    )


def _too_slow(trial: Trial) -> Finding:
    return _told(
        trial,
        "warning",
        f"weights changed by {trial.typical_ratio:.1e} of their size a step (median of the "
        "layers), less than the rounding of single precision.",
        "Raise the learning rate; a step of about 0.001 of the weights is usual.",
    )


def _collapsed(trial: Trial) -> Finding:
    return _told(
        trial,
        "error",
        f"the answers to all images are the same in the end (the loss went {_course(trial)}): "
        "what the network says does not depend on the image.",
        "Look for dead units (B303), a layer that saturates, or a learning rate too high.",
    )


RULE = Rule("T415", "a trial that fails", "error", check, topics=(10, 24))

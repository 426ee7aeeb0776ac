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

from foveal.inspection.gradient_flow import usual_loss
from foveal.layers import borrowed
from foveal.linting.behaviour.passes import (
    answers,
    call_loss,
    copied,
    first_line,
    images_of,
    set_training_modes,
)
from foveal.linting.context import LintContext
from foveal.linting.finding import (
    CannotTellError,
)

NUM_STEPS = 8
MAX_IMAGES = 16
# The trial ends early after this time of the processor, which a busy machine does not use up, and
# is not begun with models too large to copy.
BUDGET_SECONDS = 5.0
MAX_WEIGHTS = 200_000_000
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
        cross_entropies: Those of the labels at the same moments, where they are class
            indices beside logits; empty otherwise.
        spread: Largest difference between answers to different images after the last step,
            over the largest answer.
        num_images: How many images the steps were taken on.
    """

    losses: tuple[float, ...]
    cross_entropies: tuple[float, ...]
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
    def unlearns(self) -> bool:
        """Whether the right classes become less likely with every step."""
        pairs = zip(self.cross_entropies, self.cross_entropies[1:], strict=False)
        return len(self.cross_entropies) > 2 and all(after > before for before, after in pairs)

    @property
    def typical_ratio(self) -> float:
        """Median over parameters that moved; 0 if none did."""
        moved = [ratio for ratio in self.ratios.values() if ratio > 0]
        return median(moved) if moved else 0.0


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
    began = time.thread_time()
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
            cross_entropies = [_cross_entropy(outputs, labels)]
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
            cross_entropies.append(_cross_entropy(outputs, labels))
            if not math.isfinite(losses[-1]) or time.thread_time() - began > BUDGET_SECONDS:
                break
        spread = _spread(outputs.detach())
        if spread > SAME and math.isfinite(losses[-1]):
            # Answers may differ by chance alone: then they stay the same for other images.
            with torch.no_grad():
                _, turned = measure(images.flip(0))
            spread = _spread(torch.stack([turned, outputs.detach()]))
    known = tuple(value for value in cross_entropies if value is not None)
    return Trial(tuple(losses), known, ratios, spread, len(images))


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


def _cross_entropy(outputs: Tensor, labels: Tensor) -> float | None:
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

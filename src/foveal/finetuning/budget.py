"""How deep to unfreeze, how many views and epochs: what a number of seconds can pay for.

The cost of a plan is the frozen part once for every image and view, and the trained part for
every image, epoch and fit. The first follows from the speed that the feature probe measured
and the share of multiply-accumulates before the cut. The second is measured: a few steps of a
small batch for every candidate, from the cheapest on, as long as they take a moment; what is
dearer is scaled by its multiply-accumulates.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from foveal.draw.numbers import short_bytes, short_count
from foveal.errors import UsageError
from foveal.features.frozen_part import FrozenPart
from foveal.finetuning.cuts import Candidate, divide
from foveal.finetuning.loop import keep_statistics
from foveal.models import Backbone

_PROBE_BATCH = 8
_PROBE_SECONDS = 0.5
_PROBE_ROUNDS = 3
_FEWEST_EPOCHS, _GOOD_EPOCHS = 3, 8
_FEWEST_VIEWS, _GOOD_VIEWS, _MOST_VIEWS = 2, 4, 8
# Watching an epoch costs forward passes over at most this share of its images.
_WATCHING = 0.15


@dataclass(frozen=True, slots=True)
class CandidateCost:
    """What one cut costs.

    Attributes:
        candidate: The cut.
        prefix_seconds: The frozen part for one view of one image.
        step_seconds: A training step, by image.
        is_measured: Whether ``step_seconds`` was measured, or scaled from a measured one.
    """

    candidate: Candidate
    prefix_seconds: float
    step_seconds: float
    is_measured: bool


@dataclass(frozen=True, slots=True)
class Workload:
    """What there is to do.

    Attributes:
        num_images: N.
        num_fits: Trainings: one a fold, one on everything, each for every seed.
        num_trained: Images of one training.
        has_views: Whether the policy changes images at all.
        most_epochs: That any training gets, whatever there is time for.
    """

    num_images: int
    num_fits: int
    num_trained: int
    has_views: bool
    most_epochs: int = 16


@dataclass(frozen=True, slots=True)
class TuningPlan:
    """A cut with views and epochs, and what they cost.

    Attributes:
        cost: The cut and its costs.
        num_views: K.
        num_epochs: Of each training.
        seconds: What all of it is expected to take.
        bank_bytes: On disk; 0 where nothing is frozen.
    """

    cost: CandidateCost
    num_views: int
    num_epochs: int
    seconds: float
    bank_bytes: int


def measure_costs(
    backbone: Backbone,
    candidates: Sequence[Candidate],
    *,
    size: tuple[int, int],
    num_classes: int,
    images_per_second: float | None,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[CandidateCost, ...]:
    """Returns the cost of every candidate, in their order.

    Args:
        backbone: The network.
        candidates: From the first cut to the last.
        size: Height and width of the input in pixels.
        num_classes: K.
        images_per_second: Of the whole network by the chosen feature backend; ``None`` where
            nobody measured it, then PyTorch's forward pass is timed; infinity leaves the frozen
            part out.
        clock: Gives seconds.
    """
    found: list[CandidateCost] = []
    for candidate in reversed(candidates):
        before = found[-1] if found else None
        if before is not None and _PROBE_BATCH * before.step_seconds > _PROBE_SECONDS:
            ratio = candidate.macs_after / max(1, before.candidate.macs_after)
            found.append(CandidateCost(candidate, 0.0, before.step_seconds * ratio, False))
            continue
        division = divide(backbone, candidate, num_classes=num_classes, size=size)
        seconds = _time_step(division.suffix, candidate.shape, clock)
        found.append(CandidateCost(candidate, 0.0, seconds, True))
    costs = tuple(reversed(found))
    if images_per_second == math.inf:
        return costs
    return with_speed(costs, backbone, size=size, images_per_second=images_per_second, clock=clock)


def with_speed(
    costs: Sequence[CandidateCost],
    backbone: Backbone,
    *,
    size: tuple[int, int],
    images_per_second: float | None,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[CandidateCost, ...]:
    """Returns costs with that of the frozen part, by its share of the whole network's work.

    Args:
        costs: Of candidates.
        backbone: The network.
        size: Height and width of the input in pixels.
        images_per_second: See :func:`measure_costs`.
        clock: Gives seconds.
    """
    if images_per_second is None:
        network = backbone.feature_network()
        images = torch.zeros(_PROBE_BATCH, 3, *size)
        times = []
        with torch.inference_mode():
            for _ in range(_PROBE_ROUNDS):
                began = clock()
                network(images)
                times.append(clock() - began)
        images_per_second = _PROBE_BATCH / max(1e-9, min(times))
    first = costs[0].candidate
    total_macs = max(1, first.macs_before + first.macs_after)
    return tuple(
        replace(cost, prefix_seconds=cost.candidate.macs_before / total_macs / images_per_second)
        for cost in costs
    )


def make_plan(
    cost: CandidateCost, work: Workload, *, num_views: int, num_epochs: int
) -> TuningPlan:
    """Returns what this cut with so many views and epochs costs."""
    is_banked = bool(cost.candidate.name)
    steps = work.num_fits * num_epochs * work.num_trained * cost.step_seconds * (1 + _WATCHING)
    prefix = work.num_images * num_views * cost.prefix_seconds if is_banked else 0.0
    size = work.num_images * num_views * cost.candidate.view_bytes if is_banked else 0
    return TuningPlan(cost, num_views, num_epochs, prefix + steps, size)


def choose_plan(
    costs: Sequence[CandidateCost],
    work: Workload,
    *,
    budget_seconds: float,
    spent_seconds: float = 0.0,
) -> TuningPlan:
    """Returns the plan that ``budget_seconds``, which are left after planning, pay for.

    The cut that trains most among those that can have eight epochs on four views; failing
    that, the cut with the cheapest step that can have three epochs on two. What is left over
    goes first into epochs, up to 16, then into views, up to 8.

    Raises:
        UsageError: The budget is too small for anything; what the least would need is said.
    """

    def plan(cost: CandidateCost, views: int, epochs: int) -> TuningPlan:
        return make_plan(cost, work, num_views=views if work.has_views else 1, num_epochs=epochs)

    good = [
        cost for cost in costs if plan(cost, _GOOD_VIEWS, _GOOD_EPOCHS).seconds <= budget_seconds
    ]
    least = [plan(cost, _FEWEST_VIEWS, _FEWEST_EPOCHS) for cost in costs]
    affordable = [one for one in least if one.seconds <= budget_seconds]
    if good:
        chosen = max(good, key=lambda cost: cost.candidate.num_trained)
        views, epochs = _GOOD_VIEWS, _GOOD_EPOCHS
    elif affordable:
        chosen = min(affordable, key=lambda one: one.cost.step_seconds).cost
        views, epochs = _FEWEST_VIEWS, _FEWEST_EPOCHS
    else:
        cheapest = min(least, key=lambda one: one.seconds)
        raise UsageError(
            f"What is left of the budget ({budget_seconds:,.0f} s) is too small for any "
            "fine-tuning here: the least "
            f"({cheapest.num_epochs} epochs after {cheapest.cost.candidate.name or 'nothing'}, "
            f"{work.num_fits} trainings) needs about {cheapest.seconds:,.0f} s.",
            next_step=f"Give --budget {math.ceil((cheapest.seconds + spent_seconds) * 1.2)}s, "
            "fewer folds, or --fine-tune none.",
        )
    while epochs < work.most_epochs and plan(chosen, views, epochs + 1).seconds <= budget_seconds:
        epochs += 1
    while views < _MOST_VIEWS and plan(chosen, views + 1, epochs).seconds <= budget_seconds:
        views += 1
    return plan(chosen, views, epochs)


def render_candidates(costs: Sequence[CandidateCost], chosen: TuningPlan, work: Workload) -> str:
    """Returns the candidates as a table: cost and bank of the chosen views and epochs."""
    names = [cost.candidate.name or "(whole network)" for cost in costs]
    width = max(map(len, [*names, "frozen up to"]))
    lines = [
        f"   {'frozen up to':{width}}  stages  trained  suffix MACs  images/s      bank      time"
    ]
    for name, cost in zip(names, costs, strict=True):
        plan = make_plan(cost, work, num_views=chosen.num_views, num_epochs=chosen.num_epochs)
        mark = "→" if cost.candidate == chosen.cost.candidate else " "
        about = " " if cost.is_measured else "≈"
        lines.append(
            f" {mark} {name:{width}}  {cost.candidate.num_stages:>6}  "
            f"{short_count(cost.candidate.num_trained):>7}  "
            f"{short_count(cost.candidate.macs_after):>11}  "
            f"{about}{1 / cost.step_seconds:>7,.0f}  {short_bytes(plan.bank_bytes):>8}  "
            f"{plan.seconds:>7,.0f} s"
        )
    return "\n".join(lines)


def bank_part(backbone: Backbone, candidate: Candidate, size: tuple[int, int]) -> FrozenPart:
    """Returns the frozen part of a candidate that has one."""
    part = divide(backbone, candidate, num_classes=1, size=size).part
    assert part is not None
    return part


def _time_step(suffix: nn.Module, shape: tuple[int, ...], clock: Callable[[], float]) -> float:
    """Returns seconds of a forward and backward pass by image: the fastest of several.

    The first warms up, and other work on the machine can only make one slower.
    """
    inputs = torch.zeros(_PROBE_BATCH, *shape)
    if len(shape) == 3:
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        suffix.to(memory_format=torch.channels_last)
    suffix.train()
    keep_statistics(suffix)
    suffix.requires_grad_(True)
    times = []
    for _ in range(1 + _PROBE_ROUNDS):
        began = clock()
        loss = suffix(inputs).float().square().sum()
        torch.autograd.grad(loss, list(suffix.parameters()), allow_unused=True)
        times.append(clock() - began)
    return max(1e-9, min(times[1:])) / _PROBE_BATCH

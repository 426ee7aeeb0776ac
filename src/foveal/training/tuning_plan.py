"""What a budget pays for: asked before anything is computed, settled when speeds are known."""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from foveal.dataset import Manifest
from foveal.draw.numbers import short_bytes
from foveal.errors import UsageError
from foveal.features import ImageSource, ProbeReport
from foveal.finetuning.budget import (
    CandidateCost,
    Workload,
    choose_plan,
    measure_costs,
    render_candidates,
    with_speed,
)
from foveal.finetuning.checkpoints import Origin
from foveal.finetuning.cuts import Candidate, choose_candidate, divide, find_candidates
from foveal.finetuning.loop import settled
from foveal.finetuning.rates import rate_table, render_rates
from foveal.finetuning.settings import DEFAULT_BUDGET, Recipe, read_budget
from foveal.images import Preprocessing
from foveal.images.augmentation import Policy, find_policy
from foveal.models import Backbone
from foveal.text import count_noun, printable
from foveal.training.config import TrainConfig
from foveal.training.problem import Problem
from foveal.training.steps import Step


@dataclass(frozen=True)
class TuningData:
    """What there is to fine-tune on.

    Attributes:
        manifest: The images.
        backbone: The pretrained network.
        preprocessing: How images enter it.
        probe: What the whole network's backend managed.
        targets: Shares of the classes [N, K] that are learned; ``None`` for the labels.
    """

    manifest: Manifest
    backbone: Backbone
    preprocessing: Preprocessing
    probe: ProbeReport
    targets: NDArray[np.float32] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the input in pixels."""
        return self.preprocessing.height_px, self.preprocessing.width_px

    @cached_property
    def sources(self) -> list[ImageSource]:
        """The usable images with their digests."""
        return [
            ImageSource(self.manifest.resolve(record), record.digest or "")
            for record in self.manifest.usable
        ]


@dataclass(frozen=True, slots=True)
class Measured:
    """What trainings after each cut cost, before the speed of the frozen part is known.

    Attributes:
        costs: Of every candidate, without the frozen part.
        why_whole: Why the whole network is trained; empty where there is a choice.
        seconds: What measuring took; a part of the budget.
        refusal: Why the budget is too small for anything, as a sentence; ``None`` where it is not.
    """

    costs: tuple[CandidateCost, ...]
    why_whole: str
    seconds: float
    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class TuningPlan:
    """What is done, as it is written beside the checkpoints.

    Attributes:
        candidate: Where the network is cut.
        num_views: Of every image.
        recipe: How the suffix is trained.
        backend: That runs the frozen part; ``None`` until it is chosen.
    """

    candidate: Candidate
    num_views: int
    recipe: Recipe
    backend: str | None

    def describe(self, policy: Policy) -> str:
        """Returns it as a phrase."""
        where = (
            f"the network after {self.candidate.name}"
            if self.candidate.name
            else "the whole network"
        )
        views = (
            f"{count_noun(self.num_views, 'view')} of every image"
            if self.candidate.name
            else (
                "a new view of every image in every epoch"
                if policy.has_views
                else "the images as they are"
            )
        )
        return (
            f"{where}, for at most {count_noun(self.recipe.num_epochs, 'epoch')} on {views} "
            f"(augmentation {policy.name})"
        )


def measure_trainings(
    manifest: Manifest, backbone: Backbone, preprocessing: Preprocessing, config: TrainConfig
) -> Measured:
    """Measures a training step after each cut, and whether the budget can pay for any at all.

    This is asked before the first feature is computed. The frozen part is taken to cost nothing
    here, and the fewest trainings are counted, so that what is refused could not have been done.

    Raises:
        UsageError: There is no such layer; or the budget is too small, where fine-tuning was asked
            for and not only allowed.
    """
    began = time.perf_counter()
    size = preprocessing.height_px, preprocessing.width_px
    policy = find_policy(config.augment)
    candidates, why_uncut = find_candidates(backbone, size)
    why_whole = f"it cannot be cut: {why_uncut}" if why_uncut else ""
    if config.unfreeze is not None:
        candidates = (choose_candidate(backbone, candidates, config.unfreeze, size),)
    elif config.is_from_scratch:
        candidates, why_whole = candidates[:1], "it starts at random"
    elif policy.mixings:
        candidates, why_whole = candidates[:1], f"--augment {policy.name} mixes images"
    costs = measure_costs(
        backbone,
        candidates,
        size=size,
        num_classes=len(manifest.class_names),
        images_per_second=math.inf,
    )
    num_images = len(manifest.usable)
    is_holdout = config.test_size is not None or manifest.has_splits
    num_folds = 1 if is_holdout else min(config.num_folds, 2)
    share = config.test_size or (0.5 if is_holdout else 1 / config.num_folds)
    work = Workload(
        num_images=num_images,
        num_fits=config.tuning_seeds * (1 if is_holdout else num_folds + 1),
        num_trained=max(1, int(num_images * (1 - share))),
        has_views=policy.has_views,
        most_epochs=_most_epochs(config),
    )
    seconds = time.perf_counter() - began
    budget = read_budget(config.budget or DEFAULT_BUDGET)
    refusal = None
    try:
        choose_plan(costs, work, budget_seconds=max(0.0, budget - seconds), spent_seconds=seconds)
    except UsageError as error:
        if config.fine_tune == "always":
            raise
        refusal = error.message
    return Measured(costs, why_whole, seconds, refusal)


def _most_epochs(config: TrainConfig) -> int:
    """A pretrained network is done after a few epochs; one that starts at random is not."""
    return 100 if config.is_from_scratch else 16


def settle_plan(
    problem: Problem,
    data: TuningData,
    policy: Policy,
    config: TrainConfig,
    measured: Measured,
    step: Step,
) -> TuningPlan:
    """Returns the plan that what is left of the budget pays for.

    Raises:
        UsageError: It pays for none.
    """
    began = time.perf_counter()
    speeds = {row.backend: row.images_per_second for row in data.probe.rows}
    costs = with_speed(
        measured.costs,
        data.backbone,
        size=data.size,
        images_per_second=speeds.get(data.probe.chosen),
    )
    work = Workload(
        num_images=len(problem),
        num_fits=config.tuning_seeds * (1 if problem.is_holdout else problem.num_folds + 1),
        num_trained=int((problem.fold_index != 0).sum()),
        has_views=policy.has_views,
        most_epochs=_most_epochs(config),
    )
    budget = read_budget(config.budget or DEFAULT_BUDGET)
    # Planning is part of what it costs.
    spent = measured.seconds + time.perf_counter() - began
    left = max(0.0, budget - spent)
    plan = choose_plan(costs, work, budget_seconds=left, spent_seconds=spent)
    candidate = plan.cost.candidate
    division = divide(data.backbone, candidate, num_classes=problem.num_classes, size=data.size)
    recipe = replace(config.recipe(), num_epochs=plan.num_epochs)
    recipe = settled(recipe, division.suffix, candidate.shape)
    for line in render_candidates(costs, plan, work).splitlines():
        step.say(line)
    for line in render_rates(rate_table(division.suffix, division.depths, recipe)).splitlines():
        step.say(line)
    where = f"frozen up to {candidate.name}" if candidate.name else "the whole network is trained"
    if measured.why_whole:
        where += f", because {measured.why_whole}"
    step.note(
        f"{where}; {count_noun(plan.num_views, 'view')} ({policy.name}), "
        f"{count_noun(plan.num_epochs, 'epoch')}, a bank of {short_bytes(plan.bank_bytes)}, "
        f"about {plan.seconds:,.0f} s of the {left:,.0f} s left",
        cut=candidate.name,
        why_whole=measured.why_whole,
        num_views=plan.num_views,
        num_epochs=plan.num_epochs,
        bank_bytes=plan.bank_bytes,
        expected_seconds=round(plan.seconds, 1),
        precision=recipe.precision,
    )
    return TuningPlan(candidate, plan.num_views, recipe, None)


def planned_then(then: Origin, config: TrainConfig, step: Step) -> TuningPlan:
    """Returns the plan that the checkpoints were made by."""
    parts = then.parts
    try:
        content = json.loads(parts["plan"])
        shape = tuple(content["candidate"].pop("shape"))
        chosen = TuningPlan(
            Candidate(**content["candidate"], shape=shape),
            int(content["num_views"]),
            Recipe(**content["recipe"]),
            content["backend"],
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(
            f"{printable(str(config.resume))} holds no plan of a fine-tuning that this version "
            "reads.",
            next_step="Leave --resume out to begin anew.",
        ) from error
    step.note(f"as in {printable(str(config.resume))}")
    return chosen

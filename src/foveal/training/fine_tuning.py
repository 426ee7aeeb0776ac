"""The step that fine-tunes: plan, bank, trainings, and the honest choice at the end.

What is fine-tuned is adopted only where it is better than the frozen classifier out of fold, by
a paired test over groups. Everything that a resumed training must share with the first is kept
beside its checkpoints, the plan among it, because a plan rests on measured times.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from foveal.dataset import Manifest
from foveal.draw.numbers import short_bytes, signed_points
from foveal.errors import UsageError
from foveal.evaluation.evidence import Interval
from foveal.evaluation.paired import accuracy_difference
from foveal.features import ImageSource, ProbeReport, cache_directory, choose_backend
from foveal.features.bank import Bank
from foveal.features.frozen_part import ViewPlan, fill_bank, open_bank
from foveal.finetuning.budget import (
    TuningPlan,
    Workload,
    bank_part,
    choose_plan,
    measure_costs,
    render_candidates,
)
from foveal.finetuning.checkpoints import CheckpointFolder, Origin, read_origin
from foveal.finetuning.cuts import Candidate, choose_candidate, divide, find_candidates
from foveal.finetuning.epochs import TABLE_HEADER, EpochRow, table_line
from foveal.finetuning.loop import settled
from foveal.finetuning.rates import rate_table, render_rates
from foveal.finetuning.settings import Recipe, read_budget
from foveal.finetuning.sources import BankSource, BatchSource, FileSource
from foveal.images import Preprocessing
from foveal.images.augmentation import Policy, find_policy
from foveal.models import Backbone
from foveal.text import count_noun, printable
from foveal.training.config import TrainConfig
from foveal.training.fine_tuned import FineTunedMaker
from foveal.training.fitting import Fitted
from foveal.training.mirrored import mirrored_warnings
from foveal.training.problem import Problem
from foveal.training.steps import Step, StepLog

_DEFAULT_BUDGET = "5m"
_NUM_PROBE_IMAGES = 8


@dataclass(frozen=True, slots=True)
class TuningData:
    """What there is to fine-tune on.

    Attributes:
        manifest: The images.
        backbone: The pretrained network.
        preprocessing: How images enter it.
        probe: What the whole network's backend managed.
    """

    manifest: Manifest
    backbone: Backbone
    preprocessing: Preprocessing
    probe: ProbeReport

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the input in pixels."""
        return self.preprocessing.height_px, self.preprocessing.width_px

    @property
    def sources(self) -> list[ImageSource]:
        """The usable images with their digests."""
        return [
            ImageSource(self.manifest.resolve(record), record.digest or "")
            for record in self.manifest.usable
        ]


@dataclass(frozen=True, slots=True)
class _Chosen:
    """What is done, as it is written beside the checkpoints."""

    candidate: Candidate
    num_views: int
    recipe: Recipe
    backend: str | None


def fine_tune(
    problem: Problem,
    frozen: Fitted,
    data: TuningData,
    config: TrainConfig,
    *,
    log: StepLog,
    checkpoints: Path | None = None,
) -> Fitted:
    """Returns what was fine-tuned where it is better, else ``frozen``.

    Args:
        problem: The usable images in their folds.
        frozen: What was fitted on frozen features, on the same folds.
        data: Images and network.
        config: ``fine_tune``, ``budget``, ``unfreeze``, ``augment``, ``resume``.
        log: Follows the steps.
        checkpoints: A folder to keep checkpoints in.

    Raises:
        DataError: The bank does not fit on the disk, or a file was changed.
        ModelError: The loss is no finite number.
        RunError: The checkpoints are of another training, or cannot be written.
        UsageError: The budget is too small, or there is no such layer.
    """
    problem = problem.take(problem.fold_index >= -1)
    policy = find_policy(config.augment)
    folder_path = config.resume or checkpoints
    then = None if config.resume is None else read_origin(config.resume)
    with log.step("tuning_plan", "Planning the fine-tuning") as step:
        chosen = (
            _plan(problem, data, policy, config, step)
            if then is None
            else _planned_then(then, config, step)
        )
    if policy.mirrors:
        with log.step("mirrored", "Looking whether mirrored images keep their class") as step:
            warnings = mirrored_warnings(
                problem,
                frozen,
                data.sources,
                backbone=data.backbone,
                preprocessing=data.preprocessing,
                backend_name=data.probe.chosen,
                num_workers=config.num_workers,
            )
            step.note(" ".join(warnings) or "they do", warnings=list(warnings))
    bank: Bank | None = None
    backend: str | None = None
    if chosen.candidate.name:
        with log.step("bank", "Running the frozen part once for every view") as step:
            bank, backend = _make_bank(data, policy, chosen, config, step)
    views = ViewPlan(policy, chosen.num_views, config.seed)
    digests = [source.digest for source in data.sources]
    source: BatchSource = (
        BankSource(bank, digests, num_views=chosen.num_views)
        if bank is not None
        else FileSource(data.sources, data.preprocessing, views)
    )
    folder = None
    if folder_path is not None:
        origin = _origin(problem, data, config, replace(chosen, backend=backend), bank)
        folder = CheckpointFolder(folder_path, origin, resume=config.resume is not None)
    with log.step("fine_tuning", "Fine-tuning in every fold and on everything") as step:
        num_fits = 1 if problem.is_holdout else problem.num_folds + 1
        maker = FineTunedMaker(
            data.backbone,
            chosen.candidate,
            data.size,
            source,
            chosen.recipe,
            checkpoints=folder,
            listener=_Watcher(step, num_fits * chosen.recipe.num_seeds),
            image_names=[printable(record.path) for record in data.manifest.usable],
        )
        try:
            fits = maker.fit_folds(problem)
        except KeyboardInterrupt as stop:
            if folder_path is not None:
                stop.add_note(
                    f"A checkpoint was saved. Go on with the same command and "
                    f"--resume {printable(str(folder_path))}"
                )
            raise
        finally:
            if isinstance(source, FileSource):
                source.close()
        gain, sentence, is_better = compare(
            fits.logits,
            frozen.logits,
            problem,
            cost_seconds=_spent(log),
            seed=config.seed,
            is_always_kept=config.fine_tune == "always",
        )
        adopted = is_better or config.fine_tune == "always"
        step.note(
            sentence,
            gain=gain.estimate,
            gain_low=gain.low,
            gain_high=gain.high,
            adopted=adopted,
            augmentation=policy.description,
            **fits.facts,
        )
        for note in fits.facts["notes"]:
            step.say(str(note))
        step.say(str(fits.facts["gap"]))
    if bank is not None and config.remove_bank:
        bank.remove()
    if not adopted:
        return frozen
    return replace(
        frozen,
        model=fits.model,
        logits=fits.logits,
        model_logits=fits.logits,
        fold_models=fits.fold_models,
        # It names the frozen kind that was kept, which this one replaces.
        choice=None,
        # Neither was measured for this kind: each point would be a training of its own.
        random_predictions=None,
        curve=None,
    )


def compare(
    tuned: NDArray[np.float64],
    frozen: NDArray[np.float64],
    problem: Problem,
    *,
    cost_seconds: float,
    seed: int,
    is_always_kept: bool = False,
) -> tuple[Interval, str, bool]:
    """Returns the gain in accuracy with a paired interval over groups, a sentence, a verdict.

    Args:
        tuned: Out-of-fold logits [M, K] of the judged images.
        frozen: The same of the frozen classifier.
        problem: The images.
        cost_seconds: What fine-tuning took.
        seed: Of the bootstrap.
        is_always_kept: Whether the fine-tuned one is kept whatever comes out; the sentence says so.
    """
    judged = problem.fold_index >= 0
    labels = problem.labels[judged]
    _, groups = np.unique(problem.groups[judged], return_inverse=True)
    gain = accuracy_difference(
        tuned.argmax(1) == labels, frozen.argmax(1) == labels, groups, seed=seed
    )
    is_better = gain.low is not None and gain.low > 0
    points = signed_points(gain.estimate) + ("" if gain.estimate is None else " points")
    if gain.low is not None and gain.high is not None:
        points += (
            f" (95% interval {signed_points(gain.low)} to {signed_points(gain.high)}, paired over "
            f"{count_noun(int(groups.max()) + 1, 'group')})"
        )
    kept = "the frozen classifier is kept"
    if is_always_kept:
        kept = "the fine-tuned classifier is kept all the same, because that was asked for"
    verdict = (
        "fine-tuning is better than frozen features and is kept"
        if is_better
        else f"fine-tuning is not shown to be better, and {kept}"
    )
    if gain.high is not None and gain.high < 0:
        verdict = f"fine-tuning is worse than frozen features, and {kept}"
    return gain, f"{points}: {verdict}. It took {cost_seconds:,.0f} s", is_better


def _plan(
    problem: Problem, data: TuningData, policy: Policy, config: TrainConfig, step: Step
) -> _Chosen:
    began = time.perf_counter()
    candidates, why_whole = find_candidates(data.backbone, data.size)
    if config.unfreeze is not None:
        candidates_allowed: Sequence[Candidate] = (
            choose_candidate(data.backbone, candidates, config.unfreeze, data.size),
        )
    else:
        candidates_allowed = candidates
    speeds = {row.backend: row.images_per_second for row in data.probe.rows}
    costs = measure_costs(
        data.backbone,
        candidates_allowed,
        size=data.size,
        num_classes=problem.num_classes,
        images_per_second=speeds.get(data.probe.chosen),
    )
    recipe = Recipe(seed=config.seed)
    num_folds = problem.num_folds
    work = Workload(
        num_images=len(problem),
        num_fits=1 if problem.is_holdout else num_folds + 1,
        num_trained=int((problem.fold_index != 0).sum()),
        has_views=policy.name != "none",
    )
    budget = read_budget(config.budget or _DEFAULT_BUDGET)
    # Planning is part of what it costs.
    spent = time.perf_counter() - began
    left = max(0.0, budget - spent)
    plan: TuningPlan = choose_plan(costs, work, budget_seconds=left, spent_seconds=spent)
    division = divide(
        data.backbone, plan.cost.candidate, num_classes=problem.num_classes, size=data.size
    )
    recipe = replace(recipe, num_epochs=plan.num_epochs, precision="auto")
    recipe = settled(recipe, division.suffix, plan.cost.candidate.shape)
    for line in render_candidates(costs, plan, work).splitlines():
        step.say(line)
    for line in render_rates(rate_table(division.suffix, division.depths, recipe)).splitlines():
        step.say(line)
    frozen_up_to = plan.cost.candidate.name
    where = f"frozen up to {frozen_up_to}" if frozen_up_to else "the whole network is trained"
    if why_whole:
        where += f", because it cannot be cut: {why_whole}"
    step.note(
        f"{where}; {count_noun(plan.num_views, 'view')} ({policy.name}), "
        f"{count_noun(plan.num_epochs, 'epoch')}, a bank of {short_bytes(plan.bank_bytes)}, "
        f"about {plan.seconds:,.0f} s of the {left:,.0f} s left",
        cut=frozen_up_to,
        num_views=plan.num_views,
        num_epochs=plan.num_epochs,
        bank_bytes=plan.bank_bytes,
        expected_seconds=round(plan.seconds, 1),
        precision=recipe.precision,
    )
    return _Chosen(plan.cost.candidate, plan.num_views, recipe, None)


def _planned_then(then: Origin, config: TrainConfig, step: Step) -> _Chosen:
    """Returns the plan that the checkpoints were made by."""
    parts = then.parts
    try:
        content = json.loads(parts["plan"])
        shape = tuple(content["candidate"].pop("shape"))
        chosen = _Chosen(
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


def _make_bank(
    data: TuningData, policy: Policy, chosen: _Chosen, config: TrainConfig, step: Step
) -> tuple[Bank, str]:
    part = bank_part(data.backbone, chosen.candidate, data.size)
    sources = data.sources
    spread = np.linspace(0, len(sources) - 1, min(_NUM_PROBE_IMAGES, len(sources)))
    samples = np.stack([data.preprocessing.apply(sources[int(row)].path) for row in spread])
    backend, _ = choose_backend(
        part,
        samples,
        num_images=len(sources) * chosen.num_views,
        cache=cache_directory(),
        requested=chosen.backend or config.backend,
    )
    bank = open_bank(
        cache_directory(),
        part,
        preprocessing=data.preprocessing,
        policy=policy,
        seed=config.seed,
        backend=backend.name,
    )
    views = ViewPlan(policy, chosen.num_views, config.seed)
    needed = bank.require_space(len(bank.missing(views.rows(sources))))
    step.say(f"{short_bytes(needed)} will be written to {printable(str(bank.folder))}")
    num_computed = fill_bank(
        bank,
        sources,
        backend,
        preprocessing=data.preprocessing,
        views=views,
        num_workers=config.num_workers,
        progress=step.progress,
    )
    step.note(
        f"{count_noun(num_computed, 'view')} computed by {backend.name}, "
        f"{len(views.rows(sources)) - num_computed:,} from the bank"
        + (f"; {bank.num_damaged} damaged files made anew" if bank.num_damaged else ""),
        backend=backend.name,
        num_computed=num_computed,
    )
    return bank, backend.name


def _origin(
    problem: Problem, data: TuningData, config: TrainConfig, chosen: _Chosen, bank: Bank | None
) -> Origin:
    plan = {
        "candidate": asdict(chosen.candidate),
        "num_views": chosen.num_views,
        "recipe": asdict(chosen.recipe),
        "backend": chosen.backend,
    }
    parts = {
        "network": data.backbone.architecture,
        "network weights": data.backbone.weights.digest,
        "preprocessing": data.preprocessing.digest,
        "classes": json.dumps(problem.class_names),
        "labels": _digest(problem.labels),
        "groups": _digest(problem.groups),
        "folds": _digest(problem.fold_index),
        "class weights": problem.decided_weights(),
        "seed": str(config.seed),
        "augmentation": config.augment,
        "budget": config.budget or _DEFAULT_BUDGET,
        "unfreeze": config.unfreeze or "by budget",
        "plan": json.dumps(plan, sort_keys=True),
        "bank": "none" if bank is None else bank.digest,
        "PyTorch": torch.__version__,
        "threads": str(torch.get_num_threads()),
    }
    images = {printable(record.path): record.digest or "" for record in data.manifest.usable}
    return Origin(parts, images)


def _digest(values: NDArray[np.int64]) -> str:
    return hashlib.sha256(np.ascontiguousarray(values, np.int64).tobytes()).hexdigest()[:16]


def _spent(log: StepLog) -> float:
    done = log.seconds.get("tuning_plan", 0.0) + log.seconds.get("bank", 0.0)
    return done + log.step_seconds


class _Watcher:
    """Shows a training in a step: a bar over all fits, and a table of epochs."""

    def __init__(self, step: Step, num_fits: int) -> None:
        self._step, self._num_fits = step, num_fits
        self._number = 0
        self._began = time.perf_counter()
        self._first_done = 0
        self._done = self._total = 0

    def begin_fit(self, name: str, num_epochs: int) -> None:
        """Writes the head of a table."""
        self._number += 1
        self._began, self._first_done, self._done = time.perf_counter(), -1, 0
        self._step.say(f"Training {self._number} of {self._num_fits} ({name})")
        self._step.say(TABLE_HEADER)

    def advance_fit(self, done: int, total: int) -> None:
        """Moves the bar."""
        if self._first_done < 0:
            self._first_done = done - 1
        self._done, self._total = done, total
        self._step.progress((self._number - 1) * total + done, self._num_fits * total)

    def end_epoch(self, row: EpochRow) -> None:
        """Writes a row."""
        fresh = self._done - self._first_done
        left = None
        if row.epoch and fresh > 0:
            by_step = (time.perf_counter() - self._began) / fresh
            others = (self._num_fits - self._number) * self._total
            left = by_step * (self._total - self._done + others)
        self._step.say(table_line(row, left))

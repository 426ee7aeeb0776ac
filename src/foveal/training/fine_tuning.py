"""The step that fine-tunes: plan, bank, trainings, and the honest choice at the end.

What is fine-tuned is adopted only where it is better than the frozen classifier out of fold, by
a paired test over groups. Everything that a resumed training must share with the first is kept
beside its checkpoints, the plan among it, because a plan rests on measured times.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from foveal.draw.numbers import short_bytes
from foveal.errors import DataError, UsageError
from foveal.evaluation import FineTuning
from foveal.features import Backend, cache_directory, choose_backend
from foveal.features.bank import Bank
from foveal.features.frozen_part import ViewPlan, fill_bank, open_bank
from foveal.finetuning.budget import bank_part
from foveal.finetuning.checkpoints import CheckpointFolder, Origin, read_origin
from foveal.finetuning.epochs import TABLE_HEADER, EpochRow, table_line
from foveal.finetuning.settings import DEFAULT_BUDGET
from foveal.finetuning.sources import BankSource, BatchSource, FileSource
from foveal.images.augmentation import Policy, find_policy
from foveal.text import count_noun, printable
from foveal.training.adoption import adopt
from foveal.training.config import TrainConfig
from foveal.training.fine_tuned import FineTunedMaker
from foveal.training.fitting import Fitted
from foveal.training.problem import Problem
from foveal.training.steps import Step, StepLog
from foveal.training.tuning_plan import (
    Measured,
    TuningData,
    TuningPlan,
    planned_then,
    settle_plan,
)
from foveal.training.turned import turned_warnings

_NUM_PROBE_IMAGES = 8


def fine_tune(
    problem: Problem,
    frozen: Fitted,
    data: TuningData,
    config: TrainConfig,
    measured: Measured | None,
    *,
    log: StepLog,
    checkpoints: Path | None = None,
) -> Fitted:
    """Returns what was fine-tuned where it is better, else ``frozen``, with what is said of it.

    Args:
        problem: The usable images in their folds.
        frozen: What was fitted on frozen features, on the same folds.
        data: Images and network.
        config: ``fine_tune``, ``budget``, ``unfreeze``, ``augment``, ``resume``.
        measured: What trainings cost; ``None`` where one that was stopped goes on by its own plan.
        log: Follows the steps.
        checkpoints: A folder to keep checkpoints in.

    Raises:
        DataError: The bank does not fit on the disk, or a file was changed.
        ModelError: The loss is no finite number.
        RunError: The checkpoints are of another training, or cannot be written.
        UsageError: The budget is too small where fine-tuning was asked for.
    """
    problem = problem.take(problem.fold_index >= -1)
    policy = find_policy(config.augment)
    folder_path = config.resume or checkpoints
    then = None if config.resume is None else read_origin(config.resume)
    refusal = None if measured is None else measured.refusal
    with log.step("tuning_plan", "Planning the fine-tuning") as step:
        if then is not None:
            plan = planned_then(then, config, step)
        elif refusal is None:
            assert measured is not None
            try:
                plan = settle_plan(problem, data, policy, config, measured, step)
            except UsageError as error:
                if config.fine_tune == "always":
                    raise
                refusal = error.message
        if refusal is not None:
            step.note(f"not tried: {refusal}", refusal=refusal)
    if refusal is not None:
        return _not_tried(frozen, refusal)
    warned: tuple[str, ...] = (policy.risk,) if policy.risk else ()
    if policy.turns:
        with log.step(
            "mirrored", "Looking whether images keep their class when they are mirrored or turned"
        ) as step:
            mirrored = turned_warnings(
                problem,
                frozen,
                data.sources,
                policy.turns,
                backbone=data.backbone,
                preprocessing=data.preprocessing,
                backend_name=data.probe.chosen,
                num_workers=config.num_workers,
            )
            step.note(" ".join(mirrored) or "they do", warnings=list(mirrored))
            warned = (*mirrored, *warned)
    bank: Bank | None = None
    if plan.candidate.name:
        with log.step("bank", "Running the frozen part once for every view") as step:
            bank, backend = _open_bank(data, policy, plan, config)
            plan = replace(plan, backend=backend.name)
            try:
                _require_space(bank, data, policy, plan, config, step)
            except DataError as error:
                if config.fine_tune == "always":
                    raise
                refusal = error.message
                step.note(f"not tried: {refusal}", refusal=refusal)
            else:
                _fill_bank(bank, backend, data, policy, plan, config, step)
        if refusal is not None:
            return _not_tried(frozen, refusal)
    views = ViewPlan(policy, plan.num_views, config.seed)
    digests = [source.digest for source in data.sources]
    source: BatchSource = (
        BankSource(bank, digests, num_views=plan.num_views)
        if bank is not None
        else FileSource(data.sources, data.preprocessing, views)
    )
    folder = None
    if folder_path is not None:
        origin = _origin(problem, data, config, plan, bank)
        folder = CheckpointFolder(folder_path, origin, resume=config.resume is not None)
    with log.step("fine_tuning", "Fine-tuning in every fold and on everything") as step:
        num_fits = 1 if problem.is_holdout else problem.num_folds + 1
        maker = FineTunedMaker(
            data.backbone,
            plan.candidate,
            data.size,
            source,
            plan.recipe,
            checkpoints=folder,
            listener=_Watcher(step, num_fits * plan.recipe.num_seeds),
            image_names=[printable(record.path) for record in data.manifest.usable],
            targets=data.targets,
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
        fitted, told = adopt(
            problem,
            frozen,
            fits,
            data,
            is_always_kept=config.fine_tune == "always",
            cost_seconds=_spent(log),
            plan=plan.describe(policy)
            + (
                f", to learn shares of classes ({printable(', '.join(config.soft_labels))})"
                if config.soft_labels
                else ""
            ),
        )
        told = replace(told, notes=(*warned, *told.notes))
        step.note(
            told.sentence.rstrip("."),
            gain=None if told.gain is None else told.gain.estimate,
            gain_low=None if told.gain is None else told.gain.low,
            gain_high=None if told.gain is None else told.gain.high,
            adopted=told.is_adopted,
            kept=told.kept,
            verdict=told.verdict,
            augmentation=policy.description,
            **fits.facts,
        )
        for note in fits.facts["notes"]:
            step.say(str(note))
        step.say(str(fits.facts["gap"]))
    if bank is not None and config.remove_bank:
        bank.remove()
    return replace(fitted, fine_tuning=told)


def _not_tried(frozen: Fitted, refusal: str) -> Fitted:
    """Returns the frozen classifier with why there was no fine-tuning."""
    kind = frozen.model.describe().kind
    told = FineTuning("not tried", kind, False, f"Not tried: {refusal}")
    return replace(frozen, fine_tuning=told)


def _open_bank(
    data: TuningData, policy: Policy, plan: TuningPlan, config: TrainConfig
) -> tuple[Bank, Backend]:
    part = bank_part(data.backbone, plan.candidate, data.size)
    sources = data.sources
    spread = np.linspace(0, len(sources) - 1, min(_NUM_PROBE_IMAGES, len(sources)))
    samples = np.stack([data.preprocessing.apply(sources[int(row)].path) for row in spread])
    backend, _ = choose_backend(
        part,
        samples,
        num_images=len(sources) * plan.num_views,
        cache=cache_directory(),
        requested=plan.backend or config.backend,
    )
    bank = open_bank(
        cache_directory(),
        part,
        preprocessing=data.preprocessing,
        policy=policy,
        seed=config.seed,
        backend=backend.name,
    )
    return bank, backend


def _require_space(
    bank: Bank,
    data: TuningData,
    policy: Policy,
    plan: TuningPlan,
    config: TrainConfig,
    step: Step,
) -> None:
    views = ViewPlan(policy, plan.num_views, config.seed)
    needed = bank.require_space(len(bank.missing(views.rows(data.sources))))
    step.say(f"{short_bytes(needed)} will be written to {printable(str(bank.folder))}")


def _fill_bank(
    bank: Bank,
    backend: Backend,
    data: TuningData,
    policy: Policy,
    plan: TuningPlan,
    config: TrainConfig,
    step: Step,
) -> None:
    views = ViewPlan(policy, plan.num_views, config.seed)
    sources = data.sources
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


def _origin(
    problem: Problem, data: TuningData, config: TrainConfig, chosen: TuningPlan, bank: Bank | None
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
        "soft labels": "none" if data.targets is None else _digest(data.targets, np.float32),
        "groups": _digest(problem.groups),
        "folds": _digest(problem.fold_index),
        "class weights": problem.decided_weights(),
        "seed": str(config.seed),
        "augmentation": find_policy(config.augment).name,
        "budget": config.budget or DEFAULT_BUDGET,
        "unfreeze": config.unfreeze or "by budget",
        "training": f"{config.optimizer}, head rate {config.head_rate:g}, "
        f"{count_noun(config.tuning_seeds, 'seed')}, "
        f"batch norms {'trained' if config.train_batchnorm else 'frozen'}",
        "plan": json.dumps(plan, sort_keys=True),
        "bank": "none" if bank is None else bank.digest,
        "PyTorch": torch.__version__,
        "threads": str(torch.get_num_threads()),
    }
    images = {printable(record.path): record.digest or "" for record in data.manifest.usable}
    return Origin(parts, images)


def _digest(values: NDArray[Any], kind: type[np.generic] = np.int64) -> str:
    return hashlib.sha256(np.ascontiguousarray(values, kind).tobytes()).hexdigest()[:16]


def _spent(log: StepLog) -> float:
    done = sum(log.seconds.get(name, 0.0) for name in ("tuning_costs", "tuning_plan", "bank"))
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

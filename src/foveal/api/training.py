"""``foveal.train``: data become a run folder, and the classifier in it."""

from __future__ import annotations

import datetime
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from foveal.errors import UsageError
from foveal.files import write_atomically
from foveal.text import count_noun, near_names, printable

if TYPE_CHECKING:
    from foveal.dataset import DataOptions, GroupOptions
    from foveal.runs.classifier import Classifier
    from foveal.runs.model_files import Parity
    from foveal.shortcuts.explained_run import ExplainedRun
    from foveal.training import StepListener, TrainConfig, TrainedClassifier

PathLike = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A run that was just written, with everything that went into it."""

    folder: Path
    trained: TrainedClassifier
    parity: Parity
    total_seconds: float
    explanations: ExplainedRun


Data = PathLike | Mapping[str, Sequence[Any]] | Any
"""A folder or table; or a pandas or polars data frame, or a mapping of columns."""


def train(
    data: Data,
    out: PathLike | None = None,
    *,
    config: TrainConfig | None = None,
    overwrite: bool = False,
    progress: bool | None = None,
    backbone: str | None = None,
    weights: PathLike | None = None,
    size_px: int | None = None,
    fit: Literal["squash", "crop", "pad"] | None = None,
    window: str | None = None,
    frames: int | Literal["middle", "each"] | None = None,
    views: Sequence[str] | None = None,
    num_folds: int | None = None,
    test_size: float | None = None,
    seed: int | None = None,
    alpha: float | None = None,
    conditional: Literal["marginal", "class"] | None = None,
    class_weights: Literal["auto", "balanced", "none"] | None = None,
    head: Literal["auto", "linear", "stages", "kernel", "kernel-flips"] | None = None,
    backend: str | None = None,
    features: PathLike | None = None,
    num_workers: int | None = None,
    groups: GroupOptions | str | None = None,
    anonymous_paths: bool | None = None,
    reading: DataOptions | None = None,
    fine_tune: Literal["none", "auto", "always"] | None = None,
    budget: str | None = None,
    unfreeze: str | None = None,
    augment: str | None = None,
    resume: PathLike | None = None,
    remove_bank: bool | None = None,
    train_batchnorm: bool | None = None,
    optimizer: Literal["adamw", "sgd"] | None = None,
    head_rate: float | None = None,
    tuning_seeds: int | None = None,
    soft_labels: Sequence[str] | None = None,
    subgroups: Sequence[str] | None = None,
    ordered: str | None = None,
    operate: str | None = None,
    costs: str | None = None,
    prevalence: float | None = None,
    **unknown: Any,
) -> Classifier:
    """Trains a classifier, writes its run folder, and returns it ready to predict.

    What comes back also holds the evidence as typed values (``evidence``, ``audit``,
    ``explanations``), tables for pandas (``table``), and shows itself in a notebook.

    >>> run = foveal.train("photos/", "runs/photos", groups="patient")   # doctest: +SKIP
    >>> run.evidence.metrics.accuracy                                    # doctest: +SKIP
    >>> run.predict("new/")                                              # doctest: +SKIP

    Args:
        data: A folder of class folders, a folder with train, val and test, or a table with
            ``path,label`` and optionally ``group,split``: a file, a data frame or a mapping
            of columns.
        out: The run folder; by default a new one under ``runs/``.
        config: All choices in one value, in place of those below; its docstring says what
            each means and what its default is.
        overwrite: Whether an existing run may be replaced.
        progress: Whether every step is told on stderr; by default where a person is
            likely to read it, in a terminal or a notebook.
        backbone: A timm model whose classifier is linear over a pooled vector, or one of Foveal's
            own, such as ``"foveal:resnet20"``, which starts at random.
        weights: A checkpoint for it (.safetensors, .pth), or ``"none"`` for a random start; by
            default its pretrained weights.
        size_px: Height and width of the network's input in pixels.
        fit: How an image that is not square meets a square input.
        window: How grey levels of more than 8 bits become [0, 1].
        frames: Which frame stands for a file that holds several.
        views: Views whose features are averaged, such as ``["identity", "hflip"]``.
        num_folds: Folds of the cross-validation.
        test_size: A share in (0, 1) to hold out instead of cross-validating.
        seed: Fixes every random choice.
        alpha: Share in (0, 1) of true labels that prediction sets may miss.
        conditional: Whether coverage is promised over all images or for each class.
        class_weights: Whether every class counts the same.
        head: What is fitted over the frozen network; ``"auto"`` is the simplest that none beats.
        backend: A feature backend by name, instead of the fastest.
        features: A folder of parts with features that were computed elsewhere, by
            :func:`foveal.predict_shards`; needs ``head="linear"``.
        num_workers: Threads that decode; by default one a core.
        groups: Where groups come from; a text is the name of a table's column.
        anonymous_paths: Whether files and groups appear under numbers in the run.
        reading: How the data are read where their form leaves a choice.
        fine_tune: Whether the last part of the network is trained too; ``"auto"`` keeps that only
            where it is better out of fold.
        budget: Time for fine-tuning, such as ``"5m"``.
        unfreeze: What is trained instead: ``"2-stages"``, a layer and all after it, ``"all"``.
        augment: How images are changed to train on: a policy's name, or several joined by ``+``.
        resume: The checkpoints of a fine-tuning that was stopped, to go on with.
        remove_bank: Whether the bank of activations is deleted in the end.
        train_batchnorm: Whether the trained part's batch norms learn statistics of their own.
        optimizer: ``"adamw"`` or ``"sgd"``.
        head_rate: Learning rate of the classifier; the first layer's is a hundredth of it.
        tuning_seeds: Trainings from one start, whose weights are averaged.
        soft_labels: Columns of shares that fine-tuning learns, each as ``"COLUMN=CLASS"``.
        subgroups: Columns of the table whose values get figures of their own.
        ordered: The classes from lowest to highest, as ``"mild<moderate<severe"``.
        operate: An operating point, such as ``"sensitivity>=0.95 for defective"``.
        costs: What mistakes cost instead, such as ``"missed=10,false=1 for defective"``.
        prevalence: A share in (0, 1) of that class at which PPV and NPV are told as well.
        unknown: A name that is none of these is answered with the near ones.

    Raises:
        DataError: The data cannot be trained on.
        RunExistsError: ``out`` exists.
        UsageError: A choice is unknown or wrong, or given beside ``config``.
    """
    # The first statement, so that it holds the parameters and nothing else.
    given = dict(locals())
    from foveal.dataset import GroupOptions
    from foveal.dataset.data_frames import on_disk
    from foveal.progress import ProgressDisplay
    from foveal.runs.classifier import load
    from foveal.training import TrainConfig

    known = [field.name for field in fields(TrainConfig)]
    for name in (name for name in unknown if name not in known):
        near = near_names(name, known)
        raise UsageError(
            f"There is no choice named {name!r}.",
            next_step=f"Did you mean {near[0]}?" if near else f"Known: {', '.join(known)}.",
        )
    choices = {name: given[name] for name in known if given.get(name) is not None} | unknown
    if config is not None and choices:
        raise UsageError("Give either config or single choices, not both.")
    if isinstance(groups, str):
        choices["groups"] = GroupOptions(column=groups)
    choices |= {
        name: Path(choices[name])
        for name in ("weights", "resume", "features")
        if choices.get(name) is not None and (name, choices[name]) != ("weights", "none")
    }
    if views is not None:
        choices["views"] = (views,) if isinstance(views, str) else tuple(views)
    for name, words in (("subgroups", subgroups), ("soft_labels", soft_labels)):
        if words is not None:
            choices[name] = (words,) if isinstance(words, str) else tuple(words)
    mode: Literal["auto", "quiet"] = "auto" if _wants_progress(progress) else "quiet"
    with on_disk(data) as path, ProgressDisplay(mode) as display:
        finished = make_run(
            path,
            out,
            config=config or TrainConfig(**choices),
            overwrite=overwrite,
            command="foveal.train(…)",
            listener=display,
        )
    return load(finished.folder)


def make_run(
    data: PathLike,
    out: PathLike | None,
    *,
    config: TrainConfig,
    overwrite: bool = False,
    command: str,
    listener: StepListener | None = None,
    title: str | None = None,
    data_licence: str | None = None,
    now: Callable[[], datetime.datetime] = lambda: datetime.datetime.now(datetime.UTC),
) -> FinishedRun:
    """Trains, renders and writes a run; what ``foveal train`` and ``foveal demo`` call.

    Args:
        data: As for :func:`train`.
        out: As for :func:`train`.
        config: The choices.
        overwrite: Whether an existing run may be replaced.
        command: How it was called, for the record.
        listener: Follows the steps.
        title: Heading of the report; by default the data's name.
        data_licence: Under which the images come, for the model card.
        now: The clock.
    """
    data = Path(data)
    folder = default_run_folder(data) if out is None else Path(out)
    _require_apart(folder, data)
    if config.anonymous_paths:
        # A folder's name may be a person's as well.
        title, command = title or "Images", "foveal train DATA --anonymous-paths"
    from foveal.runs.atomic_folder import claim_folder

    with claim_folder(folder, overwrite=overwrite) as partial:
        from foveal.reporting import render_html, render_model_card
        from foveal.reporting.from_training import describe_training, record_json
        from foveal.runs.writing import Rendered, write_run
        from foveal.training import StepLog, train_classifier

        log = StepLog(listener)
        checkpoints = checkpoint_folder(folder)
        trained = train_classifier(data, config, log=log, checkpoints=checkpoints)
        created = now().isoformat(timespec="seconds")
        with log.step("explain", "Looking where the answers come from") as step:
            from foveal.shortcuts.detector import explain_and_show

            shown_maps = explain_and_show(trained, progress=step.progress)
            step.note(
                count_noun(len(shown_maps.run.shortcuts), "shortcut")
                if shown_maps.run.reason is None
                else "no heat maps",
                num_shortcuts=len(shown_maps.run.shortcuts),
            )
        with log.step("write", "Writing the report and the model"):
            timing = replace(trained.evidence.timing, total_seconds=log.total_seconds)
            trained = replace(trained, evidence=replace(trained.evidence, timing=timing))
            shown = describe_training(
                trained,
                title=title or printable(_name(data)),
                command=command,
                created=created,
                data_licence=data_licence,
                explanations=shown_maps,
            )
            rendered = Rendered(
                render_html(shown), render_model_card(shown), record_json(shown, trained, folder)
            )
            parity = write_run(
                partial,
                trained,
                rendered,
                created=created,
                command=command,
                explanations=shown_maps.run,
            )
    if config.fine_tune != "none":
        shutil.rmtree(config.resume or checkpoints, ignore_errors=True)
    if trained.private_names is not None:
        write_atomically(private_table(folder), trained.private_names, mode=0o600)
    return FinishedRun(folder, trained, parity, log.total_seconds, shown_maps.run)


def checkpoint_folder(folder: Path) -> Path:
    """Returns where the fine-tuning for a run keeps its checkpoints until the run is finished."""
    return folder.with_name(f"{folder.name}.checkpoints")


def private_table(folder: Path) -> Path:
    """Returns where it stands which number is which file, for a run with numbered files."""
    return folder.with_name(f"{folder.name}.private.csv")


def _wants_progress(chosen: bool | None) -> bool:
    if chosen is not None:
        return chosen
    is_terminal = sys.stderr is not None and sys.stderr.isatty()
    return is_terminal or "ipykernel" in sys.modules


def _require_apart(folder: Path, data: Path) -> None:
    """Refuses a run inside the data folder: the next training would take it for a class."""
    if data.is_dir() and folder.resolve().is_relative_to(data.resolve()):
        raise UsageError(
            f"The run would be written to {printable(str(folder))}, inside the data it is "
            "made from.",
            next_step="Choose a folder outside the data with --out.",
        )


def default_run_folder(data: Path) -> Path:
    """Returns the first of ``runs/NAME``, ``runs/NAME-2``, … that does not exist."""
    name = _name(data) or "run"
    candidate = Path("runs") / name
    number = 2
    while candidate.exists():
        candidate = Path("runs") / f"{name}-{number}"
        number += 1
    return candidate


def _name(data: Path) -> str:
    """Returns the name of the folder or table; a dot in a folder's name ends nothing."""
    whole = data.resolve()
    return whole.name if whole.is_dir() else whole.stem

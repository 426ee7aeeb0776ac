"""What ``import foveal`` offers: each function is one command of the command line."""

from __future__ import annotations

import datetime
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from foveal.errors import UsageError
from foveal.files import write_atomically
from foveal.runs.atomic_folder import claim_folder
from foveal.runs.classifier import Classifier, load
from foveal.text import count_noun, near_names, printable

if TYPE_CHECKING:
    from torch import nn

    from foveal.dataset import Audit, DataOptions, GroupOptions
    from foveal.runs.model_files import Parity
    from foveal.runs.scoring import Scored
    from foveal.shortcuts.explained_run import ExplainedRun
    from foveal.training import StepListener, TrainConfig, TrainedClassifier
    from foveal.visualisation import Ascent, Maximised, PixelScale

PathLike = str | os.PathLike[str]

__all__ = [
    "Classifier",
    "DrawnReport",
    "FinishedRun",
    "audit",
    "evaluate",
    "load",
    "make_run",
    "report",
    "train",
    "visualise",
]


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A run that was just written, with everything that went into it."""

    folder: Path
    trained: TrainedClassifier
    parity: Parity
    total_seconds: float
    explanations: ExplainedRun


@dataclass(frozen=True, slots=True)
class DrawnReport:
    """A report that was drawn again.

    Attributes:
        page: The HTML file.
        model_card: The Markdown file.
        num_images: Images that the page shows.
        missing: Those that placeholders stand for, each with why.
    """

    page: Path
    model_card: Path
    num_images: int
    missing: tuple[str, ...]


Data = PathLike | Mapping[str, Sequence[Any]] | Any
"""A folder or table; or a pandas or polars data frame, or a mapping of columns."""


def train(
    data: Data,
    out: PathLike | None = None,
    *,
    config: TrainConfig | None = None,
    overwrite: bool = False,
    progress: bool | None = None,
    **choices: Any,
) -> Classifier:
    """Trains a classifier, writes its run folder, and returns it ready to predict.

    Args:
        data: A folder of class folders, a folder with train, val and test, or a table with
            ``path,label`` and optionally ``group,split``: a file, a data frame or a mapping
            of columns.
        out: The run folder; by default a new one under ``runs/``.
        config: The choices; or give them by name, as in ``train(data, backbone="resnet18")``.
        overwrite: Whether an existing run may be replaced.
        progress: Whether every step is told on stderr; by default where a person is
            likely to read it, in a terminal or a notebook.
        choices: Fields of ``TrainConfig``; ``groups`` may be the name of a table's column.

    Raises:
        DataError: The data cannot be trained on.
        RunExistsError: ``out`` exists.
        UsageError: A choice is unknown or wrong.
    """
    from foveal.dataset import GroupOptions
    from foveal.dataset.data_frames import on_disk
    from foveal.progress import ProgressDisplay
    from foveal.training import TrainConfig

    if config is not None and choices:
        raise UsageError("Give either config or single choices, not both.")
    known = [field.name for field in fields(TrainConfig)]
    for name in choices:
        if name not in known:
            near = near_names(name, known)
            raise UsageError(
                f"There is no choice named {name!r}.",
                next_step=f"Did you mean {near[0]}?" if near else f"Known: {', '.join(known)}.",
            )
    if isinstance(choices.get("groups"), str):
        choices["groups"] = GroupOptions(column=choices["groups"])
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
    with claim_folder(folder, overwrite=overwrite) as partial:
        from foveal.reporting import render_html, render_model_card
        from foveal.reporting.from_run import describe_training, record_json
        from foveal.runs.writing import Rendered, write_run
        from foveal.training import StepLog, train_classifier

        log = StepLog(listener)
        trained = train_classifier(data, config, log=log)
        created = now().isoformat(timespec="seconds")
        with log.step("explain", "Looking where the answers come from") as step:
            from foveal.shortcuts import explain_and_show

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
    if trained.private_names is not None:
        write_atomically(private_table(folder), trained.private_names, mode=0o600)
    return FinishedRun(folder, trained, parity, log.total_seconds, shown_maps.run)


def report(
    run: PathLike, out: PathLike | None = None, *, images: PathLike | None = None
) -> DrawnReport:
    """Draws the report and the model card of a finished run again, from its folder.

    Thumbnails and heat maps are drawn over the images where the very files that were trained
    on are still at their place; otherwise placeholders stand for them and the page says so. With
    all images the page is the first one again.

    Args:
        run: The run folder.
        out: A folder to write into; by default the run itself.
        images: The folder that the images' paths start from; by default where it was.

    Raises:
        RunError: The run cannot be read, or was written by another version.
        UsageError: Images are missing, and the run's own report would lose them.
    """
    from foveal.reporting import render_html, render_model_card
    from foveal.reporting.from_run import read_report
    from foveal.runs.folder import (
        CARD_NAME,
        EVALUATION_NAME,
        REPORT_NAME,
        read_manifest,
        replace_files,
    )
    from foveal.runs.reading import named_as_altered

    folder = Path(run)
    read = read_report(folder, images_root=None if images is None else Path(images))
    if read.missing and out is None and (folder / REPORT_NAME).exists():
        raise UsageError(
            f"{len(read.missing)} of {read.num_wanted} images cannot be drawn again, first "
            f"{printable(read.missing[0])}. The report that {printable(str(folder))} has would "
            "lose them.",
            next_step="Give the folder of the images with --images, or another place with --out.",
        )
    # These values were drawn once before, so what cannot be drawn now is not what was written.
    with named_as_altered(folder, EVALUATION_NAME):
        contents = {
            REPORT_NAME: render_html(read.report).encode(),
            CARD_NAME: render_model_card(read.report).encode(),
        }
    if out is None:
        replace_files(folder, read_manifest(folder), contents)
    else:
        Path(out).mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            write_atomically(Path(out) / name, content)
    place = folder if out is None else Path(out)
    return DrawnReport(place / REPORT_NAME, place / CARD_NAME, read.num_wanted, read.missing)


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


def audit(
    data: Data, *, groups: GroupOptions | None = None, reading: DataOptions | None = None
) -> Audit:
    """Looks through labelled images and tells what is wrong with them, without training.

    Args:
        data: As for :func:`train`.
        groups: Where groups come from.
        reading: How the data are read where their form leaves a choice.

    Raises:
        DataError: There is nothing to look at.
    """
    from foveal.dataset import DataOptions, GroupOptions, find_duplicates, scan
    from foveal.dataset import audit as examine
    from foveal.dataset.data_frames import on_disk

    with on_disk(data) as path:
        manifest = scan(path, groups=groups or GroupOptions(), options=reading or DataOptions())
    return examine(manifest, duplicates=find_duplicates(manifest))


def evaluate(
    run: PathLike,
    data: Data,
    *,
    groups: GroupOptions | None = None,
    reading: DataOptions | None = None,
) -> Scored:
    """Scores a run on new labelled data.

    Args:
        run: The run folder.
        data: As for :func:`train`.
        groups: Where groups come from, for the intervals.
        reading: How the data are read where their form leaves a choice.

    Raises:
        DataError: The data hold no image of a class that the run knows.
        RunError: The run cannot be read.
    """
    from foveal.dataset.data_frames import on_disk
    from foveal.runs.scoring import evaluate_classifier

    with on_disk(data) as path:
        return evaluate_classifier(load(run), path, groups=groups, options=reading)


def visualise(
    model: nn.Module | Classifier,
    *,
    classes: Sequence[int | str] = (),
    layers: Sequence[str] = (),
    class_names: Sequence[str] = (),
    out: PathLike | None = None,
    ascent: Ascent | None = None,
    scale: PixelScale | None = None,
) -> tuple[Maximised, ...]:
    """Returns pictures that excite classes or channels most: activation maximisation.

    Args:
        model: A network of one input [N, C, H, W], or a run that was loaded.
        classes: Names or indices of outputs.
        layers: Each the name of an operation or module for some of its channels, or
            ``"NAME:CHANNEL"`` for one. Without classes and layers: layers spread over the
            network's depth, channels drawn by the settings' seed, and classes.
        class_names: What the outputs are called, in their order; a run knows it.
        out: A PNG file with all pictures, if it is wanted.
        ascent: Size, steps and the rest; by default 128 px and 64 steps, in vivid colours for
            classes.
        scale: From 0..1 to the network's numbers; by default what run or model names.

    Raises:
        UsageError: There is no such layer, channel or class.
        ModelError: The model has no weights, or a value is not finite.
    """
    from foveal.explanation.requests import class_indices
    from foveal.visualisation import PixelScale, plan_pictures, sheet_by_depth
    from foveal.visualisation.class_pictures import CLASS_ASCENT

    network: nn.Module
    if isinstance(model, Classifier):
        from foveal.runs.explaining import load_network

        network, class_names = load_network(model.folder), model.class_names
        scale = scale or PixelScale.of(model.preprocessing)
    else:
        network = model
    words = [one for one in classes if isinstance(one, str)]
    by_word = dict(zip(words, class_indices(words, class_names), strict=True)) if words else {}
    plan = plan_pictures(
        network,
        classes=[by_word[one] if isinstance(one, str) else one for one in classes],
        layers=layers,
        class_names=class_names or None,
        ascent=ascent,
        class_ascent=ascent or CLASS_ASCENT,
    )
    sheet = sheet_by_depth(network, plan, scale=scale)
    if out is not None:
        from foveal.visualisation.sheet import draw_sheet

        write_atomically(Path(out), draw_sheet(sheet))
    return sheet.pictures

"""What is done with data before a training, and with a run after it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foveal.errors import UsageError
from foveal.files import write_atomically
from foveal.text import printable

if TYPE_CHECKING:
    from foveal.api.training import Data
    from foveal.dataset import Audit, DataOptions, GroupOptions
    from foveal.evaluation.external import ExternalTest
    from foveal.reporting.checklists.item import FilledChecklist
    from foveal.runs.classifier import Classifier, Prediction
    from foveal.runs.scoring import Scored
    from foveal.sharding import Sharded, ShardOptions

PathLike = str | os.PathLike[str]
Progress = Callable[[int, int], None]


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


def load(run: PathLike) -> Classifier:
    """Loads a run, after checking that its files are as they were written.

    >>> foveal.load("runs/photos").table("classes")     # doctest: +SKIP

    Args:
        run: The run folder.

    Returns:
        The classifier: it predicts and explains, and holds the evidence of its training as
        typed values, with tables for pandas.

    Raises:
        RunIncompleteError: The folder is missing, unfinished or no run.
        RunAlteredError: A file has another digest than recorded, or a field that cannot be.
    """
    from foveal.runs.classifier import load as load_run

    return load_run(run)


def predict(
    run: PathLike | Classifier,
    images: Any,
    *,
    num_workers: int | None = None,
    progress: Progress | None = None,
) -> tuple[Prediction, ...]:
    """Returns label, calibrated probabilities and prediction set of images.

    >>> foveal.predict("runs/photos", "new/")           # doctest: +SKIP

    Args:
        run: The run folder; or the classifier of :func:`load`, which many calls should share.
        images: One image or several: paths of files and folders (searched through), patterns
            such as ``"day*/*.png"``, bytes of a file, open binary files, PIL images, or arrays
            ``uint8`` [H, W], [H, W, 3], [H, W, 4], [N, H, W, 3] and ``uint16`` [H, W].
        num_workers: Threads; by default one a core.
        progress: Called with (done, total).

    Returns:
        One answer an image, in order; one that cannot be read has an ``error`` instead.

    Raises:
        RunError: The run cannot be read.
        DataError: The folders hold no image.
        UsageError: Something among the images is none.
    """
    return loaded(run).predict(images, num_workers=num_workers, progress=progress)


def predict_shards(
    run: PathLike | Classifier,
    source: PathLike | Sequence[PathLike],
    out: PathLike,
    *,
    options: ShardOptions | None = None,
    progress: Progress | None = None,
) -> Sharded:
    """Answers for very many images, one Parquet part a shard; begins again where it stopped.

    >>> foveal.predict_shards("runs/photos", "s3://bucket/photos", "answers/")  # doctest: +SKIP

    Args:
        run: The run folder, or the classifier of :func:`load`.
        source: One folder, table or fsspec URL; or tar archives in WebDataset's layout.
        out: The folder of the parts. ``pyarrow.parquet.read_table`` and
            ``pandas.read_parquet`` read it as one table.
        options: ``foveal.sharding.ShardOptions``: the engine, the size of a shard, and whether
            features are kept.
        progress: Called with (images done, images in all).

    Returns:
        How many parts and rows there are, and why rows have no answer.

    Raises:
        LedgerError: ``out`` is a ledger of other work; the message names what differs.
        RunError: The run cannot be read.
        SourceLostError: The source cannot be read any more; finished parts are kept.
        UsageError: Source, folder or engine cannot be what they are.
    """
    from foveal.sharding import predict_shards as predict_source

    paths = [source] if isinstance(source, (str, os.PathLike)) else list(source)
    return predict_source(loaded(run), paths, Path(out), options=options, progress=progress)


def audit(
    data: Data,
    *,
    groups: GroupOptions | None = None,
    reading: DataOptions | None = None,
    progress: Progress | None = None,
) -> Audit:
    """Looks through labelled images and tells what is wrong with them, without training.

    >>> foveal.audit("photos/").findings                # doctest: +SKIP

    Args:
        data: As for :func:`foveal.train`.
        groups: Where groups come from.
        reading: How the data are read where their form leaves a choice.
        progress: Called with (files read, files in all).

    Raises:
        DataError: There is nothing to look at.
    """
    from foveal.dataset import DataOptions, GroupOptions, find_duplicates, scan
    from foveal.dataset import audit as examine
    from foveal.dataset.data_frames import on_disk

    with on_disk(data) as path:
        manifest = scan(
            path,
            groups=groups or GroupOptions(),
            options=reading or DataOptions(),
            progress=progress,
        )
        return examine(manifest, duplicates=find_duplicates(manifest))


def evaluate(
    run: PathLike | Classifier,
    data: Data,
    *,
    groups: GroupOptions | None = None,
    reading: DataOptions | None = None,
    subgroups: Sequence[str] = (),
    features: PathLike | None = None,
    progress: Progress | None = None,
) -> Scored:
    """Scores a run on new labelled data, without fitting anything to them.

    >>> foveal.evaluate("runs/photos", "next-year/").evidence.metrics   # doctest: +SKIP

    Args:
        run: The run folder, or the classifier of :func:`load`.
        data: As for :func:`foveal.train`.
        groups: Where groups come from, for the intervals.
        reading: How the data are read where their form leaves a choice.
        subgroups: Columns of the table whose values get figures of their own.
        features: A folder of parts with features, by :func:`predict_shards` with this very run;
            what it holds is not computed.
        progress: Called with (done, total) images.

    Raises:
        DataError: The data hold no image of a class that the run knows.
        RunError: The run cannot be read.
    """
    from foveal.dataset.data_frames import on_disk
    from foveal.runs.scoring import evaluate_classifier

    classifier, known = loaded(run), None
    if features is not None:
        from foveal.sharding.reading import read_answers

        known = read_answers(Path(features), classifier)
    with on_disk(data) as path:
        return evaluate_classifier(
            classifier,
            path,
            groups=groups,
            options=reading,
            subgroups=subgroups,
            progress=progress,
            known=known,
        )


def drift(
    run: PathLike | Classifier,
    images: PathLike,
    *,
    groups: GroupOptions | None = None,
    progress: Progress | None = None,
) -> ExternalTest:
    """Tells whether images without labels are like those that a run was made from.

    >>> foveal.drift("runs/photos", "next-year/").drift.verdict     # doctest: +SKIP

    Args:
        run: The run folder, or the classifier of :func:`load`.
        images: A folder, which is searched through, or a pattern.
        groups: Where groups come from: what several images share counts as one.
        progress: Called with (done, total) images.

    Raises:
        DataError: No image can be read, or the run was made from all of them.
        RunError: The run cannot be read.
    """
    from foveal.runs.external import measure_unlabelled

    return measure_unlabelled(loaded(run), Path(images), groups=groups, progress=progress)


def report(
    run: PathLike, out: PathLike | None = None, *, images: PathLike | None = None
) -> DrawnReport:
    """Draws the report and the model card of a finished run again, from its folder.

    Thumbnails and heat maps are drawn over the images where the very files that were trained
    on are still where they were; otherwise placeholders stand for them and the page says so. With
    all images the page is the first one again.

    >>> foveal.report("runs/photos", "again/").page     # doctest: +SKIP

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
            next_step="Give the folder of the images with --images, or another path with --out.",
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
    target = folder if out is None else Path(out)
    return DrawnReport(target / REPORT_NAME, target / CARD_NAME, read.num_wanted, read.missing)


def checklist(
    run: PathLike,
    name: str,
    *,
    statement: PathLike | None = None,
    external: PathLike | None = None,
) -> FilledChecklist:
    """Returns a reporting checklist, each item answered by the run, its owner, or nobody yet.

    >>> foveal.checklist("runs/photos", "claim").num_answered    # doctest: +SKIP

    Args:
        run: The run folder.
        name: ``"claim"``, ``"tripod-ai"`` or ``"stard-ai"``.
        statement: The owner's answers; by default ``statement.toml`` beside the run, if there.
        external: What ``foveal evaluate --json`` printed about data from elsewhere.

    Raises:
        DataError: A file cannot be read.
        RunError: The run cannot be read.
        UsageError: There is no such checklist, or a statement answers what nobody asks.
    """
    from foveal.reporting.checklists import find_checklist
    from foveal.reporting.checklists.filling import fill, read_facts
    from foveal.reporting.checklists.statement import read_statement

    wanted = find_checklist(name)
    path = statement_path(run) if statement is None else Path(statement)
    answers = read_statement(path) if statement is not None or path.is_file() else None
    facts = read_facts(Path(run), external=None if external is None else Path(external))
    return fill(wanted, facts, answers, run_name=Path(run).name or str(run))


def statement_path(run: PathLike) -> Path:
    """Returns where the owner's answers are looked for: ``statement.toml`` beside the run."""
    from foveal.reporting.checklists.statement import STATEMENT_NAME

    return Path(run).absolute().parent / STATEMENT_NAME


def write_statement(path: PathLike) -> Path:
    """Writes a statement without answers, and never over one.

    Raises:
        UsageError: The file is there.
    """
    from foveal.reporting.checklists import CHECKLISTS
    from foveal.reporting.checklists.statement import template

    target = Path(path)
    if target.exists():
        raise UsageError(
            f"'{printable(str(target))}' is there already, and may hold answers.",
            next_step="Fill it in, or name another file with --statement.",
        )
    write_atomically(target, template(CHECKLISTS).encode())
    return target


def loaded(run: PathLike | Classifier) -> Classifier:
    """Returns the classifier that was given, or that of the folder."""
    from foveal.runs.classifier import Classifier

    return run if isinstance(run, Classifier) else load(run)

"""From a classifier to what its report shows: just trained, or a finished run read back."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from foveal.errors import ImageError
from foveal.images import thumbnail
from foveal.images.frames import split_frame_path
from foveal.images.views import turn_back
from foveal.reporting import BackendTiming, Making, ReportInput
from foveal.reporting.figures import NUM_WEAKEST, are_many
from foveal.runs.environment import describe_hardware, describe_versions
from foveal.runs.folder import (
    EVALUATION_NAME,
    EXPLANATIONS_NAME,
    MANIFEST_TABLE_NAME,
    PREPROCESSING_NAME,
    REPORT_RECORD_NAME,
    file_digest,
    read_manifest,
    verify_files,
)
from foveal.runs.reading import (
    named_as_altered,
    read_evidence,
    read_explanations,
    read_preprocessing,
    read_typed,
    refuse,
)
from foveal.runs.tables import UsableImage, read_usable
from foveal.schema import to_json
from foveal.shortcuts.shown import MapSources, ShownExplanations, show_over_inputs
from foveal.text import count_noun, printable

if TYPE_CHECKING:
    from foveal.evaluation import Evidence
    from foveal.images import Preprocessing, View
    from foveal.shortcuts.explained_run import ExplainedRun
    from foveal.training import TrainedClassifier

_THUMBNAIL_PX = 160
_MAX_EXAMPLES = 48
_NEEDED = (
    EVALUATION_NAME,
    EXPLANATIONS_NAME,
    MANIFEST_TABLE_NAME,
    PREPROCESSING_NAME,
    REPORT_RECORD_NAME,
)


@dataclass(frozen=True, slots=True)
class ReportRecord:
    """What a report shows beside evidence, audit and explanations: ``report.json`` of a run.

    Attributes:
        title: Heading of the report.
        making: How the classifier was made.
        examples: Rows among the usable images to show, by class name.
        images_root: The folder that the images' paths start from, as a path from the run
            folder, so that it names no person's folders; ``None`` where it must not be told.
        maps: What the heat maps were drawn over; ``None`` where there are none.
    """

    title: str
    making: Making
    examples: dict[str, tuple[int, ...]]
    images_root: str | None
    maps: MapSources | None


@dataclass(frozen=True, slots=True)
class ReadReport:
    """A finished run's report, read back from its folder.

    Attributes:
        report: What the page is rendered from.
        num_wanted: Images that the page shows.
        missing: Those that could not be drawn again, each with why.
    """

    report: ReportInput
    num_wanted: int
    missing: tuple[str, ...]


def describe_training(
    trained: TrainedClassifier,
    *,
    title: str,
    command: str,
    created: str,
    data_licence: str | None = None,
    explanations: ShownExplanations | None = None,
) -> ReportInput:
    """Returns everything the report and the model card are rendered from.

    Args:
        trained: The classifier and its evidence.
        title: Heading of the report.
        command: How it was made.
        created: ISO 8601.
        data_licence: Under which the images come, if known.
        explanations: Where its answers come from.
    """
    manifest = trained.manifest
    examples = _choose_examples(trained)
    wanted = _wanted_rows(trained.evidence, examples)
    paths = {row: manifest.resolve(manifest.usable[row]) for row in wanted}
    return ReportInput(
        title=title,
        evidence=trained.evidence,
        audit=trained.audit,
        making=describe_making(
            trained, command=command, created=created, data_licence=data_licence
        ),
        pictures=_draw_thumbnails(paths, trained.preprocessing),
        examples=examples,
        explanations=explanations,
    )


def record_json(report: ReportInput, trained: TrainedClassifier, folder: Path) -> dict[str, Any]:
    """Returns the contents of ``report.json``.

    Args:
        report: From :func:`describe_training`.
        trained: The classifier.
        folder: Where the run will be.
    """
    assert report.making is not None
    content: dict[str, Any] = to_json(
        ReportRecord(
            title=printable(report.title),
            making=report.making,
            examples=dict(report.examples),
            images_root=_relative_root(trained, folder),
            maps=None if report.explanations is None else report.explanations.sources,
        )
    )
    return content


def read_report(folder: Path, *, images_root: Path | None = None) -> ReadReport:
    """Reads everything that a finished run's report shows.

    Images are drawn anew where the very files that were trained on are still at their place.

    Args:
        folder: The run.
        images_root: The folder that the images' paths start from; by default where it was.

    Raises:
        RunIncompleteError: It is no run, or one of another version.
        RunAlteredError: A file is altered, or a field cannot be.
    """
    verify_files(folder, read_manifest(folder), _NEEDED)
    record = read_typed(folder, REPORT_RECORD_NAME, ReportRecord, schema="report")
    evidence, audit = read_evidence(folder)
    explained = read_explanations(folder)
    preprocessing, views = read_preprocessing(folder)
    usable = read_usable(folder)
    if images_root is None and record.images_root is not None:
        images_root = folder / record.images_root
    rows = _wanted_rows(evidence, record.examples)
    rows += () if record.maps is None else record.maps.rows
    _check_indices(folder, rows, usable, evidence, explained)
    paths, missing = _find_images(rows, usable, images_root)
    shown = ShownExplanations(explained)
    if record.maps is not None:
        inputs = _read_inputs(record.maps, paths, preprocessing, views[0])
        class_index = {name: index for index, name in enumerate(evidence.data.class_names)}
        labels = np.array([class_index.get(image.label, -1) for image in usable], np.int64)
        with named_as_altered(folder, EXPLANATIONS_NAME):
            shown = show_over_inputs(
                explained, record.maps, inputs, labels=labels, preprocessing=preprocessing
            )
    making = record.making
    if missing:
        making = dataclasses.replace(making, notes=(*making.notes, describe_missing(missing)))
    report = ReportInput(
        title=record.title,
        evidence=evidence,
        audit=audit,
        making=making,
        pictures=_draw_thumbnails(
            {row: paths[row] for row in _wanted_rows(evidence, record.examples) if row in paths},
            preprocessing,
        ),
        examples=record.examples,
        explanations=shown,
    )
    return ReadReport(report, len(set(rows)), missing)


def _check_indices(
    folder: Path,
    rows: tuple[int, ...],
    usable: tuple[UsableImage, ...],
    evidence: Evidence,
    explained: ExplainedRun,
) -> None:
    """Refuses numbers of images and classes that the run does not have."""
    for row in rows:
        if not 0 <= row < len(usable):
            refuse(folder, REPORT_RECORD_NAME, "", f"got row {row} of {len(usable)} images")
    names = evidence.data.class_names
    if explained.class_names != names:
        refuse(folder, EXPLANATIONS_NAME, "class_names", f"expected {EVALUATION_NAME}'s")
    indices = [one.class_index for one in explained.separations]
    indices += [one.class_index for one in explained.borders]
    indices += [one.suspicion.class_index for one in explained.shortcuts]
    for one in explained.examples:
        indices += [one.label_index, one.said_index]
    for index in indices:
        if not 0 <= index < len(names):
            refuse(folder, EXPLANATIONS_NAME, "", f"got class {index} of {len(names)}")


def describe_missing(missing: tuple[str, ...]) -> str:
    """Returns what a redrawn page lacks, as a sentence.

    >>> describe_missing(("a.png: it is not there",))
    'Drawn again later without 1 image, first a.png: it is not there. Placeholders stand for it.'
    """
    what = count_noun(len(missing), "image")
    return (
        f"Drawn again later without {what}, first {missing[0]}. Placeholders stand for "
        f"{'it' if len(missing) == 1 else 'them'}."
    )


def describe_making(
    trained: TrainedClassifier, *, command: str, created: str, data_licence: str | None = None
) -> Making:
    """Returns how the classifier was made."""
    versions = describe_versions()
    hardware = describe_hardware()
    config = trained.config
    return Making(
        backbone=trained.backbone.name,
        weights_source=printable(trained.backbone.weights.description),
        weights_licence=trained.backbone.weights.licence,
        preprocessing=trained.preprocessing.to_json(),
        head_strength=trained.head.penalty,
        views=config.views,
        backend=trained.probe.chosen,
        probe=tuple(
            BackendTiming(row.backend, row.images_per_second, row.cosine, row.reason or "")
            for row in trained.probe.rows
        ),
        seeds={"all": config.seed},
        versions={name: value for name, value in versions.items() if name != "foveal"},
        hardware=", ".join(
            (
                str(hardware["processor"]),
                f"{hardware['num_cores']} cores",
                *((f"{hardware['memory_gib']} GiB",) if "memory_gib" in hardware else ()),
            )
        ),
        command=command,
        created=created,
        foveal_version=versions.get("foveal", "not installed"),
        data_source=None,
        data_licence=data_licence,
        notes=tuple(map(printable, trained.manifest.notes)),
    )


def _wanted_rows(evidence: Evidence, examples: Mapping[str, tuple[int, ...]]) -> tuple[int, ...]:
    """Returns the rows whose thumbnails the page shows, each once."""
    wanted = [issue.index for issue in evidence.label_review]
    wanted += [mistake.index for mistake in evidence.mistakes]
    wanted += [row for rows in examples.values() for row in rows]
    return tuple(dict.fromkeys(wanted))


def _choose_examples(trained: TrainedClassifier) -> dict[str, tuple[int, ...]]:
    """Returns rows to show for each class, spread over it; of many classes, a few of them."""
    labels = trained.manifest.labels
    names = trained.evidence.data.class_names
    shown = np.arange(len(names))
    if are_many(names):
        shown = np.unique(np.linspace(0, len(names) - 1, NUM_WEAKEST).astype(int))
    each = max(1, min(6, _MAX_EXAMPLES // len(shown)))
    chosen = {}
    for index, name in ((int(place), names[place]) for place in shown):
        rows = np.flatnonzero(labels == index)
        spread = np.linspace(0, len(rows) - 1, min(each, len(rows)))
        chosen[name] = tuple(int(rows[int(place)]) for place in spread)
    return chosen


def _draw_thumbnails(paths: Mapping[int, Path], preprocessing: Preprocessing) -> dict[int, bytes]:
    pictures = {}
    for row, path in paths.items():
        try:
            pictures[row] = thumbnail(
                path,
                size_px=_THUMBNAIL_PX,
                window=preprocessing.window,
                frame=preprocessing.frame,
            )
        except ImageError:
            continue  # the file went away meanwhile; the report draws a placeholder
    return pictures


def _relative_root(trained: TrainedClassifier, folder: Path) -> str | None:
    if trained.config.anonymous_paths:
        return None
    try:
        root = os.path.relpath(trained.manifest.root, folder)
    except ValueError:  # on another drive of Windows
        return None
    return root if printable(root) == root else None


def _find_images(
    rows: Iterable[int], usable: tuple[UsableImage, ...], root: Path | None
) -> tuple[dict[int, Path], tuple[str, ...]]:
    """Returns where the files of rows are, and of the others why they cannot be drawn."""
    found, missing = {}, []
    for row in dict.fromkeys(rows):
        image = usable[row]
        if root is None:
            reason = f"{image.path}: the run does not say where its images are"
        else:
            path, file = _locate(root, image.path)
            if file is None:
                reason = f"{image.path}: it is not there"
            elif file_digest(file) != image.digest:
                reason = f"{image.path}: it has changed"
            else:
                found[row] = path
                continue
        missing.append(reason)
    return found, tuple(missing)


def _locate(root: Path, path: str) -> tuple[Path, Path | None]:
    """Returns the place of an image and its file; ``None`` where there is none.

    As the system follows ``..`` first, then by the names alone: the table of a data frame
    lay in a folder that is gone.
    """
    for place in (root / path, Path(os.path.normpath(root.absolute() / path))):
        frame = split_frame_path(str(place))
        for file in (place, *(() if frame is None else (Path(frame[0]),))):
            if file.is_file():
                return place, file
    return root / path, None


def _read_inputs(
    sources: MapSources, paths: Mapping[int, Path], preprocessing: Preprocessing, view: View
) -> dict[int, NDArray[np.float32]]:
    inputs = {}
    for row in sources.rows:
        if row in paths:
            try:
                inputs[row] = turn_back(preprocessing.apply(paths[row], view=view), view)
            except ImageError:
                continue
    return inputs

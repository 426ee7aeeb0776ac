"""From a finished run, read back, to what its report shows."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from foveal.errors import ImageError
from foveal.images.frames import split_frame_path
from foveal.images.views import turn_back
from foveal.reporting import ReportInput
from foveal.reporting.from_training import (
    ReportRecord,
    draw_thumbnails,
    inspect_backbone,
    wanted_rows,
)
from foveal.runs.classifier import FILES_FOR_PREDICTION
from foveal.runs.folder import (
    CARD_NAME,
    EVALUATION_NAME,
    EXPLANATIONS_NAME,
    MANIFEST_TABLE_NAME,
    PREPROCESSING_NAME,
    REPORT_NAME,
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
from foveal.shortcuts.figures import MapSources, ShownExplanations, show_over_inputs
from foveal.text import count_noun

if TYPE_CHECKING:
    from foveal.evaluation import Evidence
    from foveal.images import Preprocessing, View
    from foveal.shortcuts.explained_run import ExplainedRun

_NEEDED = (
    EVALUATION_NAME,
    EXPLANATIONS_NAME,
    MANIFEST_TABLE_NAME,
    PREPROCESSING_NAME,
    REPORT_RECORD_NAME,
)


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


def read_report(folder: Path, *, images_root: Path | None = None) -> ReadReport:
    """Reads everything that a finished run's report shows.

    Images are drawn anew where the very files that were trained on are still there.

    Args:
        folder: The run.
        images_root: The folder that the images' paths start from; by default where it was.

    Raises:
        RunIncompleteError: It is no run, or one of another version.
        RunAlteredError: A file is altered, or a field cannot be.
    """
    manifest = read_manifest(folder)
    verify_files(folder, manifest, (*FILES_FOR_PREDICTION, *_NEEDED))
    # What is not needed here may be gone, but a report of an altered run would vouch for it.
    others = set(manifest["files"]) - {REPORT_NAME, CARD_NAME}
    verify_files(folder, manifest, tuple(sorted(n for n in others if (folder / n).is_file())))
    record = read_typed(folder, REPORT_RECORD_NAME, ReportRecord, schema="report")
    evidence, audit = read_evidence(folder)
    explained = read_explanations(folder)
    preprocessing, views = read_preprocessing(folder)
    usable = read_usable(folder)
    if images_root is None and record.images_root is not None:
        images_root = folder / record.images_root
    rows = wanted_rows(evidence, record.examples)
    rows += () if record.maps is None else record.maps.rows
    _check_indices(folder, rows, usable, evidence, explained)
    paths, missing = find_images(rows, usable, images_root)
    shown = ShownExplanations(explained)
    if record.maps is not None:
        inputs = _read_inputs(record.maps, paths, preprocessing, views[0])
        class_index = {name: index for index, name in enumerate(evidence.data.class_names)}
        labels = np.array([class_index.get(image.label, -1) for image in usable], np.int64)
        with named_as_altered(folder, EXPLANATIONS_NAME):
            shown = show_over_inputs(
                explained, record.maps, inputs, labels=labels, preprocessing=preprocessing
            )
    provenance = record.provenance
    if missing:
        provenance = dataclasses.replace(
            provenance, notes=(*provenance.notes, describe_missing(missing))
        )
    report = ReportInput(
        title=record.title,
        evidence=evidence,
        audit=audit,
        provenance=provenance,
        pictures=draw_thumbnails(
            {row: paths[row] for row in wanted_rows(evidence, record.examples) if row in paths},
            preprocessing,
        ),
        examples=record.examples,
        explanations=shown,
        network=inspect_backbone(provenance.backbone, preprocessing),
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
        indices += [one.label_index, one.predicted_index]
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


def find_images(
    rows: Iterable[int], usable: tuple[UsableImage, ...], root: Path | None
) -> tuple[dict[int, Path], tuple[str, ...]]:
    """Returns where the files of rows are, and of the others why they cannot be read."""
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
    """Returns the path of an image and its file; ``None`` where there is none.

    As the system follows ``..`` first, then by the names alone: the table of a data frame
    lay in a folder that is gone.
    """
    for found in (root / path, Path(os.path.normpath(root.absolute() / path))):
        frame = split_frame_path(str(found))
        for file in (found, *(() if frame is None else (Path(frame[0]),))):
            if file.is_file():
                return found, file
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

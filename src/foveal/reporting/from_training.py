"""From a classifier just trained to what its report shows, and what is recorded of that."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from foveal.errors import ImageError, ModelError
from foveal.images import thumbnail
from foveal.reporting import BackendTiming, Provenance, ReportInput
from foveal.reporting.figures import NUM_WEAKEST, are_many
from foveal.runs.environment import describe_hardware, describe_versions
from foveal.schema import to_json
from foveal.shortcuts.figures import MapSources, ShownExplanations
from foveal.text import printable

if TYPE_CHECKING:
    from foveal.evaluation import Evidence
    from foveal.images import Preprocessing
    from foveal.inspection import Inspection
    from foveal.training import TrainedClassifier

_THUMBNAIL_PX = 160
_MAX_EXAMPLES = 48


@dataclass(frozen=True, slots=True)
class ReportRecord:
    """What a report shows beside evidence, audit and explanations: ``report.json`` of a run.

    Attributes:
        title: Heading of the report.
        provenance: How the classifier was made.
        examples: Rows among the usable images to show, by class name.
        images_root: The folder that the images' paths start from, as a path from the run
            folder, so that it names no person's folders; ``None`` where it must not be told.
        maps: What the heat maps were drawn over; ``None`` where there are none.
    """

    title: str
    provenance: Provenance
    examples: dict[str, tuple[int, ...]]
    images_root: str | None
    maps: MapSources | None


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
    wanted = wanted_rows(trained.evidence, examples)
    paths = {row: manifest.resolve(manifest.usable[row]) for row in wanted}
    return ReportInput(
        title=title,
        evidence=trained.evidence,
        audit=trained.audit,
        provenance=describe_provenance(
            trained, command=command, created=created, data_licence=data_licence
        ),
        pictures=draw_thumbnails(paths, trained.preprocessing),
        examples=examples,
        explanations=explanations,
        network=inspect_backbone(trained.backbone.name, trained.preprocessing),
    )


def record_json(report: ReportInput, trained: TrainedClassifier, folder: Path) -> dict[str, Any]:
    """Returns the contents of ``report.json``.

    Args:
        report: From :func:`describe_training`.
        trained: The classifier.
        folder: Where the run will be.
    """
    assert report.provenance is not None
    content: dict[str, Any] = to_json(
        ReportRecord(
            title=printable(report.title),
            provenance=report.provenance,
            examples=dict(report.examples),
            images_root=_relative_root(trained, folder),
            maps=None if report.explanations is None else report.explanations.sources,
        )
    )
    return content


def inspect_backbone(name: str, preprocessing: Preprocessing) -> Inspection | None:
    """Returns the network that gives the features, layer by layer, built without weights.

    None where it cannot be built or followed: the report then says so.
    """
    from foveal.inspection import inspect
    from foveal.models import open_network

    try:
        module = open_network(f"timm:{name}", weights="none").module
        reset = getattr(module, "reset_classifier", None)
        if reset is None:
            return None
        reset(0)
        return inspect(module, (3, preprocessing.height_px, preprocessing.width_px), name=name)
    except ModelError:
        return None


def describe_provenance(
    trained: TrainedClassifier, *, command: str, created: str, data_licence: str | None = None
) -> Provenance:
    """Returns how the classifier was made."""
    versions = describe_versions()
    hardware = describe_hardware()
    config = trained.config
    return Provenance(
        backbone=trained.backbone.name,
        weights_source=printable(trained.backbone.weights.description),
        weights_licence=trained.backbone.weights.licence,
        preprocessing=trained.preprocessing.to_json(),
        model=trained.model.describe(),
        views=trained.model.reading.views,
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


def wanted_rows(evidence: Evidence, examples: Mapping[str, tuple[int, ...]]) -> tuple[int, ...]:
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
    for index, name in ((int(k), names[k]) for k in shown):
        rows = np.flatnonzero(labels == index)
        spread = np.linspace(0, len(rows) - 1, min(each, len(rows)))
        chosen[name] = tuple(int(rows[int(k)]) for k in spread)
    return chosen


def draw_thumbnails(paths: Mapping[int, Path], preprocessing: Preprocessing) -> dict[int, bytes]:
    """Returns the thumbnails that can be drawn, by row."""
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

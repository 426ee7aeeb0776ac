"""From a trained classifier to what the report shows: pictures are made, facts gathered."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from foveal.errors import ImageError
from foveal.images import thumbnail
from foveal.report import BackendTiming, Making, ReportInput
from foveal.report.many_classes import NUM_WEAKEST, are_many
from foveal.runs.surroundings import describe_hardware, describe_versions

if TYPE_CHECKING:
    from foveal.report.explaining.shown import ShownExplanations
    from foveal.training import TrainedClassifier

_THUMBNAIL_PX = 160
_MAX_EXAMPLES = 48


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
    evidence = trained.evidence
    examples = _choose_examples(trained)
    wanted = [issue.index for issue in evidence.label_review]
    wanted += [mistake.index for mistake in evidence.mistakes]
    wanted += [row for rows in examples.values() for row in rows]
    return ReportInput(
        title=title,
        evidence=evidence,
        audit=trained.audit,
        making=describe_making(
            trained, command=command, created=created, data_licence=data_licence
        ),
        pictures=_draw_thumbnails(trained, wanted),
        examples=examples,
        explanations=explanations,
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
        weights_source=trained.backbone.weights.description,
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
        notes=trained.manifest.notes,
    )


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


def _draw_thumbnails(trained: TrainedClassifier, rows: Iterable[int]) -> dict[int, bytes]:
    pictures = {}
    for row in dict.fromkeys(rows):
        path = trained.manifest.resolve(trained.manifest.usable[row])
        try:
            pictures[row] = thumbnail(
                path,
                size_px=_THUMBNAIL_PX,
                window=trained.preprocessing.window,
                frame=trained.preprocessing.frame,
            )
        except ImageError:
            continue  # the file went away meanwhile; the report draws a placeholder
    return pictures

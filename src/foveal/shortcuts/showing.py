"""The run's heat maps, drawn for its report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from foveal.shortcuts.explaining import explain_training
from foveal.shortcuts.loading import Progress
from foveal.shortcuts.shown import MapSources, ShownExplanations, show_over_inputs

if TYPE_CHECKING:
    from foveal.training import TrainedClassifier


def explain_and_show(
    trained: TrainedClassifier, *, progress: Progress | None = None
) -> ShownExplanations:
    """Returns what the held-out pictures' heat maps show, with the pictures.

    Args:
        trained: The classifier with its fold heads.
        progress: Called with (done, total) pictures.
    """
    run, pictures = explain_training(trained, progress=progress)
    if pictures is None:
        return ShownExplanations(run)
    rows = tuple(map(int, trained.judged.rows[pictures.places]))
    return show_over_inputs(
        run,
        MapSources(rows, pictures.centres),
        dict(zip(rows, pictures.images, strict=True)),
        labels=trained.manifest.labels,
        preprocessing=trained.preprocessing,
    )

"""The run's heat maps, drawn for its report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from foveal.report.explaining.shown import ShownExplanations, show_explanations
from foveal.run_explanations.explaining import explain_training
from foveal.run_explanations.loading import Progress
from foveal.run_explanations.network import Images

if TYPE_CHECKING:
    from foveal.images import Preprocessing
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
    rows = trained.judged.rows[pictures.places]
    labels = trained.manifest.labels[rows]
    wanted = {example.row for example in run.examples}
    prepared = trained.preprocessing
    return show_explanations(
        run,
        by_row={
            int(row): as_seen(image, prepared)
            for row, image in zip(rows, pictures.images, strict=True)
            if int(row) in wanted
        },
        by_class={
            int(index): as_seen(pictures.images[labels == index].mean(0), prepared)
            for index in np.unique(labels)
        },
        centres=pictures.centres,
    )


def as_seen(image: Images, preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """Returns the pixels [H, W, 3] of a network's input [3, H, W], no longer normalised."""
    levels = image.transpose(1, 2, 0) * np.array(preprocessing.std) + np.array(preprocessing.mean)
    pixels: NDArray[np.uint8] = np.rint(255 * np.clip(levels, 0.0, 1.0)).astype(np.uint8)
    return pixels

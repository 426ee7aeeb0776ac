"""A run's answers explained, with the probabilities that it predicts."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from foveal.explanation.requests import class_indices as class_indices
from foveal.runs.folder import (
    PREPROCESSING_NAME,
    WEIGHTS_NAME,
    read_manifest,
    verify_files,
)

if TYPE_CHECKING:
    from torch import nn

    from foveal.explanation.pictures import Asked, ExplainedPicture
    from foveal.images import View
    from foveal.runs.classifier import Classifier

Progress = Callable[[int, int], None]


def explain_run(
    classifier: Classifier,
    paths: Sequence[Path],
    *,
    asked_for: Asked,
    network: nn.Module | None = None,
    progress: Progress | None = None,
) -> tuple[ExplainedPicture, ...]:
    """Explains picture files by a run's network; label and probabilities are the predicted ones.

    Args:
        classifier: The run.
        paths: The files.
        asked_for: Classes, method, layer and effort.
        network: Of :func:`load_network`, if it is at hand.
        progress: Called with (done, total).

    Raises:
        UsageError: Class, method or layer do not exist.
        RunAlteredError: A file has another digest than recorded.
    """
    from foveal.explanation.pictures import explain_pictures

    explained = explain_pictures(
        network or load_network(classifier.folder),
        paths,
        preprocessing=classifier.preprocessing,
        class_names=classifier.class_names,
        asked_for=asked_for,
        views=_views(classifier.folder),
        temperature=classifier.temperature,
        progress=progress,
    )
    # The run answers by its ONNX file; the last digits are its, not this network's.
    predictions = classifier.predict(list(paths))
    return tuple(
        one
        if one.error is not None or answer.error is not None
        else replace(
            one,
            label=answer.label,
            probability=answer.probability,
            maps=tuple(
                replace(item, probability=answer.probabilities[item.heat_map.class_index])
                for item in one.maps
            ),
        )
        for one, answer in zip(explained, predictions, strict=True)
    )


def load_network(folder: Path) -> nn.Module:
    """Returns the run's network in PyTorch, after checking its weights' digest.

    Raises:
        RunAlteredError: The weights are not as they were written.
    """
    from foveal.models.sources import resolve_model

    verify_files(folder, read_manifest(folder), (WEIGHTS_NAME,))
    return resolve_model(str(folder), weights="pretrained").network


def _views(folder: Path) -> tuple[View, ...]:
    content = json.loads((folder / PREPROCESSING_NAME).read_text("utf-8"))
    return tuple(content["views"])

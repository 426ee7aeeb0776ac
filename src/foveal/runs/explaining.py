"""Images explained by a network, and by a run with the probabilities that it predicts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from foveal.runs.named_images import NamedImage

if TYPE_CHECKING:
    from foveal.explanation.images import ExplainedImage
    from foveal.explanation.requests import Request
    from foveal.models import Network
    from foveal.runs.classifier import Classifier

Progress = Callable[[int, int], None]


def explain_images(
    network: Network,
    images: Sequence[NamedImage],
    *,
    request: Request,
    progress: Progress | None = None,
) -> tuple[ExplainedImage, ...]:
    """Explains images by a network, in order; one that cannot be read is a row with its error.

    Args:
        network: With weights.
        images: The images.
        request: Classes, method, layer and effort.
        progress: Called with (done, total).

    Raises:
        UsageError: Class, method or layer do not exist, or the network takes no images.
        ModelError: The network cannot be explained.
    """
    from foveal.explanation.images import explain_named_images

    return explain_named_images(
        network.module,
        images,
        preprocessing=network.prepared(),
        class_names=network.class_names,
        request=request,
        views=network.views,
        temperature=network.temperature,
        channels=network.channels,
        progress=progress,
    )


def explain_run(
    classifier: Classifier,
    images: Sequence[NamedImage],
    *,
    request: Request,
    progress: Progress | None = None,
) -> tuple[ExplainedImage, ...]:
    """Explains images by a run's network; label and probabilities are the predicted ones.

    Args:
        classifier: The run.
        images: The images.
        request: Classes, method, layer and effort.
        progress: Called with (done, total).

    Raises:
        UsageError: Class, method or layer do not exist.
        RunAlteredError: A file has another digest than recorded, or the run was replaced since
            it was loaded.
    """
    classifier.verify_files()
    network = classifier.network()
    explained = explain_images(network, images, request=request, progress=progress)
    # The run answers by its ONNX file; the last digits are its, not this network's.
    predictions = classifier.answer(images)
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

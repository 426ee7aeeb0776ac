"""Small shifts put to the finished classifier: its preprocessing, its backbone, its model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.dataset import Manifest
from foveal.errors import ImageError
from foveal.evaluation import Stability, decision_consistency, softmax
from foveal.features import (
    Backend,
    cache_directory,
    find_backend,
    num_cores,
    stream_batches,
)
from foveal.features.reading import readable_network
from foveal.images import Preprocessing, View
from foveal.images.views import turn
from foveal.models import Backbone
from foveal.training.fold_model import FoldModel

# With five passes an image: a second or two on two cores.
MAX_IMAGES = 64
SHIFTS_PX = (1, 2, 4, 8)
_MIN_IMAGES = 16
_PLAIN_BACKEND = "torch-channels-last"


def measure_stability(
    manifest: Manifest,
    rows: NDArray[np.int64],
    *,
    groups: NDArray[np.int64],
    fitted_rows: NDArray[np.int64],
    backbone: Backbone,
    preprocessing: Preprocessing,
    model: FoldModel,
    temperature: float,
    backend_name: str,
    seed: int,
    num_workers: int | None = None,
) -> Stability | None:
    """Returns how stable the answers are on a sample of the images that were judged.

    Images are drawn at random, so that they stand for all; each is moved in one of the four
    directions, in pixels of the network's input. None if no shift fits into that input, or
    fewer than two images can still be read.

    Args:
        manifest: The data.
        rows: [M], the usable images that were judged.
        groups: [N] over the usable images, duplicates fused.
        fitted_rows: The usable images that ``model`` has seen.
        backbone: The network.
        preprocessing: How images enter.
        model: Fitted on ``fitted_rows``.
        temperature: Of the calibration.
        backend_name: The one that computed the features; one that takes long to open is not
            opened again.
        seed: Of the sample and the bootstrap.
        num_workers: Threads.
    """
    size_px = (preprocessing.height_px, preprocessing.width_px)
    shifts_px = [distance for distance in SHIFTS_PX if distance < min(size_px) // 4]
    wanted = max(_MIN_IMAGES, MAX_IMAGES // len(model.reading.views))
    drawn = np.random.default_rng(seed).permutation(rows)[:wanted]
    images: list[NDArray[np.float32]] = []
    kept: list[int] = []
    for row in np.sort(drawn):
        try:
            images.append(preprocessing.apply(manifest.resolve(manifest.usable[row])))
            kept.append(int(row))
        except ImageError:
            continue  # the file went away meanwhile
    if len(kept) < 2 or not shifts_px:
        return None
    spec = find_backend(backend_name)
    if spec.setup == "slow":
        spec = find_backend(_PLAIN_BACKEND)
    network = readable_network(backbone, model.reading, size_px)
    run = _predictor(
        spec.open(network, size_px, cache_directory()), model, temperature, num_workers
    )
    return decision_consistency(
        run,
        np.stack(images),
        shifts_px=shifts_px,
        directions="in turn",
        groups=groups[kept],
        num_seen=int(np.isin(kept, fitted_rows).sum()),
        seed=seed,
    )


def _predictor(
    backend: Backend,
    model: FoldModel,
    temperature: float,
    num_workers: int | None,
) -> Callable[[NDArray[Any]], NDArray[np.float64]]:
    """Returns the classifier as a function from inputs [N, 3, H, W] to probabilities [N, K]."""

    def predict(images: NDArray[Any]) -> NDArray[np.float64]:
        total: NDArray[np.float32] | None = None
        for view in model.reading.views:
            turned = _turned(images, view)
            features = [
                vector
                for _, batch in stream_batches(
                    range(len(turned)),
                    turned.__getitem__,
                    lambda inputs: list(backend.run(inputs)),
                    num_concurrent=backend.num_concurrent,
                    num_workers=num_workers or max(2, num_cores()),
                )
                for vector in batch
            ]
            stacked = np.stack([np.asarray(vector, np.float32) for vector in features])
            total = stacked if total is None else total + stacked
        assert total is not None
        total /= np.float32(len(model.reading.views))
        return softmax(model.logits(total), temperature=temperature)

    return predict


def _turned(images: NDArray[Any], view: View) -> NDArray[np.float32]:
    rows_first = np.moveaxis(images, (2, 3), (0, 1))
    turned = np.moveaxis(turn(rows_first, view), (0, 1), (2, 3))
    return np.ascontiguousarray(turned, np.float32)

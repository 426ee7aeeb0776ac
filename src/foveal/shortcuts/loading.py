"""Held-out pictures with their maps, over the views that the run averages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from foveal.errors import ImageError
from foveal.features import num_cores, stream_batches
from foveal.images.views import View, turn_back
from foveal.shortcuts.network import HeldOutNetwork, Images

if TYPE_CHECKING:
    from foveal.training import TrainedClassifier

Progress = Callable[[int, int], None]


def load_pictures(
    trained: TrainedClassifier,
    places: Sequence[int],
    network: HeldOutNetwork,
    progress: Progress | None,
) -> list[tuple[int, Images, Images]]:
    """Returns (place, picture, maps [K, h, w]) for each picture that can still be read.

    The maps are averaged over the views, each turned back to how the picture stands.
    """
    by_view = [
        _load_view(trained, places, network, view, progress) for view in trained.config.views
    ]
    loaded = []
    for place in places:
        several = [found[place] for found in by_view if place in found]
        if len(several) == len(by_view):  # else the file went away meanwhile
            maps: Images = np.stack([one for _, one in several]).mean(0)
            loaded.append((place, several[0][0], maps))
    return loaded


def _load_view(
    trained: TrainedClassifier,
    places: Sequence[int],
    network: HeldOutNetwork,
    view: View,
    progress: Progress | None,
) -> dict[int, tuple[Images, Images]]:
    """Returns picture and maps by place, both turned back."""
    manifest, judged = trained.manifest, trained.judged
    pictures: dict[int, Images] = {}

    def load(place: int) -> Images | ImageError:
        path = manifest.resolve(manifest.usable[judged.rows[place]])
        try:
            pictures[place] = trained.preprocessing.apply(path, view=view)
        except ImageError as error:
            return error
        return pictures[place]

    found = {}
    batches = stream_batches(
        places,
        load,
        lambda images: list(network.features(images)),
        num_concurrent=num_cores(),
        num_workers=trained.config.num_workers or max(2, num_cores()),
    )
    num_done = 0
    for batch, results in batches:
        for place, features in zip(batch, results, strict=True):
            if not isinstance(features, ImageError):
                maps = network.project(features, place)
                found[place] = (turn_back(pictures[place], view), turn_back(maps, view))
        num_done += len(batch)
        if progress is not None:
            progress(num_done, len(places))
    return found

"""The backbone's feature maps, seen through the heads of the folds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from foveal.errors import FovealError, ImageError
from foveal.explanation.cell_centres import CellCentres, even_centres, find_centres
from foveal.features import num_cores, stream_batches
from foveal.features.feature_maps import FeatureMaps
from foveal.graph import head, trace

if TYPE_CHECKING:
    from foveal.training import TrainedClassifier

Images = NDArray[np.float32]


class HeldOutNetwork:
    """The backbone with, for each picture, the head of the fold that it was held out of."""

    def __init__(
        self, features: FeatureMaps, trained: TrainedClassifier, centres: CellCentres
    ) -> None:
        self.features = features
        self.centres = centres
        self._fold_index = trained.judged.fold_index
        self._weights = np.stack([head.weight for head in trained.judged.fold_heads])
        self.biases = np.stack([head.bias for head in trained.judged.fold_heads])

    def project(self, features: Images, place: int) -> Images:
        """Returns the class activation maps [K, h, w] of one picture's features [D, h, w]."""
        flat = features.reshape(len(features), -1)
        maps: Images = (self._weights[self._fold_index[place]] @ flat).reshape(
            -1, *features.shape[1:]
        )
        return maps

    def logits(self, images: Images, places: NDArray[np.int64]) -> NDArray[np.float64]:
        """Returns logits [n, K] of pictures [n, 3, H, W]."""
        rows = []
        batches = stream_batches(
            range(len(images)),
            lambda row: images[row],
            lambda batch: list(self.features(batch)),
            num_concurrent=num_cores(),
            num_workers=num_cores(),
        )
        for batch, results in batches:
            for row, features in zip(batch, results, strict=True):
                if not isinstance(features, ImageError):
                    rows.append(self.project(features, int(places[row])).mean((1, 2)))
        logits: NDArray[np.float64] = np.stack(rows) + self.biases[self._fold_index[places]]
        return logits


def find_run_centres(trained: TrainedClassifier, features: FeatureMaps) -> CellCentres:
    """Returns where the cells of the run's maps lie; turned views are averaged, so evenly."""
    size = trained.preprocessing.height_px, trained.preprocessing.width_px
    rows, columns = features(np.zeros((1, 3, *size), np.float32)).shape[2:]
    if trained.config.views != ("identity",):
        # Turned back, the cells of the views do not fall on one another.
        return even_centres((rows, columns), size)
    try:
        graph = trace(trained.backbone.network, (3, *size))
        layer = head(graph).features
    except FovealError:
        return even_centres((rows, columns), size)
    return find_centres(trained.backbone.network, graph, layer or "", (rows, columns), size)

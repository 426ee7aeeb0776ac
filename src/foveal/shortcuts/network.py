"""The backbone's feature maps, seen through the models of the folds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from foveal.errors import FovealError, ImageError
from foveal.explanation.cell_centres import CellCentres, even_centres
from foveal.explanation.measured_centres import find_centres
from foveal.features import num_cores, stream_batches
from foveal.features.feature_maps import FeatureMaps
from foveal.graph import head, trace

if TYPE_CHECKING:
    from foveal.training import TrainedClassifier

Images = NDArray[np.float32]
Floats = NDArray[np.float64]
Stages = tuple[Images, ...]


class HeldOutNetwork:
    """The backbone with, for each image, the model of the fold that it was held out of."""

    def __init__(self, maps: FeatureMaps, trained: TrainedClassifier, centres: CellCentres) -> None:
        self.centres = centres
        self._maps = maps
        self._fold_index = trained.judged.fold_index
        self._models = trained.judged.fold_models
        exact = [model.exact_map() for model in self._models]
        self._exact = None if None in exact else [one for one in exact if one is not None]
        self._modules = [] if self._exact else [model.module() for model in self._models]
        self._reads_last = not trained.model.reading.stages

    @property
    def is_exact(self) -> bool:
        """Whether the mean of a map plus a bias is the logit, and not only near an image."""
        return self._exact is not None

    def features(self, images: Images) -> list[Stages]:
        """Returns for each image the feature maps [C, h, w] that the models read."""
        maps = self._maps(images)
        return list(zip(*(maps[-1:] if self._reads_last else maps), strict=True))

    def biases(self, positions: NDArray[np.int64], maps: Images, logits: Floats) -> Images:
        """Returns what the means of ``maps [n, K, h, w]`` lack of the logits, [n, K].

        A model that is not linear has no bias of its own: there it is what the recorded
        ``logits`` [n, K] say.
        """
        if self._exact is None:
            missing: Images = (logits - maps.mean((2, 3), dtype=np.float64)).astype(np.float32)
            return missing
        return np.stack([one.bias for one in self._exact])[self._fold_index[positions]]

    def project(self, features: Stages, position: int) -> Images:
        """Returns the class activation maps [K, h, w] of one image's features.

        Maps of several stages are added up on the last one's positions; each keeps its mean. Where
        the model is not linear, the gradient at the image's own features stands for its
        weights (Grad-CAM, Selvaraju et al. 2017, without its ReLU).
        """
        fold = self._fold_index[position]
        exact = self._exact
        weights = self._gradient(features, fold) if exact is None else exact[fold].weight
        grid = features[-1].shape[1:]
        ends = np.cumsum([len(one) for one in features])
        total: Images = np.zeros((len(weights), *grid), np.float32)
        for one, end in zip(features, ends, strict=True):
            flat = one.reshape(len(one), -1)
            maps = (weights[:, end - len(one) : end] @ flat).reshape(-1, *one.shape[1:])
            total = maps if len(features) == 1 else total + shrink(maps, grid)
        return total

    def _gradient(self, features: Stages, fold: int) -> Images:
        """Returns the derivative [K, T] of the logits by the pooled features."""
        import torch

        pooled = torch.from_numpy(pool(features)[None]).requires_grad_()
        logits = self._modules[fold](pooled)[0]
        rows = [torch.autograd.grad(one, pooled, retain_graph=True)[0][0] for one in logits]
        weights: Images = torch.stack(rows).numpy()
        return weights

    def logits(self, images: Images, positions: NDArray[np.int64]) -> NDArray[np.float64]:
        """Returns logits [n, K] of images [n, 3, H, W]."""
        rows = []
        batches = stream_batches(
            range(len(images)),
            lambda row: images[row],
            self.features,
            num_concurrent=num_cores(),
            num_workers=num_cores(),
        )
        for batch, results in batches:
            for row, features in zip(batch, results, strict=True):
                if not isinstance(features, ImageError):
                    model = self._models[self._fold_index[positions[row]]]
                    rows.append(model.logits(pool(features)[None])[0])
        return np.stack(rows)


def pool(features: Stages) -> Images:
    """Returns the means over positions of feature maps [C, h, w], one after the other: [T]."""
    means: Images = np.concatenate([one.mean((1, 2)) for one in features])
    return means


def shrink(maps: Images, grid: tuple[int, ...]) -> Images:
    """Returns maps [K, h, w] on a coarser grid, averaged by area, so that each keeps its mean.

    >>> shrink(np.arange(6.0, dtype=np.float32).reshape(1, 1, 6), (1, 2))
    array([[[1., 4.]]], dtype=float32)
    """
    rows, columns = (
        _overlap(length, wanted) for length, wanted in zip(maps.shape[1:], grid, strict=True)
    )
    smaller: Images = (rows @ maps @ columns.T).astype(np.float32)
    return smaller


def _overlap(length: int, wanted: int) -> Floats:
    """Returns [wanted, length]: by how much of its length each new cell covers each old one."""
    old, new = np.arange(length + 1) / length, np.arange(wanted + 1) / wanted
    starts = np.maximum(new[:-1, None], old[:-1])
    ends = np.minimum(new[1:, None], old[1:])
    shares: Floats = np.clip(ends - starts, 0, None) * wanted
    return shares


def find_run_centres(trained: TrainedClassifier, features: FeatureMaps) -> CellCentres:
    """Returns where the cells of the run's maps lie; turned views are averaged, so evenly."""
    size = trained.preprocessing.height_px, trained.preprocessing.width_px
    rows, columns = features(np.zeros((1, 3, *size), np.float32))[-1].shape[2:]
    if trained.model.reading.views != ("identity",):
        # Turned back, the cells of the views do not fall on one another.
        return even_centres((rows, columns), size)
    try:
        graph = trace(trained.backbone.network, (3, *size))
        layer = head(graph).features
    except FovealError:
        return even_centres((rows, columns), size)
    return find_centres(trained.backbone.network, graph, layer or "", (rows, columns), size)

"""What is to be learnt, from what, and which images may learn from which."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from foveal.features.reading import Reading
from foveal.training.config import ClassWeights
from foveal.training.solver import balanced_weights, is_imbalanced

FeatureSource = Callable[[Reading], NDArray[np.float32]]
"""Gives the results of the frozen network for every usable image, [N, ...], float32."""


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """N labelled images, what the frozen network gave for them, and their folds.

    Attributes:
        source: Gives the frozen network's results; asked through :meth:`read`.
        rows: [N], the images' rows in what ``source`` gives (for a training, their rows among
            the usable images of the manifest).
        labels: [N], below ``num_classes``.
        groups: [N]; images of one group are never on both sides of a fold.
        fold_index: [N], from 0. Images of fold ``f`` are judged by a model that saw none of
            them. −1: trained on and never judged; that is how a hold-out is said.
        class_names: K names.
        class_weights: How classes count.
        seed: Fixes inner folds and draws.
    """

    source: FeatureSource
    rows: NDArray[np.int64]
    labels: NDArray[np.int64]
    groups: NDArray[np.int64]
    fold_index: NDArray[np.int64]
    class_names: tuple[str, ...]
    class_weights: ClassWeights = "none"
    seed: int = 0

    @classmethod
    def of_features(
        cls,
        features: NDArray[np.float32],
        labels: NDArray[np.int64],
        *,
        num_classes: int,
        groups: NDArray[np.int64] | None = None,
        fold_index: NDArray[np.int64] | None = None,
        class_weights: ClassWeights = "none",
        seed: int = 0,
    ) -> Problem:
        """Returns the problem of a table of features [N, D], whatever reading is asked for.

        Without groups every image stands alone; without folds all are trained on. Classes are
        called by their numbers. Classes are
        called by their numbers.
        """
        alone = np.arange(len(labels))
        return cls(
            source=lambda reading: features,
            rows=alone,
            labels=labels,
            groups=alone if groups is None else groups,
            fold_index=np.full(len(labels), -1) if fold_index is None else fold_index,
            class_names=tuple(map(str, range(num_classes))),
            class_weights=class_weights,
            seed=seed,
        )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def num_classes(self) -> int:
        """K."""
        return len(self.class_names)

    @property
    def num_folds(self) -> int:
        """How many folds are judged."""
        return int(self.fold_index.max()) + 1

    @property
    def is_holdout(self) -> bool:
        """Whether some images are only trained on."""
        return bool((self.fold_index < 0).any())

    def read(self, reading: Reading) -> NDArray[np.float32]:
        """Returns the frozen network's results for these images, [N, ...]."""
        return self.source(reading)[self.rows]

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Problem:
        """Returns the problem of some of the images, with the folds they have.

        How classes count is decided by the images that are taken.
        """
        return replace(
            self,
            rows=self.rows[rows],
            labels=self.labels[rows],
            groups=self.groups[rows],
            fold_index=self.fold_index[rows],
        )

    def with_folds(self, fold_index: NDArray[np.int64]) -> Problem:
        """Returns the same images in other folds."""
        return replace(self, fold_index=fold_index)

    def decided_weights(self) -> Literal["balanced", "none"]:
        """Returns how classes count; ``"auto"`` depends on how many images each has."""
        if self.class_weights != "auto":
            return self.class_weights
        labels = torch.from_numpy(self.labels)
        return "balanced" if is_imbalanced(labels, num_classes=self.num_classes) else "none"

    def row_weights(self, masks: NDArray[np.bool_]) -> torch.Tensor:
        """Returns weights [M, N], float32: the masks [M, N], balanced over classes if decided."""
        rows = torch.from_numpy(masks).float()
        if self.decided_weights() == "none":
            return rows
        labels = torch.from_numpy(self.labels)
        return balanced_weights(labels, rows, num_classes=self.num_classes)

"""One linear head over frozen features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from foveal.training.config import ClassWeights
from foveal.training.solver import balanced_weights, fit_heads, is_imbalanced


@dataclass(frozen=True, slots=True)
class LinearHead:
    """``logits = features @ weight.T + bias``, over raw (not standardised) features.

    Attributes:
        weight: [K, D], float32.
        bias: [K], float32.
        penalty: The L2 strength it was fitted with.
    """

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    penalty: float

    def logits(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Returns logits [N, K] for ``features [N, D]``."""
        result: NDArray[np.float64] = (features @ self.weight.T + self.bias).astype(np.float64)
        return result


def fit_head(
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    *,
    penalty: float,
    num_classes: int,
    class_weights: ClassWeights,
) -> LinearHead:
    """Fits the head of a given strength on all rows, to a tighter tolerance than in search.

    Args:
        features: [N, D].
        labels: [N], below ``num_classes``.
        penalty: L2 strength.
        num_classes: K.
        class_weights: How classes count.
    """
    rows = torch.ones(1, len(labels))
    targets = torch.from_numpy(labels)
    heads = fit_heads(
        torch.from_numpy(features),
        targets,
        weights=row_weights(targets, rows, num_classes=num_classes, class_weights=class_weights),
        penalties=torch.tensor([penalty]),
        num_classes=num_classes,
        tolerance=1e-5,
    )
    return LinearHead(heads.weight[0].numpy(), heads.bias[0].numpy(), penalty)


def row_weights(
    labels: torch.Tensor, masks: torch.Tensor, *, num_classes: int, class_weights: ClassWeights
) -> torch.Tensor:
    """Returns weights [P, N]: the masks, balanced over classes where that was chosen."""
    if decide_class_weights(labels, num_classes=num_classes, chosen=class_weights) == "none":
        return masks
    return balanced_weights(labels, masks, num_classes=num_classes)


def decide_class_weights(
    labels: torch.Tensor, *, num_classes: int, chosen: ClassWeights
) -> Literal["balanced", "none"]:
    """Returns what ``"auto"`` means for these labels; other choices as they are."""
    if chosen != "auto":
        return chosen
    return "balanced" if is_imbalanced(labels, num_classes=num_classes) else "none"

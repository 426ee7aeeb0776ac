"""Where, on average over many images, a classifier tells one class from the others.

With a pooled linear head the logit of class k for image n is the mean of its class
activation map plus a bias (Zhou et al. 2016, equation 2). What separates the classes is
therefore itself a mean over positions::

    E[logit_k | n in k] - E[logit_k | n not in k]
        = mean over positions of  E[map_k | n in k] - E[map_k | n not in k]

The bias and everything that all images share cancel. A finding that lies now here, now
there gives a broad map; a mark that always sits at one position gives a peak at that position.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foveal.schema import Unbounded
from foveal.shortcuts.windows import outer_ring

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class HeldOutMaps:
    """Class activation maps of images by heads that had not seen them.

    Attributes:
        signed: [n, K, h, w]; the mean of each over its positions, plus ``bias``, is the logit.
        bias: [n, K].
        labels: [n], the true classes.
    """

    signed: NDArray[np.float32]
    bias: NDArray[np.float32]
    labels: NDArray[np.int64]

    @property
    def logits(self) -> Floats:
        """[n, K]."""
        means: Floats = self.signed.mean((2, 3), dtype=np.float64) + self.bias
        return means

    @property
    def grid(self) -> tuple[int, int]:
        """(h, w)."""
        return int(self.signed.shape[2]), int(self.signed.shape[3])


@dataclass(frozen=True, slots=True, eq=False)
class ClassSeparation:
    """Where one class is told from the others.

    Attributes:
        class_index: Which class.
        num_images: Images of the class that were looked at.
        values: [h, w]; the mean is ``gap``. Negative where a position speaks against the class
            in its own images.
        gap: By how much the class's logit is higher in its own images.
        gap_error: Standard error of ``gap``.
        outside_share: Share of what is positive in ``values`` that lies outside the central
            region; None where nothing is.
        outside_area: That region's share of the image: what a map without preference has.
    """

    class_index: int
    num_images: int
    values: Floats
    gap: float
    gap_error: Unbounded
    outside_share: float | None
    outside_area: float


def separate(maps: HeldOutMaps, class_index: int) -> ClassSeparation:
    """Returns where ``class_index`` is told from the other classes.

    Both the class and the others need at least one image.
    """
    inside = maps.labels == class_index
    own = maps.signed[inside, class_index].astype(np.float64)
    others = maps.signed[~inside, class_index].astype(np.float64)
    values = own.mean(0) - others.mean(0)
    positive = np.clip(values, 0.0, None)
    outside = outer_ring(maps.grid)
    total = float(positive.sum())
    return ClassSeparation(
        class_index=class_index,
        num_images=int(inside.sum()),
        values=values,
        gap=float(values.mean()),
        gap_error=standard_error(own.mean((1, 2)), others.mean((1, 2))),
        outside_share=float(positive[outside].sum()) / total if total > 0 else None,
        outside_area=float(outside.mean()),
    )


def standard_error(first: Floats, second: Floats) -> float:
    """Returns the standard error of the difference of two means (Welch 1947)."""
    parts = [
        float(values.var(ddof=1)) / len(values) for values in (first, second) if len(values) > 1
    ]
    return float(np.sqrt(sum(parts))) if len(parts) == 2 else float("inf")

"""What an explanation is: a map over one image, and whether it can be believed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

ASKED_FOR = "It was asked for."
"""The reason for a layer that the caller named."""

CheckName = Literal["completeness", "deletion", "insertion", "randomisation", "blank"]
CheckStatus = Literal["passed", "failed", "unavailable"]
VerdictLevel = Literal["supported", "doubtful", "refuted", "untested"]


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Where in one image one class's score comes from.

    Attributes:
        method: How it was made: a name of ``foveal.explanation.methods.METHODS``.
        layer: Name of the operation whose result was weighed, as in the graph; ``"input"``
            for methods that look at the pixels.
        layer_reason: Why that layer: as one sentence.
        class_index: Which output it explains.
        logit: That output's value, before any softmax.
        values: [h, w], float32, at the layer's own resolution; never negative. The unit is
            the method's own, so only maps of one method and one network compare.
        signed: [h, w], float32, before negative values were cut off, where the method has
            such a map; for ``"cam"`` its mean plus ``bias`` is the logit.
        bias: What the head adds whatever the image shows; None where the logit is not a
            mean of the map plus a number.
        image_size_px: (H, W) of the image that the network saw.
    """

    method: str
    layer: str
    layer_reason: str
    class_index: int
    logit: float
    values: NDArray[np.float32]
    signed: NDArray[np.float32] | None
    bias: float | None
    image_size_px: tuple[int, int]

    @property
    def is_blank(self) -> bool:
        """Whether no position has any value."""
        return not bool((self.values > 0).any())


@dataclass(frozen=True, slots=True)
class Check:
    """One test of a map.

    Attributes:
        name: Which test.
        status: ``unavailable`` where it has no meaning here; ``sentence`` then says why.
        value: What was measured; None where unavailable.
        reference: What it is measured against (chance, a limit); None where there is none.
        sentence: The outcome in words, with its figures.
    """

    name: CheckName
    status: CheckStatus
    value: float | None
    reference: float | None
    sentence: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a map can be believed.

    Attributes:
        level: ``supported`` where no test failed and deletion or insertion passed.
        sentence: What the map shows, or why it cannot be believed, for any reader.
        checks: The tests, in a fixed order.
    """

    level: VerdictLevel
    sentence: str
    checks: tuple[Check, ...]

"""What activation maximisation gives."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from foveal.visualisation.objectives import Objective
from foveal.visualisation.pixels import PixelScale
from foveal.visualisation.settings import Ascent


@dataclass(frozen=True, slots=True)
class Maximised:
    """A picture that excites one channel, direction or class.

    Attributes:
        objective: What was sought. Its value is a logit, the value in the centre, or over all
            places the mean with what is negative counted at a tenth.
        image: Float32 [C, H, W] in 0..1, to be looked at as it is.
        activations: The objective before each step, float32 [num_steps]; of the moved
            picture, hence uneven. Its sign is turned where the least was sought.
        first: The objective of the first picture, not moved.
        last: The objective of ``image``, not moved.
        target: Name of the operation whose result was read.
        target_reason: Why that one, as one sentence.
        reason: Why the picture shows nothing; None where it does.
        scale: How its values were given to the network.
        ascent: How it was sought.
        seconds: What it took; of a batch, its share.
    """

    objective: Objective
    image: NDArray[np.float32] = field(repr=False)
    activations: NDArray[np.float32] = field(repr=False)
    first: float
    last: float
    target: str
    target_reason: str
    reason: str | None
    scale: PixelScale
    ascent: Ascent
    seconds: float

    @property
    def is_blank(self) -> bool:
        """Whether no gradient ever reached the picture."""
        return self.reason is not None

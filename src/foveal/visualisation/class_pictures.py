"""One picture for each class of a classifier: what would please it most.

Where a classifier has learned a marker instead of the matter (a label burnt into the images of
one class, the colour of one scanner's frame), the marker may turn up in that class's picture.
It does in networks trained on such images throughout. A linear head on frozen features weighs
features that were learned elsewhere, so its pictures show those, and the marker need not be
recognisable among them: a picture without marker proves nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from foveal.errors import UsageError
from foveal.text import count_noun
from foveal.visualisation.maximised import Maximised
from foveal.visualisation.maximising import Progress, maximise_each
from foveal.visualisation.objectives import ClassLogit
from foveal.visualisation.pixels import PixelScale
from foveal.visualisation.prepared import prepared
from foveal.visualisation.settings import Ascent

# A marker's colour matters more here than a natural look.
CLASS_ASCENT = Ascent(colour_decay=0.5)


@dataclass(frozen=True, slots=True)
class ClassPictures:
    """The maximising picture of every class.

    Attributes:
        pictures: One a class, in the order of the outputs.
        logits: Row k holds all logits of the picture of class k, float32 [K, K]. A row whose
            largest value is not on the diagonal is a class that the search did not reach.
    """

    pictures: tuple[Maximised, ...]
    logits: NDArray[np.float32] = field(repr=False)

    @property
    def are_recognised(self) -> tuple[bool, ...]:
        """For each class, whether the network gives its own picture that class."""
        return tuple(bool(row.argmax() == index) for index, row in enumerate(self.logits))


def maximise_classes(
    model: torch.nn.Module,
    class_names: Sequence[str],
    *,
    ascent: Ascent | None = None,
    scale: PixelScale | None = None,
    batch_size: int = 16,
    progress: Progress | None = None,
) -> ClassPictures:
    """Returns the picture that each class of a classifier likes most.

    Args:
        model: A classifier with one logit a class, such as the network of a run folder.
        class_names: K names, in the order of the logits; for captions.
        ascent: Size, steps and the rest; ``CLASS_ASCENT``, of vivid colours, if None.
        scale: From 0..1 to the network's numbers; for a run, ``PixelScale.of`` its
            preprocessing.
        batch_size: How many classes climb together.
        progress: Called after every step with the steps done and their total.

    Raises:
        UsageError: The classifier has another number of classes.
        The errors of :func:`maximise`.
    """
    objectives = tuple(ClassLogit(index, name) for index, name in enumerate(class_names))
    settings = ascent or CLASS_ASCENT
    with prepared(model, settings, scale) as workshop:
        target = workshop.target(ClassLogit(0))
        if target.num_channels != len(class_names):
            raise UsageError(
                f"{count_noun(len(class_names), 'class name')} came for a network of "
                f"{count_noun(target.num_channels, 'class', 'classes')}.",
                next_step="Give one name for each output, in their order.",
            )
    pictures = maximise_each(
        model,
        objectives,
        ascent=settings,
        scale=scale,
        batch_size=batch_size,
        progress=progress,
    )
    with prepared(model, settings, scale) as workshop, torch.no_grad():
        slope = workshop.slope(workshop.target(ClassLogit(0)))
        rows = [
            slope.all_values(torch.from_numpy(picture.image)[None].to(slope.device))
            for picture in pictures
        ]
    return ClassPictures(pictures, torch.cat(rows).cpu().numpy())

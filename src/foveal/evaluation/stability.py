"""How stable a classifier's answer is when the image moves by a few pixels.

Strided layers sample a moved image on another grid, so that the answer of a convolutional
network may change although nothing in the image did (Azulay and Weiss 2019, JMLR 20,
"Why do deep convolutional networks generalize so poorly to small image transformations?";
consistency as in Zhang 2019, ICML, "Making Convolutional Networks Shift-Invariant Again").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from foveal.draw.numbers import percent as percent_of
from foveal.errors import UsageError
from foveal.evaluation.evidence import ShiftStability, Stability
from foveal.evaluation.inputs import Floats, Ints, as_probabilities, as_rows, compact
from foveal.evaluation.intervals import expanded_percentiles, proportion
from foveal.evaluation.resampling import group_sums, resampled_sums
from foveal.evaluation.wording import compare, describe_interval
from foveal.text import count_noun

if TYPE_CHECKING:
    from foveal.images.views import Border

Directions = Literal["four", "in turn"]

_DIRECTIONS = ((0, 1), (1, 0), (0, -1), (-1, 0))  # right, down, left, up
_NUM_RESAMPLES = 2000


def decision_consistency(
    predict: Callable[[NDArray[Any]], ArrayLike],
    images: NDArray[Any],
    *,
    shifts_px: Sequence[int] = (1, 2, 4, 8),
    border: Border = "reflect",
    directions: Directions = "four",
    groups: ArrayLike | None = None,
    num_seen: int = 0,
    seed: int = 0,
) -> Stability:
    """Moves images and counts how many keep the class that was answered for them in place.

    The strip that opens up at the edge is filled by reflection unless told otherwise: that
    invents no edge, and needs no larger images, which a network that is shown the whole
    image does not have. It is not what a moved camera would see; ``border="crop"`` is.

    Args:
        predict: Maps images ``[N, C, H, W]`` to probabilities ``[N, K]``. Called once on the
            images in place, and once for each shift and direction.
        images: ``[N, C, H, W]``; with ``border="crop"`` as much larger on each side as the
            largest shift.
        shifts_px: By how many pixels of the network's input.
        border: See ``foveal.images.views.Border``.
        directions: ``"four"`` moves every image right, down, left and up; ``"in turn"``
            moves each in one of these only, at a quarter of the cost.
        groups: Group of each image, for the interval; each by itself if None.
        num_seen: How many of the images the classifier was trained on, for the record.
        seed: Of the bootstrap.

    Returns:
        For each shift the share that keeps its answer and the mean change of that answer's
        probability, each with the 95% sampling interval over groups of images: what
        other images like these would give.

    Raises:
        UsageError: No images, a shift that is none, or answers of the wrong shape.
    """
    from foveal.images.views import shift

    if images.ndim != 4 or not len(images):
        raise UsageError(f"images: got shape {images.shape}, expected [N, C, H, W].")
    if not shifts_px or min(shifts_px) < 1:
        raise UsageError(f"shifts_px: got {tuple(shifts_px)}, expected whole numbers from 1 on.")
    num_images = len(images)
    margin_px = max(shifts_px) if border == "crop" else 0
    members = (
        np.arange(num_images)
        if groups is None
        else compact(as_rows(groups, num_images=num_images, name="groups"))[0]
    )

    def moved(distance_px: int, turn: int) -> NDArray[Any]:
        """Returns all images, each moved in its direction of this turn."""
        result = []
        for number, image in enumerate(images):
            down, right = (step * distance_px for step in _DIRECTIONS[(turn + number) % 4])
            result.append(shift(image, down, right, border=border, margin_px=margin_px))
        return np.stack(result)

    still = as_probabilities(predict(moved(0, 0)))
    answers = still.argmax(1)
    rows = np.arange(num_images)
    found = []
    for number, distance_px in enumerate(shifts_px):
        turns = range(4) if directions == "four" else (number,)
        kept, changes = np.zeros(num_images), np.zeros(num_images)
        for turn in turns:
            after = as_probabilities(predict(moved(distance_px, turn)))
            if after.shape != still.shape:
                raise UsageError(
                    f"predict gave {after.shape} for the moved images and {still.shape} before."
                )
            kept += after.argmax(1) == answers
            changes += np.abs(after[rows, answers] - still[rows, answers])
        found.append(_summed(distance_px, kept, changes, members, len(turns), seed))
    return Stability(
        num_images=num_images,
        num_groups=len(np.unique(members)),
        num_seen=num_seen,
        size_px=(images.shape[2] - 2 * margin_px, images.shape[3] - 2 * margin_px),
        border=border,
        directions=directions,
        shifts=tuple(found),
    )


def _summed(
    distance_px: int, kept: Floats, changes: Floats, groups: Ints, num_turns: int, seed: int
) -> ShiftStability:
    """Returns one shift's figures from sums over turns by image, shape [N]."""
    trials = np.full(len(kept), float(num_turns))
    sums = group_sums(groups, np.stack([kept, changes, trials], axis=1))
    resampled = resampled_sums(sums, num_resamples=_NUM_RESAMPLES, seed=seed)
    return ShiftStability(
        shift_px=int(distance_px),
        kept=proportion(sums[:, 0], sums[:, 2], resampled[:, 0] / resampled[:, 2]),
        probability_change=expanded_percentiles(
            float(changes.sum() / trials.sum()),
            resampled[:, 1] / resampled[:, 2],
            num_groups=len(sums),
        ),
    )


def describe_stability(stability: Stability) -> str:
    """Returns whether the answers survive small shifts, as sentences."""
    first, last = stability.shifts[0], stability.shifts[-1]
    kept = f"{describe_interval(first.kept)} keep their answer when moved by {first.shift_px} px"
    if last is not first:
        kept += f", and {describe_interval(last.kept)} when moved by {last.shift_px} px"
    sentences = [f"Of {count_noun(stability.num_images, 'image')}, {kept}."]
    lows = [item.kept.low for item in stability.shifts]
    known = [low for low in lows if low is not None]
    if len(known) < len(lows) or first.kept.high is None:
        sentences.append("There are too few independent images to say what others would do.")
        return " ".join(sentences)
    sentences.append(
        f"So at least {percent_of(min(known), digits=1)} of images like these keep it under "
        "such a move."
    )
    # That some answer changes is no news; a hundredth of them is.
    if 1.0 - first.kept.high >= 0.01:
        sentences.append(
            f"A move of {first.shift_px} px alone changes it for at least "
            f"{percent_of(1.0 - first.kept.high, digits=1)}."
        )
    if last is not first and compare(first.kept, last.kept) == "higher":
        sentences.append("Larger moves change it more often.")
    change = last.probability_change.estimate
    if change is not None:
        sentences.append(
            f"The probability of the answer moves by {100 * change:.1f} points on average at "
            f"{last.shift_px} px."
        )
    return " ".join(sentences)

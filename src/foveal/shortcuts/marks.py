"""Marks at a fixed position that give a class away: suspected from maps, tried by covering.

A label burnt into a corner, a ruler, a vendor's frame: a classifier takes what predicts, and
such a mark predicts until the next camera arrives (Geirhos et al. 2020, "Shortcut learning in
deep neural networks"). Three things must hold before a region is named:

1. a window at the image's border holds at least twice its share of what separates the class;
2. it holds more than the regions opposite it, which a finding spread over the image would
   fill alike (Welch's t over images);
3. covering it takes the class's images from their class, at least twice as far as covering
   the regions opposite does, and by a sizeable part of what separates the classes.

The third is an experiment on the network itself and decides; it also tells whose mark it is,
since covering a mark that is not there changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from foveal.draw.numbers import percent
from foveal.schema import Unbounded
from foveal.shortcuts.separation import ClassSeparation, Floats, HeldOutMaps, standard_error
from foveal.shortcuts.windows import MIN_CELLS, Box, Window, border_windows
from foveal.text import count_noun, printable

if TYPE_CHECKING:
    from foveal.shortcuts.network import HeldOutNetwork, Images

MIN_IMAGES = 8
"""Images that a class needs, and the others together too."""

_MIN_TIMES_AREA = 2.0
_MIN_SHARE = 0.15
_MIN_T = 4.0
_MIN_GAP_T = 3.0
_MIN_COVER_T = 3.0
_MIN_COVER_SHARE = 0.15
_MIN_TIMES_ELSEWHERE = 2.0
_RING_PX = 4


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A window that holds conspicuously much of what separates a class.

    Attributes:
        class_index: Which class.
        window: Where.
        share: Share of the gap between the class and the others that it holds.
        contrast_t: Welch's t of the window against the regions opposite it.
    """

    class_index: int
    window: Window
    share: float
    contrast_t: Unbounded


@dataclass(frozen=True, slots=True)
class CoverTrial:
    """What covering a window does to images of one class, against covering opposite ones.

    Attributes:
        num_images: Images of the class, all that were looked at.
        num_right: How many of them were answered rightly before.
        num_changed: How many right answers became wrong ones.
        num_changed_elsewhere: The same, on average over the windows opposite.
        loss: By how much the class's lead over the runner-up fell, in logits, on average.
        loss_elsewhere: The same for the windows opposite.
        excess_t: Paired t of the difference.
    """

    num_images: int
    num_right: int
    num_changed: int
    num_changed_elsewhere: float
    loss: float
    loss_elsewhere: float
    excess_t: Unbounded


@dataclass(frozen=True, slots=True)
class Shortcut:
    """A region that gives a class away; see the module for what had to hold."""

    suspicion: Suspicion
    box: Box
    trial: CoverTrial


def is_told_apart(maps: HeldOutMaps, separation: ClassSeparation) -> bool:
    """Whether the gap is more than chance, on enough images to say so."""
    num_inside = int((maps.labels == separation.class_index).sum())
    enough = min(num_inside, len(maps.labels) - num_inside) >= MIN_IMAGES
    return enough and separation.gap > _MIN_GAP_T * separation.gap_error


def suspect(maps: HeldOutMaps, separation: ClassSeparation) -> tuple[Suspicion, ...]:
    """Returns the conspicuous windows for a class, the most conspicuous first."""
    if min(maps.grid) < MIN_CELLS or not is_told_apart(maps, separation):
        return ()
    inside = maps.labels == separation.class_index
    signed = maps.signed[:, separation.class_index].astype(np.float64)
    total = float(separation.values.sum())
    found: list[Suspicion] = []
    for window in border_windows(maps.grid):
        share = float(separation.values[window.slices].sum()) / total
        if share < max(_MIN_SHARE, _MIN_TIMES_AREA * window.cell_share):
            continue
        opposite = np.mean([_sums(signed, other) for other in window.mirrored()], axis=0)
        contrast = _sums(signed, window) - opposite
        own, others = contrast[inside], contrast[~inside]
        error = standard_error(own, others)
        t = float(own.mean() - others.mean()) / error if error > 0 else float("inf")
        if t >= _MIN_T:
            found.append(Suspicion(separation.class_index, window, share, t))
    return tuple(sorted(found, key=lambda one: -one.share))


def judge_trial(
    before: Floats, covered: Floats, elsewhere: Sequence[Floats], class_index: int
) -> CoverTrial:
    """Returns what covering did to images of one class.

    Args:
        before: [n, K], logits of the images as they are.
        covered: [n, K], with the window covered.
        elsewhere: For each window opposite, [n, K] with that one covered.
        class_index: The class of all n images.
    """
    lead = _lead(before, class_index)
    loss = lead - _lead(covered, class_index)
    loss_elsewhere = np.mean([lead - _lead(one, class_index) for one in elsewhere], axis=0)
    excess = loss - loss_elsewhere
    error = float(excess.std(ddof=1)) / len(excess) ** 0.5 if len(excess) > 1 else float("inf")
    right = lead > 0

    def num_changed(logits: Floats) -> int:
        return int((right & (_lead(logits, class_index) <= 0)).sum())

    return CoverTrial(
        num_images=len(before),
        num_right=int(right.sum()),
        num_changed=num_changed(covered),
        num_changed_elsewhere=float(np.mean([num_changed(one) for one in elsewhere])),
        loss=float(loss.mean()),
        loss_elsewhere=float(loss_elsewhere.mean()),
        excess_t=float(excess.mean()) / error if error > 0 else float("inf"),
    )


def is_confirmed(trial: CoverTrial, *, gap: float) -> bool:
    """Whether covering says that the classifier relies on the window.

    Args:
        trial: What covering did.
        gap: What separates the class from the others, in logits.
    """
    excess = trial.loss - trial.loss_elsewhere
    return (
        trial.excess_t >= _MIN_COVER_T
        and excess >= _MIN_COVER_SHARE * gap
        and trial.loss > _MIN_TIMES_ELSEWHERE * max(0.0, trial.loss_elsewhere)
    )


def cover(images: NDArray[np.float32], box: Box) -> NDArray[np.float32]:
    """Returns ``images`` [n, 3, H, W] with a rectangle painted over.

    It takes the mean colour of the pixels just around it, so that no new edge stands out
    more than need be.
    """
    rows, columns = box.pixels(*images.shape[2:])
    ring = np.zeros(images.shape[2:], np.bool_)
    ring[
        max(0, rows.start - _RING_PX) : rows.stop + _RING_PX,
        max(0, columns.start - _RING_PX) : columns.stop + _RING_PX,
    ] = True
    ring[rows, columns] = False
    covered = images.copy()
    covered[:, :, rows, columns] = images[:, :, ring].mean(2)[:, :, None, None]
    return covered


def _sums(signed: Floats, window: Window) -> Floats:
    sums: Floats = signed[:, window.slices[0], window.slices[1]].sum((1, 2))
    return sums


def _lead(logits: Floats, class_index: int) -> Floats:
    """Returns by how much a class leads the best of the others [n]."""
    others = np.delete(logits, class_index, axis=1).max(1)
    lead: Floats = logits[:, class_index] - others
    return lead


_MAX_CLASSES_TRIED = 3
_MAX_REGIONS_TRIED = 2
MAX_PER_TRIAL = 12
_ECHO_SHARE = 0.4


def find_shortcuts(
    maps: HeldOutMaps,
    separations: tuple[ClassSeparation, ...],
    network: HeldOutNetwork,
    images: Images,
    positions: NDArray[np.int64],
) -> tuple[Shortcut, ...]:
    """Returns at most one region a class, confirmed by covering."""
    suspected = [(one, windows) for one in separations if (windows := suspect(maps, one))]
    suspected.sort(key=lambda pair: -pair[1][0].share)
    found = []
    for separation, windows in suspected[:_MAX_CLASSES_TRIED]:
        rows = np.flatnonzero(maps.labels == separation.class_index)[:MAX_PER_TRIAL]
        # A unit sees beyond its cell, so on a coarse grid the mark may lie in the next one.
        for suspicion in windows[:_MAX_REGIONS_TRIED]:
            trial = _try_covering(
                suspicion, maps.logits[rows], network, images[rows], positions[rows]
            )
            if is_confirmed(trial, gap=separation.gap):
                size = images.shape[2], images.shape[3]
                box = suspicion.window.box(network.centres, size)
                found.append(Shortcut(suspicion, box, trial))
                break
    # What a mark of one class says against it, the others gain: a faint echo of the same region.
    most = max((one.trial.loss for one in found), default=0.0)
    return tuple(one for one in found if one.trial.loss >= _ECHO_SHARE * most)


def _try_covering(
    suspicion: Suspicion,
    before: NDArray[np.float64],
    network: HeldOutNetwork,
    images: Images,
    positions: NDArray[np.int64],
) -> CoverTrial:
    def covered(window: Window) -> NDArray[np.float64]:
        box = window.box(network.centres, (images.shape[2], images.shape[3]))
        return network.logits(cover(images, box), positions)

    window = suspicion.window
    elsewhere = [covered(other) for other in window.mirrored()]
    return judge_trial(before, covered(window), elsewhere, suspicion.class_index)


def why_untested(maps: HeldOutMaps, names: tuple[str, ...]) -> str | None:
    """Returns why no shortcut was looked for, or not for every class."""
    if min(maps.grid) < MIN_CELLS:
        rows, columns = maps.grid
        return (
            f"The last feature map has {rows} by {columns} positions: too few to tell a corner "
            "from the middle. A larger --size gives more."
        )
    counts = np.bincount(maps.labels, minlength=len(names))
    few = [name for name, number in zip(names, counts, strict=True) if number < MIN_IMAGES]
    if not few:
        return None
    more = f" and {len(few) - 3} more" if len(few) > 3 else ""
    return (
        f"Too few images were looked at of {', '.join(few[:3])}{more} to tell a mark at a "
        f"fixed position from chance: {MIN_IMAGES} are needed of a class."
    )


def describe_shortcut(shortcut: Shortcut, *, class_name: str) -> str:
    """Returns what was found at a region, what covering it does, and what to do.

    Args:
        shortcut: The region.
        class_name: Of its class; made printable here.
    """
    trial = shortcut.trial
    name = f"“{printable(class_name)}”"
    if trial.num_changed > 0:
        effect = (
            f"covering it changes {trial.num_changed} of "
            f"{count_noun(trial.num_right, 'right answer')}, covering the regions opposite changes "
            f"{_count_text(trial.num_changed_elsewhere)}"
        )
    else:
        effect = (
            f"covering it takes {trial.loss:.1f} logits from the lead of {name}, covering the "
            f"regions opposite takes {_loss_text(trial.loss_elsewhere)}"
        )
    return (
        f"{_percent_text(shortcut.suspicion.share)} of what sets {name} apart comes from the "
        f"{shortcut.box.name}, {_percent_text(shortcut.box.area_share)} of the image; {effect}. "
        "Look there for a mark, a label or a frame: the figures hold only as long as it comes with "
        "the class."
    )


def _percent_text(value: float) -> str:
    return percent(min(value, 1.0))


def _count_text(value: float) -> str:
    return "none" if value == 0 else f"{value:.1f}".removesuffix(".0")


def _loss_text(value: float) -> str:
    return "none" if value < 0.05 else f"{value:.1f}"

"""The search for shortcuts: suspected from the maps, tried by covering."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foveal.shortcuts.border import BorderReliance, is_relied_on, judge_border, without_border
from foveal.shortcuts.network import HeldOutNetwork, Images
from foveal.shortcuts.separation import ClassSeparation, HeldOutMaps
from foveal.shortcuts.suspicion import (
    MIN_IMAGES,
    CoverTrial,
    Shortcut,
    Suspicion,
    cover,
    is_confirmed,
    is_told_apart,
    judge_trial,
    suspect,
)
from foveal.shortcuts.windows import MIN_CELLS, Window

_MAX_CLASSES_TRIED = 3
_MAX_PLACES_TRIED = 2
_MAX_PER_TRIAL = 12
_ECHO_SHARE = 0.4
_MAX_BORDERS_TRIED = 5


def find_shortcuts(
    maps: HeldOutMaps,
    separations: tuple[ClassSeparation, ...],
    network: HeldOutNetwork,
    images: Images,
    places: NDArray[np.int64],
) -> tuple[Shortcut, ...]:
    """Returns at most one place a class, confirmed by covering."""
    suspected = [(one, windows) for one in separations if (windows := suspect(maps, one))]
    suspected.sort(key=lambda pair: -pair[1][0].share)
    found = []
    for separation, windows in suspected[:_MAX_CLASSES_TRIED]:
        rows = np.flatnonzero(maps.labels == separation.class_index)[:_MAX_PER_TRIAL]
        # A unit sees beyond its cell, so on a coarse grid the mark may lie in the next one.
        for suspicion in windows[:_MAX_PLACES_TRIED]:
            trial = _try_covering(suspicion, maps.logits[rows], network, images[rows], places[rows])
            if is_confirmed(trial, gap=separation.gap):
                size = images.shape[2], images.shape[3]
                box = suspicion.window.box(network.centres, size)
                found.append(Shortcut(suspicion, box, trial))
                break
    # What a mark of one class says against it, the others gain: a faint echo of the same place.
    most = max((one.trial.loss for one in found), default=0.0)
    return tuple(one for one in found if one.trial.loss >= _ECHO_SHARE * most)


def find_border_reliance(
    maps: HeldOutMaps,
    separations: tuple[ClassSeparation, ...],
    network: HeldOutNetwork,
    images: Images,
    places: NDArray[np.int64],
) -> tuple[BorderReliance, ...]:
    """Returns the classes whose answers go when the pictures lose their border."""
    found = []
    told = [one for one in separations if is_told_apart(maps, one)]
    told.sort(key=lambda one: -one.gap)
    for separation in told[:_MAX_BORDERS_TRIED]:
        index = separation.class_index
        rows = np.flatnonzero(maps.labels == index)[:_MAX_PER_TRIAL]
        after = network.logits(without_border(images[rows]), places[rows])
        reliance = judge_border(maps.logits[rows], after, index)
        if is_relied_on(reliance, gap=separation.gap):
            found.append(reliance)
    return tuple(found)


def _try_covering(
    suspicion: Suspicion,
    before: NDArray[np.float64],
    network: HeldOutNetwork,
    images: Images,
    places: NDArray[np.int64],
) -> CoverTrial:
    def covered(window: Window) -> NDArray[np.float64]:
        box = window.box(network.centres, (images.shape[2], images.shape[3]))
        return network.logits(cover(images, box), places)

    window = suspicion.window
    elsewhere = [covered(other) for other in window.mirrored()]
    return judge_trial(before, covered(window), elsewhere, suspicion.class_index)


def why_untested(maps: HeldOutMaps, names: tuple[str, ...]) -> str | None:
    """Returns why no shortcut was looked for, or not for every class."""
    if min(maps.grid) < MIN_CELLS:
        rows, columns = maps.grid
        return (
            f"The last feature map has {rows} by {columns} places: too few to tell a corner "
            "from the middle. A larger --size gives more."
        )
    counts = np.bincount(maps.labels, minlength=len(names))
    few = [name for name, number in zip(names, counts, strict=True) if number < MIN_IMAGES]
    if not few:
        return None
    more = f" and {len(few) - 3} more" if len(few) > 3 else ""
    return (
        f"Too few pictures were looked at of {', '.join(few[:3])}{more} to tell a mark at a "
        f"fixed place from chance: {MIN_IMAGES} are needed of a class."
    )

"""One window for a whole set of deep images, chosen on the training images without their labels.

A 12-bit image that is stretched to its own range loses how bright it is, and that may be all
that tells two classes apart. So the default is one window for each kind of levels: the one that
all training DICOM files of the kind state, if they state the same; else percentiles of the
levels of all training images together, every image counting the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

from foveal.errors import UsageError
from foveal.images.levels import LevelSummary, pooled_percentiles
from foveal.images.window import FixedRange, Window
from foveal.text import count_noun, near_names

WindowChoice = Literal["set", "range", "header", "hounsfield", "image"]
"""How the window of deep images is found.

``"set"``: as the module says. ``"range"``: the full range of the kind, so that nothing is
clipped. ``"header"``: each DICOM file's own window; other kinds as ``"set"``. ``"hounsfield"``:
-1000 (air) to 1000 (dense bone) for CT; other kinds as ``"set"``. ``"image"``: each image by its
own percentiles, which loses absolute brightness. Instead of a word, two levels: ``"-160:240"``.
"""

_LIMITS: Final = re.compile(
    r"\s*([-+]?[0-9.]+(?:e[-+]?\d+)?)\s*:\s*([-+]?[0-9.]+(?:e[-+]?\d+)?)\s*"
)
_HOUNSFIELD: Final = (-1000.0, 1000.0)
_CT: Final = "DICOM CT"


@dataclass(frozen=True, slots=True)
class ChosenWindow:
    """A window, and one sentence for each kind of levels on what it is and where it comes from."""

    window: Window
    sentences: tuple[str, ...] = ()


def check_window_choice(choice: str) -> None:
    """Refuses a choice that is neither a word of :data:`WindowChoice` nor two levels.

    Raises:
        UsageError: With near words.
    """
    if choice in get_args(WindowChoice):
        return
    if _LIMITS.fullmatch(choice):
        FixedRange("any", *_explicit(choice))
        return
    near = near_names(choice, get_args(WindowChoice))
    known = ", ".join(get_args(WindowChoice))
    raise UsageError(
        f"There is no window {choice!r}.",
        next_step=f"Did you mean {near[0]}?"
        if near
        else f"Known: {known}, or two levels such as -160:240.",
    )


def choose_window(summaries: Sequence[LevelSummary], choice: str = "set") -> ChosenWindow:
    """Returns the window for a set, from the levels of its training images.

    Args:
        summaries: Of every training image with deep levels.
        choice: See :data:`WindowChoice`.

    Raises:
        UsageError: The choice is unknown.
    """
    check_window_choice(choice)
    base = Window(dicom="percentile" if choice == "image" else "header")
    by_kind: dict[str, list[LevelSummary]] = {}
    for summary in summaries:
        by_kind.setdefault(summary.kind.name, []).append(summary)
    ranges, sentences = [], []
    for name, members in sorted(by_kind.items()):
        found = None if choice == "image" else _range_of(name, members, choice, base)
        images = count_noun(len(members), "image")
        if found is None:
            each = "by the window in its header" if choice == "header" else "by its own percentiles"
            lost = "" if choice == "header" else ", so absolute brightness is lost"
            sentences.append(f"{images} of the kind {name}: each is windowed {each}{lost}.")
            continue
        low, high, origin = found
        ranges.append(FixedRange(name, low, high))
        sentences.append(
            f"{images} of the kind {name}: one window for all, from level {low:,.6g} (black) to "
            f"{high:,.6g} (white), {origin}."
        )
    window = Window(dicom=base.dicom, fixed=tuple(ranges))
    return ChosenWindow(window, tuple(sentences))


def describe_window(window: Window, summaries: Sequence[LevelSummary]) -> ChosenWindow:
    """Returns a window that was chosen before, with sentences on what it does to these images."""
    sentences = []
    for name in sorted({summary.kind.name for summary in summaries}):
        members = [one for one in summaries if one.kind.name == name]
        images = count_noun(len(members), "image")
        fixed = window.range_for(members[0].kind)
        sentences.append(
            f"{images} of the kind {name}, which was not in training: each is windowed by itself."
            if fixed is None
            else f"{images} of the kind {name}: the window of the training, from level "
            f"{fixed.low:,.6g} (black) to {fixed.high:,.6g} (white)."
        )
    return ChosenWindow(window, tuple(sentences))


def _range_of(
    name: str, members: Sequence[LevelSummary], choice: str, base: Window
) -> tuple[float, float, str] | None:
    """Returns low, high and where they come from; ``None`` where each image has its own."""
    is_dicom = name.startswith("DICOM")
    if _LIMITS.fullmatch(choice):
        return (*_explicit(choice), "as was asked for")
    if choice == "range":
        low, high = min(m.kind.bottom for m in members), max(m.kind.top for m in members)
        return low, high, "the full range of these levels"
    if choice == "hounsfield" and name == _CT:
        return (*_HOUNSFIELD, "Hounsfield units of air and of dense bone")
    if choice == "header" and is_dicom:
        return None
    stated = {m.stated for m in members}
    if len(stated) == 1 and (same := next(iter(stated))) is not None:
        return (*same, "the window that the header of every training image states")
    wanted = (base.low_percentile, base.high_percentile)
    low, high = pooled_percentiles(members, wanted)
    origin = f"percentiles {wanted[0]:g} and {wanted[1]:g} of the training images, labels unseen"
    if low == high:  # a few small objects on a flat ground
        low, high = pooled_percentiles(members, (0.0, 100.0))
        origin = "the lowest and highest level of the training images, labels unseen"
    return (low, high, origin) if low < high else None


def _explicit(choice: str) -> tuple[float, float]:
    match = _LIMITS.fullmatch(choice)
    assert match is not None
    try:
        return float(match[1]), float(match[2])
    except ValueError as error:
        raise UsageError(
            f"The window {choice!r} does not hold two numbers.",
            next_step="Use for instance -160:240.",
        ) from error

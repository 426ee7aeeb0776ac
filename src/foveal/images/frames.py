"""Which image of a file that holds several: a stack, a volume, an animation.

The first frame of a volume is often empty and the first of an animation a title, so the one in
the middle stands for the file unless another is asked for.
"""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Final, Literal

from foveal.errors import UsageError

FrameChoice = int | Literal["middle"]
"""The number of a frame, from 1 on, or the one in the middle."""

_VIRTUAL: Final = re.compile(r"frame-(\d{1,9})")

# Animations are composed from their first frame on. This many pixels may be passed over.
_MAX_PIXELS_PASSED: Final = 1 << 26
_PIXELS_WORTH_OF_A_FRAME: Final = 1 << 14


def check_frame_choice(frame: object) -> None:
    """Refuses what is neither a positive number nor ``"middle"``.

    Raises:
        UsageError: It says what was expected.
    """
    is_number = isinstance(frame, int) and not isinstance(frame, bool) and frame >= 1
    if frame != "middle" and not is_number:
        raise UsageError(
            f"frame: got {frame!r}, expected 'middle' or a number from 1 on",
            next_step="Use 'middle', or 1 for the first frame.",
        )


def frame_index(num_frames: int, frame: FrameChoice) -> int:
    """Returns the index from 0 on; of fewer frames than asked for, the last.

    >>> [frame_index(n, "middle") for n in (1, 2, 3, 4)]
    [0, 1, 1, 2]
    """
    return num_frames // 2 if frame == "middle" else min(frame, num_frames) - 1


def reachable_index(index: int, width_px: int, height_px: int) -> int:
    """Returns the index, or the last that can be composed within a second or two."""
    cost = width_px * height_px + _PIXELS_WORTH_OF_A_FRAME
    return min(index, _MAX_PIXELS_PASSED // cost)


def frame_note(num_frames: int, index: int, frame: FrameChoice, word: str) -> str:
    """Returns the sentence on which frame was taken; alike for alike files."""
    middle = frame_index(num_frames, "middle")
    if frame == "middle" and index == middle:
        return f"The file holds several {word}s; the one in the middle is used."
    if frame == "middle":
        return f"The file holds several {word}s; only the first ones can be reached, so the " + (
            f"last of these is used, number {index + 1}."
        )
    if index != frame - 1:
        return f"The file holds several {word}s, fewer than asked for; number {index + 1} is used."
    return f"The file holds several {word}s; number {index + 1} is used."


def frame_path(path: str, number: int) -> str:
    """Returns the path that names one frame of a file, counted from 1.

    >>> frame_path("scans/a.tif", 3)
    'scans/a.tif/frame-3'
    """
    return f"{path}/frame-{number}"


def split_frame_path(path: str) -> tuple[str, int] | None:
    """Returns file and frame of what :func:`frame_path` made; ``None`` for other paths."""
    pure = PurePath(path)
    match = _VIRTUAL.fullmatch(pure.name)
    number = int(match[1]) if match else 0
    return (str(pure.parent), number) if number else None

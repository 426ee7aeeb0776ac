"""Each frame of a volume or animation as an image of its own, in the group of its file."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from foveal.dataset.manifest import ImageRecord
from foveal.errors import ImageError
from foveal.images import FrameChoice, count_frames, frame_path
from foveal.images.frames import split_frame_path

FrameRule = FrameChoice | Literal["each"]
"""Which frame stands for a file, or that each is an image."""

FRAMES_SOURCE = "the file that frames come from"


def spread_frames(root: Path, records: Sequence[ImageRecord]) -> tuple[ImageRecord, ...]:
    """Returns a record a frame for files that hold several; others, and bad ones, as they are."""
    spread: list[ImageRecord] = []
    for record in records:
        number = _count(root / record.path) if record.problem is None else 1
        if number == 1:
            spread.append(record)
            continue
        spread += [
            dataclasses.replace(record, path=frame_path(record.path, index + 1))
            for index in range(number)
        ]
    return tuple(spread)


def group_frames(records: Sequence[ImageRecord]) -> tuple[ImageRecord, ...]:
    """Puts frames that have no group yet into that of their file."""
    grouped = []
    for record in records:
        split = split_frame_path(record.path) if record.group is None else None
        grouped.append(record if split is None else dataclasses.replace(record, group=split[0]))
    return tuple(grouped)


def _count(path: Path) -> int:
    try:
        return count_frames(path)
    except ImageError:
        return 1  # reading it will say why

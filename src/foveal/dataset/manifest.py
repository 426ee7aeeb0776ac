"""One row an image: what a data set holds, as found, with every file that cannot be used.

A listing is what a folder or a table names, before any image is opened.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from foveal.images import LevelSummary
from foveal.images import ProblemCode as ImageProblemCode

TableProblemCode = Literal["missing_label", "repeated_row", "conflicting_rows", "small_class"]
"""What only a whole data set can get wrong."""

ProblemCode = ImageProblemCode | TableProblemCode

PROBLEM_CODES: tuple[str, ...] = tuple(
    dict.fromkeys((*get_args(ImageProblemCode), *get_args(TableProblemCode)))
)


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a file is set aside.

    Attributes:
        code: A stable word, such as ``"truncated"``.
        message: What is wrong, as a phrase, printable and without the path.
    """

    code: ProblemCode
    message: str


Split = Literal["train", "val", "test"]
Layout = Literal["class folders", "split folders", "table", "unlabelled"]
GroupOrigin = Literal["given", "name", "test"]
"""Who says that images belong together: the reader of these results; the plain name of a
column, folder, file or DICOM field; or a test on what the images show."""


@dataclass(frozen=True, slots=True)
class ImageRecord:
    r"""One file of the data set.

    Attributes:
        path: POSIX path relative to the manifest's root. Bytes of a name that are no UTF-8
            are kept as surrogate escapes: show it with ``foveal.text.printable``.
        label: Class name, made printable; ``None`` where no label is known.
        group: What this image shares with others (patient, module, batch), made printable;
            ``None`` where it stands alone.
        split: The part it was given to, where the data come split.
        digest: SHA-256 of the file's bytes, in hex.
        pixel_digest: SHA-256 of the decoded image, in hex: equal for one image stored as
            PNG and as BMP. Large JPEGs are hashed at reduced scale.
        size_bytes: Length of the file.
        width_px, height_px: Size of the image, orientation applied.
        stored_mode: How the file stores a pixel, such as ``"RGB"`` or ``"I;16"``.
        bits_per_sample: Bits of one stored sample.
        format: Such as ``"PNG"`` or ``"DICOM"``.
        perceptual_hash: 8 bytes; near for images that look alike.
        signature: The image in 32 × 32 grey levels, 1,024 bytes, row by row.
        grey_mean, grey_std: Of the grey levels, black 0 and white 1.
        acquired_seconds: When it was taken by its own account (EXIF, DICOM), in seconds since
            1970 on the camera's clock.
        levels: Of deep levels, a summary of them before windowing.
        notes: What was done to it that a reader should know, such as ``"first of 3 frames"``.
        problem: Why it is set aside; ``None`` where it is fine.
        told: What else the table says about it, one value a column of the manifest.
        header: What its header says about the device, as pairs of name and value: manufacturer,
            model, view position. Never anything about the patient or the place.
    """

    path: str
    label: str | None = None
    group: str | None = None
    split: Split | None = None
    digest: str | None = None
    pixel_digest: str | None = None
    size_bytes: int = 0
    width_px: int | None = None
    height_px: int | None = None
    stored_mode: str | None = None
    bits_per_sample: int | None = None
    format: str | None = None
    perceptual_hash: bytes | None = None
    signature: bytes | None = None
    grey_mean: float | None = None
    grey_std: float | None = None
    acquired_seconds: float | None = None
    levels: LevelSummary | None = None
    notes: tuple[str, ...] = ()
    problem: Problem | None = None
    told: tuple[str, ...] = ()
    header: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Manifest:
    """Everything a scan found under ``root``.

    Attributes:
        root: The folder that the records' paths start from, absolute.
        records: Folders: in natural order of their paths. Tables: in the order of the rows.
        class_names: The labels of the usable images, in natural order.
        layout: The form that the data came in.
        group_source: Where the groups come from, as a phrase; ``None`` without groups.
        groups_are_approximate: Whether the groups are somebody's guess.
        notes: What the scan left out or assumed, as sentences.
        group_origin: Who says that images belong together; ``None`` without groups.
        group_note: Why groups were taken that nobody gave, as sentences.
        column_names: The columns of the table that have no role of their own; their values
            are in the records, in this order.
        files: Where a record's file lies, below ``root``, if not at its ``path``.
    """

    root: Path
    records: tuple[ImageRecord, ...]
    class_names: tuple[str, ...]
    layout: Layout
    group_source: str | None = None
    groups_are_approximate: bool = False
    notes: tuple[str, ...] = ()
    group_origin: GroupOrigin | None = None
    group_note: str = ""
    column_names: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def usable(self) -> tuple[ImageRecord, ...]:
        """The images to train on: no problem and a known label. Order as in ``records``."""
        return tuple(self.records[row] for row in self.usable_rows)

    @cached_property
    def usable_rows(self) -> tuple[int, ...]:
        """The positions in ``records`` of the usable images."""
        return tuple(
            row
            for row, record in enumerate(self.records)
            if record.problem is None and record.label is not None
        )

    @cached_property
    def bad(self) -> tuple[ImageRecord, ...]:
        """The files that are set aside, each with its problem."""
        return tuple(record for record in self.records if record.problem is not None)

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """Index into ``class_names`` for every usable image, [N]."""
        index = {name: position for position, name in enumerate(self.class_names)}
        return np.array([index[record.label or ""] for record in self.usable], dtype=np.int64)

    @cached_property
    def has_splits(self) -> bool:
        """Whether the usable images come with a given split."""
        return any(record.split is not None for record in self.usable)

    @cached_property
    def digest(self) -> str:
        """SHA-256 in hex over paths, contents, labels, groups, splits and problems.

        Neither where the root is nor the order of the records changes it.
        """
        total = hashlib.sha256()
        for row in sorted(_identity(record) for record in self.records):
            # Lengths in front, so that no two different rows can run together alike.
            encoded = [field.encode("utf-8", "surrogateescape") for field in row]
            total.update(b"".join(b"%d:%s" % (len(field), field) for field in encoded))
        return total.hexdigest()

    def resolve(self, record: ImageRecord) -> Path:
        """Returns where the file of ``record`` lies."""
        return self.root / self.files.get(record.path, record.path)


def _identity(record: ImageRecord) -> tuple[str, ...]:
    optional = (record.digest, record.label, record.group, record.split)
    problem = "" if record.problem is None else record.problem.code
    return (record.path, *("-" if value is None else f"={value}" for value in optional), problem)


def natural_key(text: str) -> tuple[object, ...]:
    """Sort key under which ``"cell2"`` comes before ``"cell10"`` and case matters last.

    >>> sorted(["b10", "B2", "a", "b2"], key=natural_key)
    ['a', 'B2', 'b2', 'b10']
    """
    # Numbers are compared as (number of digits, digits): int() refuses very long ones.
    parts = tuple(
        (0, len(stripped := part.lstrip("0")), stripped) if position % 2 else (1, 0, part)
        for position, part in enumerate(re.split(r"([0-9]+)", text.casefold()))
    )
    return (*parts, text)


def sorted_class_names(records: Iterable[ImageRecord]) -> tuple[str, ...]:
    """Returns the labels of the records without a problem, each once, in natural order."""
    names = {
        record.label for record in records if record.label is not None and record.problem is None
    }
    return tuple(sorted(names, key=natural_key))


@dataclass(frozen=True, slots=True)
class Listing:
    """Records that hold path, label, group, split and perhaps a problem, but no contents.

    Attributes:
        root: The folder that the paths start from, absolute.
        records: One for each file or row.
        layout: The form that the data came in.
        group_column: The column that the groups came from, for tables that have one.
        notes: What was left out or assumed, as sentences.
        column_names: The columns of a table that have no role of their own.
    """

    root: Path
    records: tuple[ImageRecord, ...]
    layout: Layout
    group_column: str | None = None
    notes: tuple[str, ...] = ()
    column_names: tuple[str, ...] = ()

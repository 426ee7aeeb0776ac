"""What an audit says, as data; what its checks may look at; and names replaced by numbers.

Names of files and folders can hold the names of persons. For a run that is handed on, numbers
stand for them. These follow the files' digests, so they say nothing about the order of the names.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import PurePosixPath
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from foveal.dataset.duplicates import Duplicates, fuse_groups
from foveal.dataset.manifest import ImageRecord, Manifest
from foveal.images import ChosenWindow
from foveal.text import printable

Severity = Literal["error", "warning", "info"]

MAX_EXAMPLES = 10


@dataclass(frozen=True, slots=True)
class AuditFinding:
    """One thing worth knowing about the data.

    Attributes:
        code: Stable, such as ``"D004"``.
        severity: ``"error"``: results would be wrong. ``"warning"``: results may mislead.
            ``"info"``: good to know.
        title: What was found, in a few words, with its count.
        detail: What that means here, in figures.
        fix: What to do about it; ``""`` where there is nothing to do.
        paths: The first few files it is about, printable.
        num_affected: How many files it is about in all.
    """

    code: str
    severity: Severity
    title: str
    detail: str
    fix: str
    paths: tuple[str, ...] = ()
    num_affected: int = 0


@dataclass(frozen=True)
class AuditSubject:
    """The data set as the checks see it."""

    manifest: Manifest
    duplicates: Duplicates
    window: ChosenWindow | None = None

    @cached_property
    def usable(self) -> tuple[ImageRecord, ...]:
        """The usable images."""
        return self.manifest.usable

    @cached_property
    def class_counts(self) -> NDArray[np.int64]:
        """Usable images by class, [K]."""
        return np.bincount(self.manifest.labels, minlength=len(self.manifest.class_names))

    @cached_property
    def groups(self) -> NDArray[np.int64]:
        """Group of each usable image, copies fused, [N]."""
        return fuse_groups(self.manifest, self.duplicates)

    @cached_property
    def forms(self) -> tuple[Counter[str], Counter[str], Counter[str]]:
        """Usable images by size (``"300x200"``), by stored mode and by format."""
        sizes = Counter(size_of(record) for record in self.usable)
        modes = Counter(mode_of(record) for record in self.usable)
        formats = Counter(record.format or "unknown" for record in self.usable)
        return sizes, modes, formats


def size_of(record: ImageRecord) -> str:
    """Returns width and height as text: ``"300x200"``."""
    return f"{record.width_px}x{record.height_px}"


def mode_of(record: ImageRecord) -> str:
    """Returns how a pixel is stored: ``"RGB, 8 bit"``."""
    return f"{record.stored_mode}, {record.bits_per_sample} bit"


def examples(records: Iterable[ImageRecord]) -> tuple[str, ...]:
    """Returns the first few paths, printable."""
    return tuple(printable(record.path) for record in islice(records, MAX_EXAMPLES))


def examples_of_sets(
    usable: Sequence[ImageRecord], sets: Sequence[Sequence[int]]
) -> tuple[str, ...]:
    """Returns the first few sets of copies as ``"a.png = b.png"``."""
    return tuple(
        " = ".join(printable(usable[i].path) for i in members[:4])
        + (f" and {len(members) - 4} more" if len(members) > 4 else "")
        for members in sets[:MAX_EXAMPLES]
    )


_NOTE = "Files and groups are numbered; their names are in a private table beside the run."


def anonymise(manifest: Manifest) -> Manifest:
    """Returns the manifest with files and groups numbered; ``resolve`` still finds the files."""
    numbers = _number([(record.digest or "", record.path) for record in manifest.records])
    groups = _number(
        [(one.digest or "", one.group) for one in manifest.records if one.group is not None]
    )
    shown = {
        path: f"image-{number:06}{PurePosixPath(path).suffix[:8].casefold()}"
        for path, number in numbers.items()
    }
    records = tuple(
        replace(
            record,
            path=shown[record.path],
            group=None if record.group is None else f"group-{groups[record.group]:04}",
            told=(),
        )
        for record in manifest.records
    )
    return replace(
        manifest,
        records=records,
        files={shown[path]: manifest.files.get(path, path) for path in shown},
        column_names=(),
        notes=(_NOTE,),
    )


def anonymise_findings(findings: Sequence[AuditFinding]) -> tuple[AuditFinding, ...]:
    """Returns what was found before the files were numbered, without its examples."""
    return tuple(replace(finding, paths=(), detail="") for finding in findings)


def names_table(before: Manifest, after: Manifest) -> bytes:
    """Returns the private table: ``number,file,group_number,group`` as CSV in UTF-8."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(("number", "file", "group_number", "group"))
    for old, new in zip(before.records, after.records, strict=True):
        writer.writerow((new.path, printable(old.path), new.group or "", old.group or ""))
    return text.getvalue().encode()


def _number(keyed: Sequence[tuple[str, str]]) -> dict[str, int]:
    names = dict.fromkeys(name for _, name in sorted(keyed))
    return {name: number for number, name in enumerate(names, start=1)}

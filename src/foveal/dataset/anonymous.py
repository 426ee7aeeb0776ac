"""Files and groups under numbers instead of their names, for a run that is handed on.

Names of files and folders can hold the names of persons. The numbers follow the files'
digests, so they say nothing about the order of the names.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from foveal.dataset.findings import AuditFinding
from foveal.dataset.manifest import Manifest
from foveal.text import printable

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

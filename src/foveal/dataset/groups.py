"""Which images belong together, because they share a patient, a module, a day or a batch."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from foveal.dataset.layouts import GROUPS_FILE, name_some
from foveal.dataset.listing import Listing
from foveal.dataset.manifest import ImageRecord
from foveal.dataset.rows import read_table
from foveal.dataset.tables import GROUP_COLUMNS
from foveal.errors import DataError, UsageError
from foveal.text import count_noun, printable


@dataclass(frozen=True, slots=True)
class GroupOptions:
    """Where the groups come from; at most one source may be named.

    Attributes:
        column: A column of the table that is the data. Without any source, ``group`` or
            ``approximate_group`` is taken where the table has it.
        regex: Searched for in each image's path; the first bracketed part is the group, or
            the whole match where nothing is bracketed.
        table: A table with the columns ``path`` and ``group``, paths relative to the data
            folder. Without any source, ``groups.csv`` in the data folder is taken.
        approximate: The groups are a guess, and results have to say so. A column that is
            called ``approximate_group`` says the same.
    """

    column: str | None = None
    regex: str | None = None
    table: Path | None = None
    approximate: bool = False


@dataclass(frozen=True, slots=True)
class GroupedRecords:
    """The records with their groups, where these came from, and what there is to say."""

    records: tuple[ImageRecord, ...]
    source: str | None = None
    are_approximate: bool = False
    notes: tuple[str, ...] = ()


def check_group_options(options: GroupOptions) -> None:
    """Refuses two sources at once and an expression that cannot be compiled.

    Raises:
        UsageError: With the expression and the place where it goes wrong.
    """
    named = [
        name
        for name, value in (
            ("a column", options.column),
            ("an expression", options.regex),
            ("a table", options.table),
        )
        if value is not None
    ]
    if len(named) > 1:
        raise UsageError(
            f"Groups can come from one place only, not from {' and '.join(named)}.",
            next_step="Keep the one that is right.",
        )
    if options.regex is not None:
        _compile(options.regex)


def group_listing(listing: Listing, options: GroupOptions) -> GroupedRecords:
    """Gives the records of a listing their groups, from what can be known before reading.

    Images whose group cannot be told keep ``None`` and stand alone; a note counts them.

    Raises:
        DataError: The table of groups cannot be read or contradicts itself.
        UsageError: A column is named for data that are no table, or the expression is broken.
    """
    check_group_options(options)
    if options.column is not None and listing.layout != "table":
        raise UsageError(
            f"There is no column '{printable(options.column)}' to take the groups from: "
            "the data are a folder, not a table.",
            next_step="Use --group-regex, or a groups.csv with the columns path and group.",
        )
    if options.regex is not None:
        return _from_regex(listing, options)
    if options.table is not None:
        return _from_table(listing, options.table, approximate=options.approximate)
    if listing.group_column is not None:
        return _from_column(listing, listing.group_column, approximate=options.approximate)
    if (listing.root / GROUPS_FILE).is_file():
        return _from_table(listing, listing.root / GROUPS_FILE, approximate=options.approximate)
    return GroupedRecords(listing.records)


def group_by_patient(
    records: Sequence[ImageRecord], patient_keys: Sequence[str | None]
) -> GroupedRecords:
    """Groups DICOM images by the hash of their PatientID, each group under a number.

    Group names are written into runs, and the hash of a number with few digits gives the
    number away to anyone who hashes them all. So patients are numbered as they come.

    Args:
        records: As read.
        patient_keys: For each record a hash, or ``None`` where there is no PatientID.
    """
    if not any(patient_keys):
        return GroupedRecords(tuple(records))
    numbers = {key: number for number, key in enumerate(dict.fromkeys(filter(None, patient_keys)))}
    grouped = tuple(
        dataclasses.replace(record, group=f"patient {numbers[key] + 1}") if key else record
        for record, key in zip(records, patient_keys, strict=True)
    )
    source = "DICOM PatientID (hashed)"
    return GroupedRecords(grouped, source, notes=_note_alone(grouped, "without a PatientID"))


def _compile(expression: str) -> re.Pattern[str]:
    try:
        return re.compile(expression)
    except re.error as error:
        where = "" if error.pos is None else f", at character {error.pos + 1}"
        raise UsageError(
            f"The group expression '{printable(expression)}' is not a regular expression: "
            f"{error.msg}{where}.",
            next_step=r"For 'benign/p17_3.png', 'p(\d+)_' gives the group 17.",
        ) from error


def _from_regex(listing: Listing, options: GroupOptions) -> GroupedRecords:
    pattern = _compile(options.regex or "")
    grouped = tuple(
        dataclasses.replace(record, group=_match_group(pattern, record.path))
        for record in listing.records
    )
    notes = list(_note_alone(grouped, "whose path the expression does not match"))
    if (listing.root / GROUPS_FILE).is_file():
        notes.append(f"{GROUPS_FILE} was not used, because an expression was given.")
    source = f"--group-regex {printable(pattern.pattern)}"
    return GroupedRecords(grouped, source, options.approximate, tuple(notes))


def _match_group(pattern: re.Pattern[str], path: str) -> str | None:
    match = pattern.search(path)
    if match is None:
        return None
    return printable(match.group(1 if pattern.groups else 0) or "") or None


def _from_column(listing: Listing, column: str, *, approximate: bool) -> GroupedRecords:
    return GroupedRecords(
        listing.records,
        f"column '{printable(column)}'",
        approximate or column == GROUP_COLUMNS[1],
        _note_alone(listing.records, "whose group is empty"),
    )


def _from_table(listing: Listing, path: Path, *, approximate: bool) -> GroupedRecords:
    group_by_path, column = _read_groups(path)
    known = {record.path for record in listing.records}
    grouped = tuple(
        dataclasses.replace(record, group=group_by_path.get(record.path))
        for record in listing.records
    )
    name = printable(path.name)
    notes = list(_note_alone(grouped, f"that {name} does not list"))
    unknown = [listed for listed in group_by_path if listed not in known]
    if unknown:
        notes.append(
            f"{name} lists {count_noun(len(unknown), 'path')} that the data do not hold: "
            f"{name_some(unknown)}."
        )
    return GroupedRecords(grouped, name, approximate or column == GROUP_COLUMNS[1], tuple(notes))


def _read_groups(path: Path) -> tuple[dict[str, str], str]:
    """Returns the group by path and the name of the column that it came from."""
    table = read_table(path, required=("path",))
    column = next((name for name in GROUP_COLUMNS if name in table.columns), None)
    if column is None:
        raise DataError(
            f"The table '{printable(path.name)}' has no column 'group'.",
            next_step="Its first line must read: path,group",
        )
    group_by_path: dict[str, str] = {}
    place_by_path: dict[str, str] = {}
    for row in table.rows:
        listed = row.values["path"].replace("\\", "/").removeprefix("./")
        group = printable(row.values[column])
        if not listed or not group:
            continue
        if group_by_path.setdefault(listed, group) != group:
            raise DataError(
                f"The table '{printable(path.name)}' puts '{printable(listed)}' into the group "
                f"'{group_by_path[listed]}' in {place_by_path[listed]} and into '{group}' in "
                f"{row.place}.",
                next_step="Keep one of the two rows.",
            )
        place_by_path.setdefault(listed, row.place)
    return group_by_path, column


def _note_alone(records: Sequence[ImageRecord], reason: str) -> tuple[str, ...]:
    """Counts the images without a group: each then stands alone."""
    alone = [record.path for record in records if record.problem is None and record.group is None]
    if not alone:
        return ()
    verb = "stands" if len(alone) == 1 else "stand"
    return (
        f"{count_noun(len(alone), 'image')} {reason} {verb} alone, as a group of one: "
        f"{name_some(alone)}.",
    )

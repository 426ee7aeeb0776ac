"""Which images belong together, because they share a patient, a module, a day or a batch."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from foveal.dataset.layouts import GROUPS_FILE, name_some
from foveal.dataset.manifest import GroupOrigin, ImageRecord, Listing, natural_key
from foveal.dataset.name_parts import meaning_of
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
        gap_seconds: Images whose acquisition times are less than this apart belong together,
            and so do the neighbours of these.
        search: ``"auto"`` also takes groups whose name leaves no doubt, and those that a test
            shows to flatter the figures; ``"off"`` takes none but those named here.
        approximate: The groups are a guess, and results have to say so. A column that is
            called ``approximate_group`` says the same.
    """

    column: str | None = None
    regex: str | None = None
    table: Path | None = None
    approximate: bool = False
    gap_seconds: float | None = None
    search: Literal["auto", "off"] = "auto"


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
        UsageError: With the expression and where it goes wrong.
    """
    named = [
        name
        for name, value in (
            ("a column", options.column),
            ("an expression", options.regex),
            ("a table", options.table),
            ("acquisition times", options.gap_seconds),
        )
        if value is not None
    ]
    if len(named) > 1:
        raise UsageError(
            f"Groups can come from one source only, not from {' and '.join(named)}.",
            next_step="Keep the one that is right.",
        )
    if options.regex is not None:
        _compile(options.regex)
    if options.gap_seconds is not None and not options.gap_seconds > 0:
        raise UsageError(
            f"Gap between acquisition times: got {options.gap_seconds:g} seconds, expected more "
            "than 0.",
            next_step="Use --group-gap 60 for images less than a minute apart.",
        )


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
    if options.column is not None and listing.group_column is not None:
        return _from_column(listing, listing.group_column, approximate=options.approximate)
    if options.search == "off":
        return GroupedRecords(listing.records)
    if listing.group_column is not None:
        return _from_column(listing, listing.group_column, approximate=options.approximate)
    if (listing.root / GROUPS_FILE).is_file():
        return _from_table(listing, listing.root / GROUPS_FILE, approximate=options.approximate)
    return GroupedRecords(listing.records)


def group_by_contents(
    grouped: GroupedRecords, patient_keys: Sequence[str | None], options: GroupOptions
) -> tuple[GroupedRecords, GroupOrigin | None]:
    """Gives groups that are known only after reading, and says who holds that they are groups.

    Args:
        grouped: From :func:`group_listing`, its records as read.
        patient_keys: For each record a hash, or ``None`` where there is no PatientID.
        options: Where groups come from.
    """
    origin: GroupOrigin = "given"
    if options.gap_seconds is not None:
        grouped = group_by_time(
            grouped.records, gap_seconds=options.gap_seconds, approximate=options.approximate
        )
    elif grouped.source is None and options.search == "auto":
        origin = "name"
        grouped = group_by_patient(grouped.records, patient_keys)
    return grouped, None if grouped.source is None else origin


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


def group_by_time(
    records: Sequence[ImageRecord], *, gap_seconds: float, approximate: bool
) -> GroupedRecords:
    """Groups images into sessions: neighbours in time that are less than a gap apart.

    Raises:
        DataError: No image says when it was taken.
    """
    seconds = [record.acquired_seconds for record in records]
    times = np.array([np.nan if value is None else value for value in seconds])
    if not np.isfinite(times).any():
        raise DataError(
            "No image says when it was taken (EXIF, DICOM), so times cannot group them.",
            next_step="Leave --group-gap out, or name groups by --group-regex or a table.",
        )
    grouped = tuple(
        dataclasses.replace(record, group=session)
        for record, session in zip(records, sessions(times, gap_seconds=gap_seconds), strict=True)
    )
    source = f"acquisition times less than {gap_seconds:g} seconds apart"
    return GroupedRecords(grouped, source, approximate, _note_alone(grouped, "without a time"))


def sessions(times: NDArray[np.float64], *, gap_seconds: float) -> tuple[str | None, ...]:
    """Returns for each time its session: neighbours in time are less than a gap apart.

    Args:
        times: [N] in seconds, not a number where unknown.
        gap_seconds: From which on two neighbours in time are in different sessions.
    """
    known = np.flatnonzero(np.isfinite(times))
    order = known[np.argsort(times[known], kind="stable")]
    numbers = 1 + np.cumsum(np.diff(times[order], prepend=times[order][:1]) >= gap_seconds)
    values: list[str | None] = [None] * len(times)
    for row, number in zip(order.tolist(), numbers.tolist(), strict=True):
        values[row] = f"session {number}"
    return tuple(values)


def loosen_groups(
    records: Sequence[ImageRecord], source: str
) -> tuple[tuple[ImageRecord, ...], tuple[str, ...]]:
    """Lets images of a class stand alone where one group holds all of that class.

    Only for groups that nobody asked for: such a class could not be both trained on and
    tested, so the group says no more than the label does.

    Returns:
        The records, and a note where something was let go.
    """
    groups_by_class: defaultdict[str, set[str | None]] = defaultdict(set)
    sizes: Counter[str] = Counter()
    for record in records:
        if record.problem is None and record.label is not None:
            # An image without a group is a group of its own.
            groups_by_class[record.label].add(record.group or f"\0{record.path}")
            sizes[record.label] += 1
    single = [
        label for label, groups in groups_by_class.items() if len(groups) == 1 and sizes[label] > 1
    ]
    if not single:
        return tuple(records), ()
    loosened = tuple(
        dataclasses.replace(record, group=None) if record.label in single else record
        for record in records
    )
    names = name_some([f"'{label}'" for label in sorted(single, key=natural_key)])
    if len(single) == len(groups_by_class):
        whole = len(set().union(*groups_by_class.values())) == 1
        what = "is the same for all images" if whole else "is the same for all images of a class"
        return loosened, (f"{source[:1].upper()}{source[1:]} {what}, so it is not used as groups.",)
    return loosened, (
        f"All images of {names} have one and the same {source}. To test that class at all, they "
        "were divided; its figures may be too good.",
    )


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
    plain = [name for name in table.columns if meaning_of(name)[0] == "source"]
    column = next((name for name in (*GROUP_COLUMNS, *plain) if name in table.columns), None)
    if column is None:
        raise DataError(
            f"The table '{printable(path.name)}' has no column 'group'.",
            next_step="Its first line must read: path,group",
        )
    group_by_path: dict[str, str] = {}
    where_by_path: dict[str, str] = {}
    for row in table.rows:
        listed = row.values["path"].replace("\\", "/").removeprefix("./")
        group = printable(row.values[column])
        if not listed or not group:
            continue
        if group_by_path.setdefault(listed, group) != group:
            raise DataError(
                f"The table '{printable(path.name)}' puts '{printable(listed)}' into the group "
                f"'{group_by_path[listed]}' in {where_by_path[listed]} and into '{group}' in "
                f"{row.where}.",
                next_step="Keep one of the two rows.",
            )
        where_by_path.setdefault(listed, row.where)
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

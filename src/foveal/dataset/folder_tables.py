"""Reads a data folder with a table in it: which of the two says what the labels are."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from foveal.dataset.layouts import GROUPS_FILE, list_folder
from foveal.dataset.manifest import Listing
from foveal.dataset.options import DataOptions
from foveal.dataset.rows import TABLE_SUFFIXES, read_table
from foveal.dataset.tables import (
    LABEL_NAMES,
    PATH_NAMES,
    columns_by_path,
    find_roles,
    list_table,
)
from foveal.errors import DataError, FovealError
from foveal.text import printable

_MAX_TABLES = 8
_NOT_LABELS = ("submission", "unlabelled", "unlabeled")
_OTHER_TABLES = frozenset((".xlsx", ".xls", ".ods", ".json", ".jsonl", ".txt"))


def list_with_tables(folder: Path, *, group_column: str | None, options: DataOptions) -> Listing:
    """Lists a data folder, by the table in it where that is the better source.

    Where folders give no labels, the table does. Where class folders do, the table is used if
    it names nearly all images and agrees about their labels: then only its further columns are
    new. So are those of a table that has no labels. Otherwise it is passed over with a note.

    Raises:
        DataError: Several tables could give the labels, or the only one cannot be read and
            nothing else gives them.
    """
    readable = {path: _why_not(path, options) for path in _tables_in(folder)}
    tables = [path for path, error in readable.items() if error is None]
    if not tables:
        return _without_labels_in_tables(folder, readable, options)
    by_folder = _by_folder(folder, options)
    if by_folder is None or not any(record.label for record in by_folder.records):
        return _by_table(folder, tables, group_column=group_column, options=options)
    if len(tables) == 1 and options.class_level is None:
        listing = list_table(tables[0], group_column=group_column, options=options)
        if _agree(listing, by_folder):
            note = f"{printable(tables[0].name)} says the same as the folders; it was read instead."
            return _with_notes(listing, note)
    names = " and ".join(printable(path.name) for path in tables)
    return _with_notes(
        by_folder,
        f"The folders give the labels; {names} in the same folder was not used. To use a table "
        "instead, give it as DATA.",
    )


def _tables_in(folder: Path) -> list[Path]:
    try:
        found = sorted(path for path in folder.iterdir() if path.is_file())
    except OSError:
        return []
    return [
        path
        for path in found
        if path.suffix.casefold() in TABLE_SUFFIXES
        and path.name != GROUPS_FILE
        and not path.name.startswith(".")
        and not any(word in path.name.casefold() for word in _NOT_LABELS)
    ][:_MAX_TABLES]


def _why_not(path: Path, options: DataOptions) -> FovealError | None:
    """Returns why a table cannot give the labels; ``None`` where it can."""
    try:
        table = read_table(path, likely=(*PATH_NAMES, *LABEL_NAMES), encoding=options.encoding)
        find_roles(table, options)
    except FovealError as error:
        return error
    if table.rows:
        return None
    return DataError(
        f"The table '{printable(path.name)}' names its columns, but has no rows.",
        next_step="Write one row for each image.",
    )


def _without_labels_in_tables(
    folder: Path, unusable: dict[Path, FovealError | None], options: DataOptions
) -> Listing:
    """Lists a folder whose tables give no labels; their other columns are joined to the images."""
    listing = list_folder(folder, options)
    names_labels = any(record.label for record in listing.records)
    errors = [error for error in unusable.values() if error is not None]
    if errors and not names_labels:
        raise errors[0]
    notes: list[str] = []
    for path, error in unusable.items():
        joined = columns_by_path(listing, path, options)
        name = printable(path.name)
        if joined is not None:
            listing = joined
            notes.append(f"{name} gives no labels; its other columns were read.")
        elif error is not None:
            notes.append(f"The folders give the labels; {name} was not used: {error.message}")
    if not names_labels:
        others = [r for r in folder.iterdir() if r.suffix.casefold() in _OTHER_TABLES]
        notes += [
            f"{printable(path.name)} is no table that can be read. Save it as CSV with the "
            "columns path and label."
            for path in sorted(others)[:_MAX_TABLES]
        ]
    return _with_notes(listing, *notes)


def _by_folder(folder: Path, options: DataOptions) -> Listing | None:
    """Returns what the folders say; ``None`` where they say nothing that could be classes."""
    try:
        listing = list_folder(folder, options)
    except DataError:
        return None
    labels = {record.label for record in listing.records if record.label is not None}
    return listing if len(labels) > 1 else None


def _by_table(
    folder: Path, tables: list[Path], *, group_column: str | None, options: DataOptions
) -> Listing:
    if len(tables) > 1:
        names = " and ".join(printable(path.name) for path in tables)
        raise DataError(
            f"The folder '{printable(folder.name)}' holds images without class folders, and "
            f"several tables that could give their labels: {names}.",
            next_step=f"Give the right one as DATA: {printable(str(tables[0]))}",
        )
    listing = list_table(tables[0], group_column=group_column, options=options)
    return _with_notes(listing, f"The labels come from {printable(tables[0].name)}.")


def _agree(listing: Listing, by_folder: Listing) -> bool:
    known = {record.path: record.label for record in by_folder.records if record.label}
    told = {record.path: record.label for record in listing.records if not record.problem}
    common = known.keys() & told.keys()
    return len(common) >= 0.95 * len(known) and all(known[path] == told[path] for path in common)


def _with_notes(listing: Listing, *notes: str) -> Listing:
    return dataclasses.replace(listing, notes=(*notes, *listing.notes))

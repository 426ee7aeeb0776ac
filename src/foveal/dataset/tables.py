"""A table with ``path,label`` and perhaps ``group``, ``split`` becomes a listing."""

from __future__ import annotations

import dataclasses
import os
import posixpath
from collections import defaultdict
from pathlib import Path

from foveal.dataset.layouts import SPLIT_NAMES
from foveal.dataset.listing import Listing
from foveal.dataset.manifest import ImageRecord, Split
from foveal.dataset.problems import Problem
from foveal.dataset.rows import Row, Table, read_table
from foveal.dataset.walking import check_file, is_within
from foveal.errors import DataError, UsageError
from foveal.text import near_names, printable

GROUP_COLUMNS = ("group", "approximate_group")


def list_table(path: Path, *, group_column: str | None = None) -> Listing:
    """Lists the images of a table; their paths start from the folder that the table is in.

    A row without a label, with a path that does not exist or that leads elsewhere, is set
    aside with its problem. The first of several equal rows counts; where rows disagree about
    one image, all of them are set aside, because nobody can say which is right.

    Args:
        path: The table, absolute.
        group_column: The column with the groups; by default ``group`` or
            ``approximate_group`` where there is one.

    Raises:
        DataError: The table cannot be read, a row has no path, or a split is unknown.
        UsageError: There is no such ``group_column``.
    """
    table = read_table(path, required=("path", "label"))
    column = _find_group_column(table, group_column)
    real_root = os.path.realpath(path.parent)
    places = [row.place for row in table.rows]
    splits = _read_splits(table)
    records = []
    taken = {"path", "label", "split", column}
    told = tuple(name for name in table.columns if name and name not in taken)
    for row, split in zip(table.rows, splits, strict=True):
        relative, problem = _locate(row, table=table, real_root=real_root)
        label = printable(row.values["label"]) or None
        if label is None and problem is None:
            problem = Problem("missing_label", f"its label is empty ({row.place})")
        group = printable(row.values[column]) or None if column else None
        values = tuple(row.values[name] for name in told)
        records.append(ImageRecord(relative, label, group, split, problem=problem, told=values))
    settled = _settle_repeats(records, places)
    return Listing(path.parent, settled, "table", group_column=column, column_names=told)


def _find_group_column(table: Table, wanted: str | None) -> str | None:
    if wanted is None:
        return next((name for name in GROUP_COLUMNS if name in table.columns), None)
    name = wanted.strip().casefold()
    if name in table.columns:
        return name
    near = near_names(name, table.columns)
    shown = ", ".join(f"'{printable(column)}'" for column in near or table.columns)
    raise UsageError(
        f"The table '{printable(table.path.name)}' has no column '{printable(wanted)}' "
        "to take the groups from.",
        next_step=f"Did you mean {shown}?" if near else f"Its columns are {shown}.",
    )


def _read_splits(table: Table) -> list[Split | None]:
    if "split" not in table.columns:
        return [None] * len(table.rows)
    splits: list[Split | None] = []
    for row in table.rows:
        word = row.values["split"]
        if word and word.casefold() not in SPLIT_NAMES:
            raise DataError(
                f"The table '{printable(table.path.name)}' names the split "
                f"'{printable(word)}' in {row.place}.",
                next_step="A split is train, val or test.",
            )
        splits.append(SPLIT_NAMES[word.casefold()] if word else None)
    if None in splits and any(splits):
        raise DataError(
            f"The table '{printable(table.path.name)}' gives some rows a split, but not "
            f"{table.rows[splits.index(None)].place}.",
            next_step="Fill the column 'split' in every row, or remove it.",
        )
    return splits


def _locate(row: Row, *, table: Table, real_root: str) -> tuple[str, Problem | None]:
    """Returns the path relative to the table's folder, and what keeps it from being read."""
    written = row.values["path"]
    if not written:
        raise DataError(
            f"The table '{printable(table.path.name)}' has no path in {row.place}.",
            next_step="Fill the column 'path', or remove the row.",
        )
    if "\x00" in written:
        return written, Problem("missing", f"its path holds a zero byte ({row.place})")
    root = str(table.path.parent)
    absolute = os.path.normpath(table.path.parent / written)
    if "\\" in written and not os.path.lexists(absolute):
        absolute = os.path.normpath(table.path.parent / written.replace("\\", "/"))
    for folder in (root, real_root):
        if absolute != folder and is_within(absolute, folder):
            relative = posixpath.relpath(absolute, folder)
            return relative, check_file(f"{root}/{relative}", real_root=real_root)
    message = f"it lies outside the table's folder ({row.place})"
    return written, Problem("outside_folder", message)


def _settle_repeats(records: list[ImageRecord], places: list[str]) -> tuple[ImageRecord, ...]:
    """Sets aside all but the first of equal rows, and all rows that disagree."""
    rows_by_path: defaultdict[str, list[int]] = defaultdict(list)
    for index, record in enumerate(records):
        rows_by_path[record.path].append(index)
    settled = list(records)
    for rows in rows_by_path.values():
        if len(rows) == 1:
            continue
        claims = {(records[i].label, records[i].group, records[i].split) for i in rows}
        named = ", ".join(places[i] for i in rows[:5])
        if len(claims) > 1:
            message = f"the rows of the table disagree about its label, group or split ({named})"
            problem = Problem("conflicting_rows", message)
            aside = rows
        else:
            problem = Problem("repeated_row", f"the table names it more than once ({named})")
            aside = rows[1:]
        for index in aside:
            if settled[index].problem is None:
                settled[index] = dataclasses.replace(settled[index], problem=problem)
    return tuple(settled)

"""A table of paths and labels, and perhaps groups and splits, becomes a listing."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from foveal.dataset.folder_levels import split_of
from foveal.dataset.label_values import (
    WrittenLabel,
    describe_class_columns,
    is_missing,
    refuse_what_is_no_class,
    whole_numbers,
)
from foveal.dataset.layouts import label_of
from foveal.dataset.manifest import ImageRecord, Listing, Problem, Split
from foveal.dataset.options import DataOptions
from foveal.dataset.rows import Row, Table, read_table
from foveal.dataset.walking import FileFinder, check_file
from foveal.errors import DataError, FovealError, UsageError
from foveal.text import near_names, printable

GROUP_COLUMNS = ("group", "approximate_group")
PATH_NAMES = (
    *("path", "filepath", "file_path", "image_path", "img_path", "filename", "file_name", "file"),
    *("image_name", "img_name", "image", "img", "image_id", "img_id", "id_code", "image index"),
    *("image_index", "imageid", "picture", "photo", "fname", "name", "id"),
)
LABEL_NAMES = (
    *("label", "labels", "class", "class_name", "classname", "category", "target", "diagnosis"),
    *("dx", "finding", "finding labels", "finding_labels", "ground_truth", "y"),
)
SPLIT_COLUMNS = ("split", "set", "subset", "phase", "partition", "usage", "fold_type")
_SPLIT_FLAGS: dict[str, tuple[Split, Split]] = {
    **dict.fromkeys(("is_valid", "is_val", "is_validation", "valid"), ("val", "train")),
    **dict.fromkeys(("is_test", "is_holdout", "holdout"), ("test", "train")),
    **dict.fromkeys(("is_train", "is_training"), ("train", "test")),
}
_TRUE = frozenset(("true", "1", "1.0", "yes", "t", "y"))
_FALSE = frozenset(("false", "0", "0.0", "no", "f", "n"))
_NEARLY_ALL = 0.95
_DEFAULTS = DataOptions()


def list_table(
    path: Path, *, group_column: str | None = None, options: DataOptions = _DEFAULTS
) -> Listing:
    """Lists the images of a table; relative paths start from the folder that the table is in.

    A row without a label, or with a path that does not exist, is set aside with its problem.
    The first of several equal rows counts; where rows disagree about one image, all of them
    are set aside, because nobody can say which is right. Columns that are called otherwise are
    taken where that leaves no doubt, and noted.

    Args:
        path: The table, absolute.
        group_column: The column with the groups; by default ``group`` or
            ``approximate_group`` where there is one.
        options: Which columns are path and label, and how labels are read.

    Raises:
        DataError: The table cannot be read, a row has no path, a split is unknown, or the
            labels are lists or quantities.
        UsageError: There is no such column.
    """
    table = read_table(path, likely=(*PATH_NAMES, *LABEL_NAMES), encoding=options.encoding)
    finder = FileFinder(path.parent, encoding=table.encoding)
    paths, labels, notes = find_roles(table, options)
    group = _find_group_column(table, group_column)
    split_column, splits = _read_splits(table)
    if split_column not in (None, "split"):
        notes.append(f"The column '{printable(split_column or '')}' was read as the split.")
    taken = {paths, labels, split_column, group}
    told = tuple(name for name in table.columns if name and name not in taken)
    columns = {
        name: whole_numbers([row.values[name] for row in table.rows])
        for name in (*told, *filter(None, (group,)))
    }
    records = []
    for index, (row, split) in enumerate(zip(table.rows, splits, strict=True)):
        found, problem = _locate(row, paths, table=table, finder=finder)
        label, no_label = _read_label(row, labels, options)
        records.append(
            ImageRecord(
                found,
                label,
                printable(columns[group][index]) or None if group else None,
                split,
                problem=problem or no_label,
                told=tuple(columns[name][index] for name in told),
            )
        )
    if options.labels == "checked":
        known = [
            WrittenLabel(record.label, row.where)
            for record, row in zip(records, table.rows, strict=True)
            if record.label is not None
        ]
        refuse_what_is_no_class(known, column=labels, table=printable(path.name))
        notes += _note_missing(table, labels)
    settled = _settle_repeats(records, [row.where for row in table.rows])
    return Listing(
        path.parent,
        settled,
        "table",
        group_column=group,
        notes=(*notes, *finder.notes(), *_note_encoding(table, options)),
        column_names=told,
    )


def columns_by_path(listing: Listing, path: Path, options: DataOptions) -> Listing | None:
    """Joins the columns of a table without labels to the images that its paths name.

    Returns:
        The listing with the columns, or ``None`` where the table cannot be read, has no column
        with paths, or does not name nearly all images once.
    """
    try:
        table = read_table(path, likely=PATH_NAMES, encoding=options.encoding)
        paths = _find_role(table, "path", options.path_column, PATH_NAMES)
    except FovealError:
        return None
    finder = FileFinder(path.parent, encoding=table.encoding)
    names = tuple(name for name in table.columns if name and name != paths)
    columns = [whole_numbers([row.values[name] for row in table.rows]) for name in names]
    told: dict[str, tuple[str, ...]] = {}
    for row, values in zip(table.rows, zip(*columns, strict=True), strict=False):
        if (
            row.values[paths]
            and told.setdefault(finder.find(row.values[paths])[1], values) != values
        ):
            return None
    known = [record.path for record in listing.records if record.problem is None]
    if not names or sum(position in told for position in known) < _NEARLY_ALL * max(1, len(known)):
        return None
    empty = ("",) * len(names)
    return dataclasses.replace(
        listing,
        records=tuple(
            dataclasses.replace(record, told=(*record.told, *told.get(record.path, empty)))
            for record in listing.records
        ),
        column_names=(*listing.column_names, *names),
    )


def find_roles(table: Table, options: DataOptions) -> tuple[str, str, list[str]]:
    """Returns the columns that are path and label, and notes where they are called otherwise.

    Raises:
        DataError: There is no such column, or more than one could be it.
        UsageError: A column that was named is not there.
    """
    paths = _find_role(table, "path", options.path_column, PATH_NAMES)
    labels = _find_role(table, "label", options.label_column, LABEL_NAMES, paths)
    notes = [
        f"The column '{printable(name)}' was read as the {role}. If another one is: "
        f"--{role}-column NAME."
        for role, name, wanted in (
            ("path", paths, options.path_column),
            ("label", labels, options.label_column),
        )
        if wanted is None and name != role
    ]
    return paths, labels, notes


def find_path_column(table: Table, wanted: str | None) -> str:
    """Returns the column with the files.

    Raises:
        DataError: There is none.
        UsageError: The column that was named is not there.
    """
    return _find_role(table, "path", wanted, PATH_NAMES)


def _find_role(
    table: Table, role: str, wanted: str | None, names: Sequence[str], taken: str = ""
) -> str:
    if wanted is not None:
        return _named_column(table, wanted, purpose=f"to read as the {role}")
    if role in table.columns:
        return role
    found = [name for name in names if name in table.columns and name != taken]
    if role == "label" and len(found) > 1:
        shown = " or ".join(f"'{printable(name)}'" for name in found)
        raise DataError(
            f"The table '{printable(table.path.name)}' has no column 'label', but several that "
            f"could be it: {shown}.",
            next_step=f"Say which: --label-column {found[0]}.",
        )
    if found:
        return found[0]
    near = near_names(role, table.columns, limit=1)
    shown = ", ".join(f"'{printable(column)}'" for column in table.columns[:8])
    hint = f"Rename the column '{near[0]}' to '{role}'" if near else "Name it in the first line"
    hint += f", or say which it is: --{role}-column NAME.{_hint_class_columns(table, role)}"
    raise DataError(
        f"The table '{printable(table.path.name)}' has no column '{role}'; its first line names "
        f"{shown}.",
        next_step=hint,
    )


def _hint_class_columns(table: Table, role: str) -> str:
    """Says what to do where every class has a column of zeros and ones, or of probabilities."""
    if role != "label":
        return ""
    return describe_class_columns([(row.where, row.values) for row in table.rows])


def _named_column(table: Table, wanted: str, *, purpose: str) -> str:
    name = wanted.strip().casefold()
    if name in table.columns:
        return name
    near = near_names(name, table.columns)
    shown = ", ".join(f"'{printable(column)}'" for column in near or table.columns)
    raise UsageError(
        f"The table '{printable(table.path.name)}' has no column '{printable(wanted)}' {purpose}.",
        next_step=f"Did you mean {shown}?" if near else f"Its columns are {shown}.",
    )


def _find_group_column(table: Table, wanted: str | None) -> str | None:
    if wanted is None:
        return next((name for name in GROUP_COLUMNS if name in table.columns), None)
    return _named_column(table, wanted, purpose="to take the groups from")


def _read_label(row: Row, column: str, options: DataOptions) -> tuple[str | None, Problem | None]:
    written = label_of(row.values[column])
    if not written:
        return None, Problem("missing_label", f"its label is empty ({row.where})")
    if options.labels == "checked" and is_missing(written):
        message = f"its label is '{written}', which says that there is none ({row.where})"
        return None, Problem("missing_label", message)
    return written, None


def _note_missing(table: Table, column: str) -> list[str]:
    words = Counter(row.values[column] for row in table.rows if is_missing(row.values[column]))
    if not words:
        return []
    shown = ", ".join(f"'{printable(word)}' ({number:,})" for word, number in words.most_common())
    return [
        f"Rows with the label {shown} were set aside, because that says that there is none. If it "
        "is a class: --labels-as-written."
    ]


def _note_encoding(table: Table, options: DataOptions) -> tuple[str, ...]:
    if table.encoding in ("utf-8", "utf-16") or options.encoding is not None:
        return ()
    return (
        f"The table is not UTF-8; it was read as {table.encoding}. If its letters are wrong, name "
        "its encoding: --encoding cp949, for instance.",
    )


def _read_splits(table: Table) -> tuple[str | None, list[Split | None]]:
    """Returns the column that is the split, and the split of each row."""
    if "split" in table.columns:
        return "split", _read_named_splits(table)
    for name in SPLIT_COLUMNS[1:]:
        if name in table.columns:
            splits = [split_of(row.values[name]) for row in table.rows]
            if None not in splits and len(set(splits)) > 1:
                return name, splits
    for name, (when_true, when_false) in _SPLIT_FLAGS.items():
        if name in table.columns:
            words = [row.values[name].casefold() for row in table.rows]
            if set(words) <= _TRUE | _FALSE and set(words) & _TRUE and set(words) & _FALSE:
                return name, [when_true if word in _TRUE else when_false for word in words]
    return None, [None] * len(table.rows)


def _read_named_splits(table: Table) -> list[Split | None]:
    splits: list[Split | None] = []
    for row in table.rows:
        word = row.values["split"]
        split = split_of(word) if word else None
        if word and split is None:
            raise DataError(
                f"The table '{printable(table.path.name)}' names the split "
                f"'{printable(word)}' in {row.where}.",
                next_step="A split is train, val or test.",
            )
        splits.append(split)
    if None in splits and any(splits):
        raise DataError(
            f"The table '{printable(table.path.name)}' gives some rows a split, but not "
            f"{table.rows[splits.index(None)].where}.",
            next_step="Fill the column 'split' in every row, or remove it.",
        )
    return splits


def _locate(
    row: Row, column: str, *, table: Table, finder: FileFinder
) -> tuple[str, Problem | None]:
    """Returns the path relative to the table's folder, and what keeps it from being read."""
    written = row.values[column]
    if not written:
        raise DataError(
            f"The table '{printable(table.path.name)}' has no path in {row.where}.",
            next_step=f"Fill the column '{printable(column)}', or remove the row.",
        )
    if "\x00" in written:
        return written, Problem("missing", f"its path holds a zero byte ({row.where})")
    absolute, relative = finder.find(written)
    return relative, check_file(absolute, real_root=os.sep)


def _settle_repeats(records: list[ImageRecord], where: list[str]) -> tuple[ImageRecord, ...]:
    """Sets aside all but the first of equal rows, and all rows that disagree."""
    rows_by_path: defaultdict[str, list[int]] = defaultdict(list)
    for index, record in enumerate(records):
        rows_by_path[record.path].append(index)
    settled = list(records)
    for rows in rows_by_path.values():
        if len(rows) == 1:
            continue
        claims = {(records[i].label, records[i].group, records[i].split) for i in rows}
        named = ", ".join(where[i] for i in rows[:5])
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

"""Reads CSV, TSV and Parquet as rows of text, and says in which line what is wrong."""

from __future__ import annotations

import contextlib
import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foveal.errors import DataError, MissingExtraError
from foveal.text import count_noun, near_names, printable

TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".parquet", ".pq"})

_PARQUET_SUFFIXES = frozenset({".parquet", ".pq"})
_DELIMITERS = ",;\t|"
_MAX_CELL = 1 << 24  # characters; outlines of masks run to hundreds of thousands


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its values by column, without surrounding blanks, and where it stands.

    ``where`` reads ``"line 7"`` for text tables (where the row begins) and ``"row 6"`` for
    Parquet. Empty values are ``""``.
    """

    values: Mapping[str, str]
    where: str


@dataclass(frozen=True, slots=True)
class Table:
    """A whole table as text. ``columns`` are lower-case and without surrounding blanks.

    ``encoding`` is what its text was read as.
    """

    path: Path
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    encoding: str = "utf-8"


def read_table(
    path: Path,
    *,
    required: Sequence[str] = (),
    likely: Sequence[str] = (),
    encoding: str | None = None,
) -> Table:
    """Reads a table whose first line names its columns; case and blanks do not matter.

    Text is UTF-8, or UTF-16 with a byte-order mark; what is neither is read as Windows-1252,
    of which Latin-1 is a part, unless an encoding is named. Columns are parted by commas,
    semicolons, tabs or bars, whichever yields most of the names that are known, then most
    columns.

    Args:
        path: ``.csv``, ``.tsv`` (anything else is read as text, too) or ``.parquet``.
        required: Columns that must be there.
        likely: Further names that a column may have.
        encoding: Of text that is not UTF-8.

    Raises:
        DataError: The table cannot be read, or lacks a column; file and line are named.
        MissingExtraError: Parquet without pyarrow.
    """
    streamed = stream_table(path, required=required, likely=likely, encoding=encoding)
    return Table(path, streamed.columns, tuple(streamed.rows), streamed.encoding)


@dataclass(frozen=True, slots=True)
class StreamedTable:
    """A table whose rows are made as they are asked for, once; else a :class:`Table`."""

    columns: tuple[str, ...]
    rows: Iterator[Row]
    encoding: str = "utf-8"


def stream_table(
    path: Path,
    *,
    required: Sequence[str] = (),
    likely: Sequence[str] = (),
    encoding: str | None = None,
) -> StreamedTable:
    """Reads a table like :func:`read_table`, row by row.

    A Parquet table takes the memory of one batch of rows; text is held whole.
    """
    if path.suffix.casefold() in _PARQUET_SUFFIXES:
        return _stream_parquet(path, required)
    return _stream_text(path, required, likely, encoding)


def _stream_text(
    path: Path, required: Sequence[str], likely: Sequence[str], wanted: str | None
) -> StreamedTable:
    text, encoding = _decode(path, wanted)
    text, delimiter = _take_named_delimiter(text)
    delimiter = delimiter or _find_delimiter(text, (*required, *likely))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    numbered = _numbered(reader, path)
    header = next(numbered, None)
    if header is None:
        raise DataError(
            f"The table '{_show(path)}' is empty.",
            next_step="Its first line must name the columns: "
            f"{', '.join(required or ('path', 'label'))}.",
        )
    columns = _check_columns(path, header[1], required)
    return StreamedTable(columns, _text_rows(path, columns, numbered), encoding)


def _text_rows(
    path: Path, columns: tuple[str, ...], numbered: Iterator[tuple[int, list[str]]]
) -> Iterator[Row]:
    for line, cells in numbered:
        if len(cells) > len(columns):
            raise DataError(
                f"The table '{_show(path)}' has {len(cells)} values in line {line}, but "
                f"{count_noun(len(columns), 'column')}.",
                next_step="Put values that hold the separator into double quotes.",
            )
        padded = [cell.strip() for cell in cells] + [""] * (len(columns) - len(cells))
        yield Row(dict(zip(columns, padded, strict=True)), f"line {line}")


def _decode(path: Path, wanted: str | None) -> tuple[str, str]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"The table '{_show(path)}' cannot be read: {error.strerror}.",
            next_step="Check the path and its permissions.",
        ) from error
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace"), "utf-16"
    try:
        text, encoding = content.decode("utf-8-sig"), "utf-8"
    except UnicodeDecodeError:
        # cp1252 leaves five bytes undefined; Latin-1 has a character for every byte.
        text, encoding = _decode_as(content, path, wanted or "cp1252", fallback=wanted is None)
    if "\x00" in text:
        line = text[: text.index("\x00")].count("\n") + 1
        raise DataError(
            f"The table '{_show(path)}' holds a zero byte in line {line}, so it is not text.",
            next_step="Save it as CSV in UTF-8.",
        )
    return text, encoding


def _decode_as(content: bytes, path: Path, encoding: str, *, fallback: bool) -> tuple[str, str]:
    try:
        return content.decode(encoding), encoding
    except UnicodeDecodeError as error:
        if fallback:
            return content.decode("latin-1"), "latin-1"
        line = content[: error.start].count(b"\n") + 1
        raise DataError(
            f"The table '{_show(path)}' is not {encoding}: line {line} has bytes that it does "
            "not know.",
            next_step="Name another encoding by --encoding, or save the table in UTF-8.",
        ) from error


def _take_named_delimiter(text: str) -> tuple[str, str]:
    """Returns the text and its separator, where the first line names it as Excel does: sep=;."""
    named = re.match(r"sep=([^\w\s]|\t)(?=\r?\n|\r)", text, re.IGNORECASE)
    # The line stays, as an empty one, so that lines are counted as the file has them.
    return (text, "") if named is None else (text[named.end() :], named.group(1))


def _find_delimiter(text: str, required: Sequence[str]) -> str:
    """Returns the separator under which the first line holds most of the required names."""
    first = next((line for line in text.splitlines() if line.strip()), "")

    def score(delimiter: str) -> tuple[int, int]:
        names = {_column_name(cell) for cell in first.split(delimiter)}
        return len(names & set(required)), len(names)

    return max(_DELIMITERS, key=score)  # a tie goes to the comma, the first of them


def _numbered(reader: Any, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yields every row that is not blank, with the line that it begins in."""
    while True:
        line = reader.line_num + 1
        limit = csv.field_size_limit(_MAX_CELL)  # of the whole process, so it is put back
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DataError(
                f"The table '{_show(path)}' cannot be read from line {line} on: {error}.",
                next_step="Look for a double quote that is not closed, or not doubled.",
            ) from error
        finally:
            csv.field_size_limit(limit)
        if any(cell.strip() for cell in cells):
            yield line, cells


def _stream_parquet(path: Path, required: Sequence[str]) -> StreamedTable:
    try:
        import pyarrow as arrow
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise MissingExtraError("pyarrow", purpose="Reading a Parquet table") from error
    with _named_parquet(path, arrow):
        content = parquet.ParquetFile(path)
    columns = _check_columns(path, content.schema_arrow.names, required)
    return StreamedTable(columns, _parquet_rows(path, columns, content, arrow))


def _parquet_rows(path: Path, columns: tuple[str, ...], content: Any, arrow: Any) -> Iterator[Row]:
    number = 0
    with _named_parquet(path, arrow), content:
        for batch in content.iter_batches():
            cells = [[_as_text(value) for value in column.to_pylist()] for column in batch.columns]
            for values in zip(*cells, strict=True):
                number += 1
                yield Row(dict(zip(columns, values, strict=True)), f"row {number}")


@contextlib.contextmanager
def _named_parquet(path: Path, arrow: Any) -> Iterator[None]:
    try:
        yield
    except (OSError, arrow.ArrowException) as error:
        raise DataError(
            f"The table '{_show(path)}' is not a Parquet file that can be read: "
            f"{printable(str(error))}",
            next_step="Write it again, or save it as CSV.",
        ) from error


def _as_text(value: Any) -> str:
    if value is None or value != value:  # not-a-number is how pandas says "nothing here"
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape").strip()
    return str(value).strip()


def _check_columns(path: Path, header: Sequence[str], required: Sequence[str]) -> tuple[str, ...]:
    columns = tuple(_column_name(cell) for cell in header)
    for name in required:
        if name in columns:
            continue
        near = near_names(name, columns, limit=1)
        hint = f"Rename the column '{near[0]}' to '{name}'" if near else "Name it in the first line"
        shown = ", ".join(f"'{printable(column)}'" for column in columns[:8])
        raise DataError(
            f"The table '{_show(path)}' has no column '{name}'; its first line names {shown}.",
            next_step=f"{hint}; needed are: {', '.join(required)}.",
        )
    for name in columns:
        if name and columns.count(name) > 1:
            raise DataError(
                f"The table '{_show(path)}' has two columns '{printable(name)}'.",
                next_step="Rename one of them.",
            )
    return columns


def _column_name(cell: str) -> str:
    return cell.strip().strip('"').strip().casefold()


def _show(path: Path) -> str:
    return printable(path.name)

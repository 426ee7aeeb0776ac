"""A data frame in memory becomes a table on disk, so that it is read like any other table."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from foveal.errors import UsageError


@contextlib.contextmanager
def on_disk(data: Any) -> Iterator[Path]:
    """Yields the path of ``data``: its own, or that of a table written for the time being.

    Args:
        data: A path; a pandas or polars data frame; or a mapping of column names to columns.
            Relative paths in it start from the current folder.

    Raises:
        UsageError: It is none of these.
    """
    if isinstance(data, (str, os.PathLike)):
        yield Path(data)
        return
    names = list(data) if isinstance(data, Mapping) else getattr(data, "columns", None)
    if names is None:
        raise UsageError(
            f"data: got {type(data).__name__}, expected a path, a data frame or a "
            "mapping of columns.",
            next_step='Give {"path": [...], "label": [...]}, or the folder of the images.',
        )
    import pyarrow as pa
    from pyarrow import parquet

    columns = {str(name): _absolute([_text(value) for value in data[name]]) for name in names}
    try:
        table = pa.table({name: pa.array(column, pa.string()) for name, column in columns.items()})
    except pa.ArrowInvalid as error:
        lengths = ", ".join(f"{name}: {len(column)}" for name, column in columns.items())
        raise UsageError(
            f"The columns differ in length ({lengths}).",
            next_step="Give one value a row in every column.",
        ) from error
    with tempfile.TemporaryDirectory(prefix="foveal-") as folder:
        file = Path(folder) / "table.parquet"
        parquet.write_table(table, file)
        yield file


def _text(value: Any) -> str | None:
    """Returns the value as a table on disk would hold it; NaN and None are empty."""
    is_missing = value is None or value != value
    return None if is_missing else str(value)


def _absolute(column: list[str | None]) -> list[str | None]:
    """Returns a column of paths from the current folder as paths from the root."""
    first = next((value for value in column if value), None)
    if first is None or not _is_file(first):
        return column
    return [os.path.abspath(value) if value else value for value in column]  # noqa: PTH100


def _is_file(text: str) -> bool:
    with contextlib.suppress(OSError, ValueError):
        return Path(text).is_file()
    return False

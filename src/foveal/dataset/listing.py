"""What a folder or a table names, before any image is opened."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from foveal.dataset.manifest import ImageRecord, Layout


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

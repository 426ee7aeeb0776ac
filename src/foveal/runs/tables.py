"""The run's tables: what the data held, and what was answered out of fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, SupportsInt

import numpy as np

from foveal.dataset import ImageRecord, SeenImages
from foveal.dataset.duplicates import shows_something, sketch_records
from foveal.dataset.near_pairs import SKETCH_PX
from foveal.runs.folder import MANIFEST_TABLE_NAME, OUT_OF_FOLD_NAME
from foveal.runs.reading import named_as_altered
from foveal.text import printable

if TYPE_CHECKING:
    from foveal.training import TrainedClassifier

ColumnType = Literal["string", "bool", "sketch", "int32", "int64", "float"]


def write_manifest_table(folder: Path, trained: TrainedClassifier) -> None:
    """Writes ``manifest.parquet``: one row a file, those set aside included."""
    import pyarrow as pa

    records = trained.manifest.records
    usable = trained.manifest.usable
    fused = dict(zip(map(id, usable), trained.groups, strict=True))
    fitted = {id(usable[row]) for row in trained.judged.fitted_rows}
    columns = {
        "path": pa.array([printable(record.path) for record in records], pa.string()),
        "label": pa.array([_shown(record.label) for record in records], pa.string()),
        "group": pa.array([_shown(record.group) for record in records], pa.string()),
        "fused_group": pa.array([_number(fused.get(id(record))) for record in records], pa.int64()),
        "split": pa.array([record.split for record in records], pa.string()),
        "digest": pa.array([record.digest for record in records], pa.string()),
        "pixel_digest": pa.array([record.pixel_digest for record in records], pa.string()),
        "sketch": pa.array(_sketches(records), pa.binary(SKETCH_PX**2)),
        "is_fitted": pa.array([id(record) in fitted for record in records], pa.bool_()),
        "size_bytes": pa.array([record.size_bytes for record in records], pa.int64()),
        "width_px": pa.array([record.width_px for record in records], pa.int32()),
        "height_px": pa.array([record.height_px for record in records], pa.int32()),
        "format": pa.array([record.format for record in records], pa.string()),
        "stored_mode": pa.array([record.stored_mode for record in records], pa.string()),
        "bits_per_sample": pa.array([record.bits_per_sample for record in records], pa.int32()),
        "grey_mean": pa.array([record.grey_mean for record in records], pa.float64()),
        "notes": pa.array(["; ".join(record.notes) for record in records], pa.string()),
        "problem": pa.array(
            [record.problem.code if record.problem else None for record in records], pa.string()
        ),
        "problem_message": pa.array(
            [record.problem.message if record.problem else None for record in records], pa.string()
        ),
    }
    _write(pa.table(columns), folder / MANIFEST_TABLE_NAME)


def write_out_of_fold(folder: Path, trained: TrainedClassifier) -> None:
    """Writes ``oof.parquet``: ``path, label, group, fold`` and one ``logit_<class>`` a class."""
    import pyarrow as pa

    judged = trained.judged
    records = [trained.manifest.usable[row] for row in judged.rows]
    groups = [
        _shown(record.group) or f"#{trained.groups[row]}"
        for record, row in zip(records, judged.rows, strict=True)
    ]
    columns = {
        "path": pa.array([printable(record.path) for record in records], pa.string()),
        "label": pa.array([_shown(record.label) for record in records], pa.string()),
        "group": pa.array(groups, pa.string()),
        "fold": pa.array(judged.fold_index, pa.int64()),
    }
    for index, name in enumerate(trained.evidence.data.class_names):
        columns[f"logit_{name}"] = pa.array(judged.logits[:, index], pa.float64())
    _write(pa.table(columns), folder / OUT_OF_FOLD_NAME)


@dataclass(frozen=True, slots=True)
class UsableImage:
    """An image that was trained on: its path, printable, its label, and its file's digest."""

    path: str
    label: str
    digest: str


def read_usable(folder: Path) -> tuple[UsableImage, ...]:
    """Returns the images that a run was made from, in the order of its rows.

    Raises:
        RunAlteredError: The table is none, or lacks a column of the type it was written with.
    """
    return tuple(
        UsableImage(row["path"], row["label"], row["digest"] or "")
        for row in _read(folder, dict.fromkeys(("path", "label", "digest", "problem"), "string"))
        if row["problem"] is None and row["label"] is not None
    )


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells an image from others: digests of its file and pixels, and its group.

    The group is the one that was kept on one side of a fold, near duplicates included.
    """

    digest: str
    pixel_digest: str
    group: int


def read_identities(folder: Path) -> dict[str, Identity]:
    """Returns the images that a run was made from by their path.

    Raises:
        RunAlteredError: The table is none, or lacks a column of the type it was written with.
    """
    columns: dict[str, ColumnType] = dict.fromkeys(("path", "digest", "pixel_digest"), "string")
    columns |= {"fused_group": "int64"}
    return {
        row["path"]: Identity(row["digest"] or "", row["pixel_digest"] or "", row["fused_group"])
        for row in _read(folder, columns)
        if row["fused_group"] is not None
    }


@dataclass(frozen=True, slots=True)
class CaseRow:
    """What the case mix of a run is made of; ``grey_mean`` is unknown in runs of old."""

    label: str
    group: int
    width_px: int
    height_px: int
    format: str
    stored_mode: str
    grey_mean: float | None


def read_cases(folder: Path) -> tuple[CaseRow, ...]:
    """Returns what is known of the images that a run was made from.

    Raises:
        RunAlteredError: The table is none, or lacks a column of the type it was written with.
    """
    columns: dict[str, ColumnType] = {"label": "string", "fused_group": "int64"}
    columns |= dict.fromkeys(("width_px", "height_px"), "int32")
    columns |= dict.fromkeys(("format", "stored_mode"), "string")
    if "grey_mean" in _columns_of(folder):
        columns["grey_mean"] = "float"
    return tuple(
        CaseRow(
            label=row["label"],
            group=row["fused_group"],
            width_px=row["width_px"],
            height_px=row["height_px"],
            format=row["format"] or "",
            stored_mode=row["stored_mode"] or "",
            grey_mean=row.get("grey_mean"),
        )
        for row in _read(folder, columns)
        if row["fused_group"] is not None
    )


def _columns_of(folder: Path) -> frozenset[str]:
    from pyarrow import parquet

    with (
        named_as_altered(folder, MANIFEST_TABLE_NAME),
        (folder / MANIFEST_TABLE_NAME).open("rb") as stream,
    ):
        return frozenset(parquet.read_schema(stream).names)


def read_out_of_fold(folder: Path, class_names: Sequence[str]) -> dict[str, list[Any]]:
    """Returns the columns of ``oof.parquet``, one ``logit_<class>`` a class among them.

    Raises:
        RunAlteredError: The table is none, or lacks a column of the type it was written with.
    """
    columns: dict[str, ColumnType] = {"path": "string", "label": "string", "group": "string"}
    columns |= {
        "fold": "int64",
        **dict.fromkeys((f"logit_{name}" for name in class_names), "float"),
    }
    rows = _read(folder, columns, file=OUT_OF_FOLD_NAME)
    return {name: [row[name] for row in rows] for name in columns}


def read_seen(folder: Path) -> SeenImages:
    """Returns what is kept of the images that a run's classifier was fitted to.

    Raises:
        RunAlteredError: The table is none, or lacks a column of the type it was written with.
    """
    columns: dict[str, ColumnType] = {"digest": "string", "pixel_digest": "string"}
    columns |= {"sketch": "sketch", "is_fitted": "bool"}
    fitted = [row for row in _read(folder, columns) if row["is_fitted"]]
    sketches = [row["sketch"] for row in fitted if row["sketch"] is not None]
    return SeenImages(
        digests=frozenset(row["digest"] for row in fitted if row["digest"]),
        pixel_digests=frozenset(row["pixel_digest"] for row in fitted if row["pixel_digest"]),
        sketches=np.frombuffer(b"".join(sketches), np.uint8).reshape(-1, SKETCH_PX, SKETCH_PX),
    )


def _read(
    folder: Path, columns: Mapping[str, ColumnType], *, file: str = MANIFEST_TABLE_NAME
) -> list[Any]:
    """Returns rows of a table, after checking the types of their columns."""
    import pyarrow as pa
    from pyarrow import parquet

    types = {"string": pa.string(), "bool": pa.bool_(), "sketch": pa.binary(SKETCH_PX**2)}
    types |= {"int32": pa.int32(), "int64": pa.int64(), "float": pa.float64()}
    schema = pa.schema([(name, types[kind]) for name, kind in columns.items()])
    with (
        named_as_altered(folder, file),
        (folder / file).open("rb") as stream,
    ):
        table = parquet.read_table(stream, columns=schema.names)
        if table.schema.remove_metadata() != schema:
            raise ValueError(f"got columns {table.schema}, expected {schema}")
        rows: list[Any] = table.to_pylist()
    return rows


def _sketches(records: Sequence[ImageRecord]) -> list[bytes | None]:
    """Returns each image's sketch; ``None`` for one that shows nothing or was not read."""
    shown = [row for row, record in enumerate(records) if shows_something(record)]
    sketches: list[bytes | None] = [None] * len(records)
    for row, one in zip(shown, sketch_records([records[row] for row in shown]), strict=True):
        sketches[row] = one.tobytes()
    return sketches


def _write(table: Any, file: Path) -> None:
    from pyarrow import parquet

    # Opened here, since pyarrow does not take a path that is no UTF-8.
    with file.open("wb") as stream:
        parquet.write_table(table, stream)


def _shown(text: str | None) -> str | None:
    return None if text is None else printable(text)


def _number(value: SupportsInt | None) -> int | None:
    return None if value is None else int(value)

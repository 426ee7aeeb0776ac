"""The run's tables: what the data held, and what was answered out of fold."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsInt

from foveal.runs.folder import MANIFEST_TABLE_NAME, OUT_OF_FOLD_NAME
from foveal.text import printable

if TYPE_CHECKING:
    from foveal.training import TrainedClassifier


def write_manifest_table(folder: Path, trained: TrainedClassifier) -> None:
    """Writes ``manifest.parquet``: one row a file, those set aside included."""
    import pyarrow as pa

    records = trained.manifest.records
    fused = dict(zip(map(id, trained.manifest.usable), trained.groups, strict=True))
    columns = {
        "path": pa.array([printable(record.path) for record in records], pa.string()),
        "label": pa.array([_shown(record.label) for record in records], pa.string()),
        "group": pa.array([_shown(record.group) for record in records], pa.string()),
        "fused_group": pa.array([_number(fused.get(id(record))) for record in records], pa.int64()),
        "split": pa.array([record.split for record in records], pa.string()),
        "digest": pa.array([record.digest for record in records], pa.string()),
        "size_bytes": pa.array([record.size_bytes for record in records], pa.int64()),
        "width_px": pa.array([record.width_px for record in records], pa.int32()),
        "height_px": pa.array([record.height_px for record in records], pa.int32()),
        "format": pa.array([record.format for record in records], pa.string()),
        "stored_mode": pa.array([record.stored_mode for record in records], pa.string()),
        "bits_per_sample": pa.array([record.bits_per_sample for record in records], pa.int32()),
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


def read_digests(folder: Path) -> frozenset[str]:
    """Returns the digests of the images a run was made from."""
    from pyarrow import parquet

    with (folder / MANIFEST_TABLE_NAME).open("rb") as stream:
        table = parquet.read_table(stream, columns=["digest", "problem"])
    rows = zip(table["digest"].to_pylist(), table["problem"].to_pylist(), strict=True)
    return frozenset(digest for digest, problem in rows if digest and problem is None)


def _write(table: Any, file: Path) -> None:
    from pyarrow import parquet

    # Opened here, since pyarrow does not take a path that is no UTF-8.
    with file.open("wb") as stream:
        parquet.write_table(table, stream)


def _shown(text: str | None) -> str | None:
    return None if text is None else printable(text)


def _number(value: SupportsInt | None) -> int | None:
    return None if value is None else int(value)

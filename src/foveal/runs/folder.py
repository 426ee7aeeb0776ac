"""The run folder as a whole: the names of its files, sealed when written, checked when read."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from foveal.errors import RunAlteredError, RunIncompleteError
from foveal.text import printable

MANIFEST_NAME = "manifest.json"
CONFIG_NAME = "config.json"
WEIGHTS_NAME = "model.safetensors"
ONNX_NAME = "model.onnx"
PREPROCESSING_NAME = "preprocessing.json"
EVALUATION_NAME = "evaluation.json"
NOVELTY_NAME = "novelty.safetensors"
MANIFEST_TABLE_NAME = "manifest.parquet"
OUT_OF_FOLD_NAME = "oof.parquet"
HISTORY_NAME = "history.jsonl"
REPORT_NAME = "report.html"
CARD_NAME = "README.md"
RUN_FORMAT = 1


def seal(folder: Path, facts: dict[str, Any]) -> None:
    """Writes ``manifest.json``: the facts, and the digest and size of every file there is.

    What the manifest vouches for is on the disk before the manifest is.
    """
    files = {}
    for path in sorted(folder.iterdir()):
        _flush(path)
        files[path.name] = {"sha256": _digest(path), "bytes": path.stat().st_size}
    content = {"foveal_run": RUN_FORMAT, **facts, "files": files}
    manifest = folder / MANIFEST_NAME
    manifest.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf-8")
    _flush(manifest)


def read_manifest(folder: Path) -> dict[str, Any]:
    """Returns the contents of a run's ``manifest.json``.

    Raises:
        RunIncompleteError: The folder is missing, was never finished, or is no run.
    """
    name = printable(str(folder))
    if not folder.is_dir():
        raise RunIncompleteError(
            f"There is no run folder {name}.",
            next_step="Make one with: foveal train DATA --out RUN",
        )
    try:
        content = json.loads((folder / MANIFEST_NAME).read_text("utf-8"))
    except OSError:
        raise RunIncompleteError(
            f"{name} has no {MANIFEST_NAME}: it is no run folder, or was never finished.",
            next_step="Make one with: foveal train DATA --out RUN",
        ) from None
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict) or not isinstance(content.get("files"), dict):
        raise RunIncompleteError(
            f"{name}/{MANIFEST_NAME} is not a run's manifest.",
            next_step="Make a run with: foveal train DATA --out RUN",
        )
    if content.get("foveal_run") != RUN_FORMAT:
        raise RunIncompleteError(
            f"{name} has run format {content.get('foveal_run')!r}; this version reads "
            f"{RUN_FORMAT}.",
            next_step="Use the version of Foveal that wrote it, or train again.",
        )
    return content


def verify_files(folder: Path, manifest: dict[str, Any], names: tuple[str, ...]) -> None:
    """Checks that the named files are as they were written.

    Raises:
        RunAlteredError: One is missing or has another digest.
    """
    for name in names:
        recorded = manifest["files"].get(name)
        path = folder / name
        if recorded is None or not path.is_file():
            raise RunAlteredError(
                f"{printable(str(path))} is missing from the run.",
                next_step="Restore the folder from a copy, or train again.",
            )
        if not isinstance(recorded, dict) or _digest(path) != recorded.get("sha256"):
            raise RunAlteredError(
                f"{printable(str(path))} was altered since the run was written: its digest "
                "differs from the recorded one.",
                next_step="Restore the folder from a copy, or train again.",
            )


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _flush(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())

"""The run folder as a whole: the names of its files, sealed when written, checked when read."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from foveal.errors import RunAlteredError, RunIncompleteError, SchemaError
from foveal.files import write_atomically
from foveal.schema import VERSIONS, stamped, unstamped
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
EXPLANATIONS_NAME = "explanations.json"
REPORT_RECORD_NAME = "report.json"
REPORT_NAME = "report.html"
CARD_NAME = "README.md"


def seal(folder: Path, facts: dict[str, Any]) -> None:
    """Writes ``manifest.json``: the facts, and the digest and size of every file there is.

    What the manifest vouches for is on the disk before the manifest is.
    """
    files = {path.name: _record(path) for path in sorted(folder.iterdir())}
    manifest = folder / MANIFEST_NAME
    manifest.write_bytes(json_bytes(stamped("run", {**facts, "files": files})))
    _flush(manifest)


def replace_files(folder: Path, manifest: dict[str, Any], contents: Mapping[str, bytes]) -> None:
    """Replaces files of a finished run, and their digests in ``manifest.json`` after them."""
    for name, content in contents.items():
        write_atomically(folder / name, content)
    files = {**manifest["files"], **{name: _record(folder / name) for name in contents}}
    write_atomically(folder / MANIFEST_NAME, json_bytes({**manifest, "files": files}))


def json_bytes(content: Mapping[str, Any]) -> bytes:
    """Returns JSON as the files of a run hold it."""
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()


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
    try:
        unstamped("run", content)
    except SchemaError as error:
        older = content.get("foveal_run")
        reason = error.message if older is None else f"it has run format {printable(str(older))}"
        raise RunIncompleteError(
            f"{name} was written by another version of Foveal: {reason}; this version reads "
            f"foveal.run version {VERSIONS['run']}.",
            next_step="Train again with this version, or use the version that wrote it.",
        ) from None
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
        if not isinstance(recorded, dict) or file_digest(path) != recorded.get("sha256"):
            raise RunAlteredError(
                f"{printable(str(path))} was altered since the run was written: its digest "
                "differs from the recorded one.",
                next_step="Restore the folder from a copy, or train again.",
            )


def _record(path: Path) -> dict[str, Any]:
    _flush(path)
    return {"sha256": file_digest(path), "bytes": path.stat().st_size}


def file_digest(path: Path) -> str:
    """Returns the SHA-256 of a file, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _flush(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())

"""Reads from a finished run what its checklists ask for, without drawing its report."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

from foveal.errors import DataError, SchemaError
from foveal.evaluation.evidence import Evidence
from foveal.reporting.checklists.item import RunFacts
from foveal.reporting.from_training import ReportRecord
from foveal.runs.folder import (
    EVALUATION_NAME,
    EXPLANATIONS_NAME,
    REPORT_RECORD_NAME,
    read_manifest,
    verify_files,
)
from foveal.runs.reading import read_evidence, read_explanations, read_typed
from foveal.schema import unstamped
from foveal.text import printable

_NEEDED = (EVALUATION_NAME, EXPLANATIONS_NAME, REPORT_RECORD_NAME)


def read_facts(folder: Path, *, external: Path | None = None) -> RunFacts:
    """Returns what a run knows.

    Args:
        folder: The run.
        external: What ``foveal evaluate --json`` printed about data from elsewhere.

    Raises:
        DataError: ``external`` is no such file.
        RunError: The run cannot be read.
    """
    manifest = read_manifest(folder)
    verify_files(folder, manifest, _NEEDED)
    evidence, audit = read_evidence(folder)
    config = manifest.get("config")
    return RunFacts(
        evidence=evidence,
        audit=audit,
        provenance=read_typed(folder, REPORT_RECORD_NAME, ReportRecord, schema="report").provenance,
        explanations=read_explanations(folder),
        config=config if isinstance(config, dict) else {},
        external=None if external is None else _read_evaluation(external),
    )


def _read_evaluation(path: Path) -> Evidence:
    try:
        content = unstamped("evaluate", json.loads(path.read_text("utf-8")))
        known = {field.name for field in fields(Evidence)}
        return Evidence.from_json({key: content[key] for key in content if key in known})
    except (OSError, ValueError, SchemaError) as error:
        raise DataError(
            f"'{printable(str(path))}' is not what foveal evaluate --json writes: "
            f"{printable(str(error))}",
            next_step="Write it: foveal evaluate RUN DATA --json > FILE.",
        ) from error

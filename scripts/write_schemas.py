"""Writes docs/schemas: a JSON Schema for all JSON that Foveal writes under a schema's name.

Run it from the project's folder: ``python scripts/write_schemas.py``. A test fails while what is
published differs from the type hints.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from foveal.cli import outputs
from foveal.dataset import Audit
from foveal.evaluation import Evidence
from foveal.evaluation.evidence import later_parts
from foveal.evaluation.external import ExternalTest
from foveal.features.probe import ProbeMemory
from foveal.learn import outputs as learn_outputs
from foveal.learn.labs.lab import LabResult
from foveal.reporting.from_training import ReportRecord
from foveal.runs.comparing import RunComparison
from foveal.runs.model_files import OnnxMetadata
from foveal.schema import json_schema
from foveal.serving.outputs import RunsListed, ServedAnswer, ServedExplanation
from foveal.sharding.ledger import LedgerFacts
from foveal.sharding.parts import PartFooter
from foveal.shortcuts.explained_run import ExplainedRun

FOLDER = Path(__file__).parent.parent / "docs" / "schemas"


def evidence_schema(name: str, **further: Any) -> Any:
    """Returns the schema of evidence; the estimate of the coverage stands beside its interval."""
    schema = json_schema(name, Evidence, further=further)
    sets = schema["$defs"]["PredictionSets"]
    sets["properties"]["coverage_interval"] = sets["properties"]["coverage"]
    sets["properties"]["coverage"] = {"type": ["number", "null"]}
    sets["required"].append("coverage_interval")
    schema["required"] = [key for key in schema["required"] if key not in later_parts()]
    return schema


SCHEMAS: dict[str, Any] = {
    "audit": json_schema("audit", Audit),
    "checklist": json_schema("checklist", outputs.FilledChecklist),
    "compare": json_schema("compare", RunComparison),
    "drift": json_schema("drift", ExternalTest),
    "evaluate": evidence_schema("evaluate", num_seen=int, external=ExternalTest | None),
    "evaluation": evidence_schema("evaluation", audit=Audit, explanations=Any),
    "explain": json_schema("explain", outputs.Explanations),
    "explanations": json_schema("explanations", ExplainedRun),
    "export": json_schema("export", outputs.Exported),
    "inspect": json_schema("inspect", outputs.Inspection),
    "inspect.comparison": json_schema("inspect.comparison", outputs.Comparison),
    "lab": json_schema(
        "lab",
        LabResult,
        further={
            "lab": str,
            "title": str,
            "topics": tuple[int, ...],
            "question": str,
            "choices": dict[str, str],
            "guess": str | None,
            "machine": str,
            "command": str,
        },
    ),
    "lab.list": json_schema("lab.list", outputs.LabList),
    "learn.items": json_schema("learn.items", learn_outputs.Items),
    "learn.recheck": json_schema("learn.recheck", learn_outputs.Rechecked),
    "learn.topics": json_schema("learn.topics", learn_outputs.TopicStates),
    "learn.variants": json_schema("learn.variants", learn_outputs.Variants),
    "ledger": json_schema("ledger", LedgerFacts),
    "lint": json_schema("lint", outputs.Lint),
    "onnx": json_schema("onnx", OnnxMetadata),
    "part": json_schema("part", PartFooter),
    "predict": json_schema("predict", outputs.Predictions),
    "predict.shards": json_schema("predict.shards", outputs.ShardedPredictions),
    "preprocessing": json_schema("preprocessing", outputs.PreparedImages),
    "probe": json_schema("probe", ProbeMemory),
    "report": json_schema("report", ReportRecord),
    "report.drawn": json_schema("report.drawn", outputs.Drawn),
    "run": json_schema("run", outputs.RunManifest),
    "serve.answer": json_schema("serve.answer", ServedAnswer),
    "serve.explanation": json_schema("serve.explanation", ServedExplanation),
    "serve.runs": json_schema("serve.runs", RunsListed),
    "train": evidence_schema("train", run=str, audit=Audit, explanations=Any),
    "visualise": json_schema("visualise", outputs.Visualisation),
}


def contents() -> dict[str, str]:
    """Returns the text of each file by its name."""
    return {
        f"{name}.json": json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        for name, schema in SCHEMAS.items()
    }


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in contents().items():
        (FOLDER / name).write_text(text, "utf-8")

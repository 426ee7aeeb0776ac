"""Writes docs/schemas: a JSON Schema for each file of a run that is read back into a type.

Run it from the project's folder: ``python scripts/write_schemas.py``. A test fails while what is
published differs from the type hints.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from foveal.dataset import Audit
from foveal.evaluation import Evidence
from foveal.reporting.from_run import ReportRecord
from foveal.schema import json_schema
from foveal.shortcuts.explained_run import ExplainedRun

FOLDER = Path(__file__).parent.parent / "docs" / "schemas"


def evaluation_schema() -> Any:
    """Returns the schema of ``evaluation.json``; the estimate of the coverage stands alone."""
    schema = json_schema("evaluation", Evidence, further={"audit": Audit, "explanations": Any})
    sets = schema["$defs"]["PredictionSets"]
    sets["properties"]["coverage_interval"] = sets["properties"]["coverage"]
    sets["properties"]["coverage"] = {"type": ["number", "null"]}
    sets["required"].append("coverage_interval")
    return schema


SCHEMAS: dict[str, Any] = {
    "audit": json_schema("audit", Audit),
    "evaluation": evaluation_schema(),
    "explanations": json_schema("explanations", ExplainedRun),
    "report": json_schema("report", ReportRecord),
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

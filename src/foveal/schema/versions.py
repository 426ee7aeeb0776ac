"""Name and version of every schema, in front of all JSON that Foveal writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from foveal.errors import SchemaError
from foveal.schema.forms import refuse, shown

VERSIONS: dict[str, int] = {
    "audit": 1,
    "checklist": 1,
    "compare": 1,
    "drift": 1,
    "evaluate": 2,
    "evaluation": 3,
    "explain": 1,
    "explanations": 2,
    "export": 1,
    "inspect": 1,
    "inspect.comparison": 1,
    "lab": 1,
    "lab.list": 1,
    "learn.items": 1,
    "learn.recheck": 1,
    "learn.topics": 1,
    "learn.variants": 1,
    "ledger": 1,
    "lint": 2,
    "onnx": 1,
    "part": 1,
    "predict": 1,
    "predict.shards": 1,
    "preprocessing": 1,
    "probe": 1,
    "report": 3,
    "report.drawn": 1,
    "run": 2,
    "serve.answer": 1,
    "serve.explanation": 1,
    "serve.runs": 1,
    "train": 2,
    "visualise": 1,
}
"""Every schema and its version, which rises when a reader of the older one would fail."""

PREFIX = "foveal."


def stamped(name: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """Returns ``content`` with the schema's name and version in front.

    >>> stamped("audit", {"num_images": 3})
    {'schema': 'foveal.audit', 'version': 1, 'num_images': 3}
    """
    return {"schema": PREFIX + name, "version": VERSIONS[name], **content}


def unstamped(name: str, content: object) -> dict[str, Any]:
    """Returns ``content`` without its schema's name and version, which must be ours.

    Raises:
        SchemaError: It is no object, or of another schema or version.
    """
    if not isinstance(content, dict):
        refuse("", content, "an object")
    found = content.get("schema"), content.get("version")
    if found != (PREFIX + name, VERSIONS[name]) or isinstance(found[1], bool):
        got = "no schema" if found[0] is None else f"{shown(found[0])} version {shown(found[1])}"
        raise SchemaError(
            f"schema: got {got}, expected {PREFIX}{name} version {VERSIONS[name]}",
            next_step="Make it again with this version of Foveal.",
        )
    return {key: value for key, value in content.items() if key not in ("schema", "version")}

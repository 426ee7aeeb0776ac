"""docs/schemas says what the files of a run are: as the type hints have it, and as they are."""

from __future__ import annotations

import copy
import json
import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[1]
PUBLISHED = FOLDER / "docs" / "schemas"
NAMES = ("audit", "evaluation", "explanations", "report")

_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
}


def faults(value: Any, schema: Any, whole: Any, place: str = "") -> Iterator[str]:
    """Where a value is not what a JSON Schema asks; of the vocabulary that docs/schemas uses."""
    known = {"$ref", "type", "enum", "const", "anyOf", "properties", "required", "items"}
    known |= {"additionalProperties", "prefixItems", "minItems", "description", "title"}
    assert set(schema) <= known | {"$schema", "$defs"}, set(schema) - known
    if "$ref" in schema:
        yield from faults(value, whole["$defs"][schema["$ref"].rpartition("/")[2]], whole, place)
    if "const" in schema and value != schema["const"]:
        yield f"{place}: const"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{place}: enum"
    if "anyOf" in schema and all([*faults(value, one, whole, place)] for one in schema["anyOf"]):
        yield f"{place}: anyOf"
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(_TYPES[kind](value) for kind in kinds):
        yield f"{place}: type"
        return
    if isinstance(value, dict):
        yield from (
            f"{place}.{key}: missing" for key in schema.get("required", ()) if key not in value
        )
        for key, one in value.items():
            inner = schema.get("properties", {}).get(key, schema.get("additionalProperties", {}))
            if inner is False:
                yield f"{place}.{key}: unknown"
            else:
                yield from faults(one, inner, whole, f"{place}.{key}")
    if isinstance(value, list):
        first = schema.get("prefixItems", [])
        for position, one in enumerate(value):
            inner = first[position] if position < len(first) else schema.get("items", {})
            if inner is False:
                yield f"{place}[{position}]: unknown"
            else:
                yield from faults(one, inner, whole, f"{place}[{position}]")
        if len(value) < schema.get("minItems", 0):
            yield f"{place}: minItems"


def published(name: str) -> Any:
    return json.loads((PUBLISHED / f"{name}.json").read_text("utf-8"))


def test_what_is_published_is_what_the_type_hints_say() -> None:
    contents = runpy.run_path(str(FOLDER / "scripts" / "write_schemas.py"))["contents"]()
    found = {file.name: file.read_text("utf-8") for file in PUBLISHED.iterdir()}
    assert found == contents, "run: python scripts/write_schemas.py"
    assert sorted(contents) == [f"{name}.json" for name in NAMES]


@pytest.mark.parametrize("name", ["evaluation", "explanations", "report"])
def test_the_files_of_a_run_are_as_published(run_folder: Path, name: str) -> None:
    content = json.loads((run_folder / f"{name}.json").read_text("utf-8"))
    schema = published(name)
    assert [*faults(content, schema, schema)] == []


def test_the_audit_as_json_is_as_published(foveal: Callable[..., Any], shapes: Path) -> None:
    schema = published("audit")
    assert [*faults(json.loads(foveal("audit", shapes, "--json").out), schema, schema)] == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda c: c.pop("metrics"), ".metrics: missing"),
        (lambda c: c.update(extra=1), ".extra: unknown"),
        (lambda c: c.update(version=99), ".version: const"),
        (lambda c: c["protocol"].update(kind="guess"), ".protocol.kind: enum"),
        (lambda c: c["data"].update(num_images="36"), ".data.num_images: type"),
        (lambda c: c["stability"]["size_px"].append(1), ".stability: anyOf"),
    ],
)
def test_what_is_not_as_published_is_seen(
    run_folder: Path, change: Callable[[Any], None], fault: str
) -> None:
    content = copy.deepcopy(json.loads((run_folder / "evaluation.json").read_text("utf-8")))
    change(content)
    schema = published("evaluation")
    assert [*faults(content, schema, schema)] == [fault]

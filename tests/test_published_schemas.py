"""docs/schemas says what the files of a run are: as the type hints have it, and as they are."""

from __future__ import annotations

import copy
import json
import re
import runpy
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import onnx
import pytest

from foveal.learn.progress import Review, dump_progress
from foveal.schema import VERSIONS

FOLDER = Path(__file__).parents[1]
PUBLISHED = FOLDER / "docs" / "schemas"
NAMES = (
    *("audit", "checklist", "compare", "drift", "evaluate", "evaluation", "explain"),
    *("explanations", "export", "inspect", "inspect.comparison", "lab", "lab.list", "lint"),
    *("predict", "predict.shards", "preprocessing"),
    *("report", "report.drawn", "run", "train", "visualise"),
    *("serve.answer", "serve.explanation", "serve.runs"),
    *("learn.items", "learn.recheck", "learn.topics", "learn.variants"),
    *("ledger", "onnx", "part", "probe"),
)
# Files of a run, by the schema they have.
FILES = {
    "evaluation": "evaluation.json",
    "explanations": "explanations.json",
    "preprocessing": "preprocessing.json",
    "report": "report.json",
    "run": "manifest.json",
}
# One command at least for every other; OUT is a folder, NET a file with networks.
COMMANDS = {
    "audit": [("audit", "SHAPES"), ("audit", "BAD")],
    "compare": [("compare", "RUN", "RUN"), ("compare", "RUN", "ANSWERS", "--margin", "0.5")],
    "drift": [("evaluate", "RUN", "OTHERS", "--unlabelled")],
    "evaluate": [("evaluate", "RUN", "SHAPES"), ("evaluate", "RUN", "OTHERS")],
    "explain": [
        ("explain", "RUN", "SHAPES/circle/000.png", "BAD/a/bad.png"),
        ("explain", "NET:build", "SHAPES/cross", "--method", "occlusion", "--class", "all"),
        ("explain", "NET:build", "SHAPES/cross/001.png", "--out", "OUT/x.svg", "--effort", "full"),
    ],
    "export": [("export", "RUN", "--out", "OUT/page.html")],
    "inspect": [
        ("inspect", "torchvision:googlenet", "--mode", "train"),
        ("inspect", "NET:build", "--effective"),
        ("inspect", "NET:lstm", "--input", "5x8"),
        ("inspect", "RUN"),
    ],
    "inspect.comparison": [
        ("inspect", "foveal:plain20", "--against", "foveal:resnet20", "--effective")
    ],
    "lab": [("lab", "costs"), ("lab", "three-3x3", "--seeds", "2")],
    "lab.list": [("lab",)],
    "lint": [
        ("lint", "torchvision:vgg16_bn"),
        ("lint", "NET:build", "--input", "3x64x64", "--images", "SHAPES"),
        ("lint", "NET:build", "--input", "5x64x64"),
        ("lint", "RUN", "--select", "W"),
    ],
    "predict": [("predict", "RUN", "SHAPES", "BAD/a/bad.png", "nowhere.png")],
    "checklist": [
        ("report", "RUN", "--checklist", "claim"),
        ("report", "RUN", "--checklist", "stard-ai"),
    ],
    "learn.items": [("learn", "items", "PROGRESS")],
    "learn.recheck": [("learn", "check", "PROGRESS")],
    "learn.topics": [("learn",)],
    "learn.variants": [
        ("learn", "variants", "field-growth"),
        ("learn", "variants", "convolution-shape", "--count", "2"),
    ],
    "predict.shards": [("predict", "RUN", "BAD", "--shards", "OUT/parts")],
    "report.drawn": [("report", "RUN", "--out", "OUT")],
    "visualise": [
        ("visualise", "NET:build", "--class", "0", "--steps", "1", "--out", "OUT/v.png"),
        ("visualise", "RUN", "--layer", "blocks.0", "--steps", "1", "--out", "OUT/r.png"),
    ],
}
# Tried where they are written.
ELSEWHERE = {
    "ledger": "sharding/test_ledger.py",
    "part": "sharding/test_ledger.py",
    "probe": "features/test_probe.py",
    "serve.answer": "serving/test_published.py",
    "serve.explanation": "serving/test_published.py",
    "serve.runs": "serving/test_published.py",
}
NETS = """
import torch
from torch import nn

def build():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, 2, 1),
        nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4),
    )

def lstm():
    return nn.LSTM(8, 4, batch_first=True)
"""

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
    assert set(contents) == {f"{name}.json" for name in NAMES}


@pytest.mark.parametrize("name", FILES)
def test_the_files_of_a_run_are_as_published(run_folder: Path, name: str) -> None:
    content = json.loads((run_folder / FILES[name]).read_text("utf-8"))
    schema = published(name)
    assert [*faults(content, schema, schema)] == []


def test_what_a_models_file_says_of_itself_is_as_published(run_folder: Path) -> None:
    (said,) = onnx.load(run_folder / "model.onnx").metadata_props
    schema = published("onnx")
    assert said.key == "foveal"
    assert [*faults(json.loads(said.value), schema, schema)] == []


@pytest.fixture
def places(
    run_folder: Path, shapes: Path, make_shapes: Callable[..., Path], tmp_path: Path
) -> dict[str, Path]:
    (tmp_path / "nets.py").write_text(NETS)
    (tmp_path / "bad" / "a").mkdir(parents=True)
    (tmp_path / "bad" / "a" / "bad.png").write_bytes(b"hello")
    (tmp_path / "bad" / "b").mkdir()
    (tmp_path / "bad" / "b" / "0.png").write_bytes((shapes / "circle" / "000.png").read_bytes())
    (tmp_path / "answers.csv").write_text(
        "path,label\ncircle/000.png,circle\ncross/001.png,circle\n"
    )
    progress = tmp_path / "progress.json"
    at = datetime(2026, 11, 28, tzinfo=UTC)
    right, wrong, gone = ("quiz:2-1", {"size": "75"}), ("quiz:2-1", {"size": "x"}), ("none", {})
    kept = [
        Review(str(n), "facts-2", template, 0, 1, "good", False, answer, (), at)
        for n, (template, answer) in enumerate((right, wrong, gone))
    ]
    progress.write_bytes(dump_progress(kept))
    return {
        "RUN": run_folder,
        "ANSWERS": tmp_path / "answers.csv",
        "SHAPES": shapes,
        "OTHERS": make_shapes("others", num_per_class=4, seed=7),
        "BAD": tmp_path / "bad",
        "NET": tmp_path / "nets.py",
        "OUT": tmp_path / "out",
        "PROGRESS": progress,
    }


CALLS = [(name, words) for name, several in COMMANDS.items() for words in several]


@pytest.mark.parametrize(("name", "words"), CALLS, ids=[" ".join(words[:4]) for _, words in CALLS])
def test_what_commands_write_is_as_published(
    request: pytest.FixtureRequest,
    foveal: Callable[..., Any],
    places: dict[str, Path],
    name: str,
    words: tuple[str, ...],
) -> None:
    if name == "export":
        request.getfixturevalue("runtime")
    named = [re.sub("^[A-Z]{2,}", lambda found: str(places[found[0]]), word) for word in words]
    shown = foveal(*named, "--json")
    if name == "export" and "not in this installation" in shown.err:
        pytest.skip("the page's runtime is not in this checkout: make runtime")
    assert shown.out, shown.err
    schema = published(name)
    assert [*faults(json.loads(shown.out), schema, schema)][:5] == []


def test_what_a_training_writes_is_as_published(
    foveal: Callable[..., Any], shapes: Path, tiny_weights: Path, tmp_path: Path
) -> None:
    small = ("--backbone", "test_resnet", "--weights", tiny_weights, "--size", "64")
    shown = foveal(
        *("train", shapes, "--out", tmp_path / "run", *small, "--backend", "onnxruntime"), "--json"
    )
    schema = published("train")
    assert [*faults(json.loads(shown.out), schema, schema)] == []


def test_every_schema_of_a_command_is_published_and_tried() -> None:
    tried = {*FILES, *COMMANDS, *ELSEWHERE, "onnx", "train"}
    assert tried == set(NAMES)
    assert set(VERSIONS) == tried
    for name, file in ELSEWHERE.items():
        assert f'"{name}"' in (FOLDER / "tests" / file).read_text("utf-8")


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

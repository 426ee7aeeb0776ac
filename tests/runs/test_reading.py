"""Runs altered by hand, their digests written anew: named, never believed, never a raw error."""

from __future__ import annotations

import copy
import hashlib
import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pyarrow as pa
import pytest
from pyarrow import parquet
from safetensors.numpy import load, save

import foveal
from foveal.errors import RunAlteredError, RunIncompleteError
from foveal.runs.tables import read_seen

NAN, INF = float("nan"), float("inf")


@pytest.fixture
def altered(run_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(run_folder, tmp_path / "altered"))


def seal_again(folder: Path) -> None:
    """Writes the digests of the files as they are now."""
    manifest = json.loads((folder / "manifest.json").read_text())
    for name in manifest["files"]:
        content = (folder / name).read_bytes()
        manifest["files"][name] = {
            "sha256": hashlib.sha256(content).hexdigest(),
            "bytes": len(content),
        }
    (folder / "manifest.json").write_text(json.dumps(manifest))


def read_everything(folder: Path) -> None:
    run = foveal.load(folder)
    _ = run.evidence, run.audit, run.explanations


def change_json(folder: Path, name: str, place: str, value: Any) -> None:
    content = json.loads((folder / name).read_text())
    *parents, last = place.split(".")
    holder = content
    for key in parents:
        holder = holder[key]
    holder[last] = value
    (folder / name).write_text(json.dumps(content))
    seal_again(folder)


@pytest.mark.parametrize("value", [0, 0.0, -1.0, NAN, INF, None, "1", True, [], {}])
def test_a_temperature_that_cannot_be_is_named(altered: Path, value: Any) -> None:
    change_json(altered, "evaluation.json", "calibration.temperature", value)
    with pytest.raises(RunAlteredError, match=r"evaluation\.json, calibration\.temperature: got"):
        foveal.load(altered)


@pytest.mark.parametrize(
    "value", [[], [0.5], [0.5] * 4, [NAN] * 3, [0.1, 0.2, 2.0], [0.1, 0.2, None], "0.5", None]
)
def test_thresholds_that_cannot_be_are_named(altered: Path, value: Any) -> None:
    change_json(altered, "evaluation.json", "prediction_sets.thresholds", value)
    with pytest.raises(RunAlteredError, match=r"prediction_sets\.thresholds: got .*3 numbers"):
        foveal.load(altered)


@pytest.mark.parametrize(
    "value",
    [
        ["circle", "cross"],
        ["circle", "cross", "cross"],
        ["circle", "cross", "\x1b[31mred"],
        ["circle", "cross", "a\nb"],
        ["circle", "cross", "\u202eevil"],
        ["circle", "cross", 3],
        ["circle", "cross", "other"],
        "abc",
        None,
    ],
)
def test_names_that_cannot_be_are_named(altered: Path, value: Any) -> None:
    change_json(altered, "config.json", "label_names", value)
    with pytest.raises(RunAlteredError, match=r"altered/(config\.json|model\.onnx), ") as raised:
        foveal.load(altered)
    assert "\x1b" not in str(raised.value)


@pytest.mark.parametrize(
    ("file", "field", "value"),
    [
        ("evaluation.json", "metrics.auroc.estimate", 1e30),
        ("evaluation.json", "metrics.accuracy.low", -1.5),
        ("evaluation.json", "baseline.gain.high", 2.0),
        ("evaluation.json", "data.num_bad", -1),
        ("explanations.json", "num_images", -1),
    ],
)
def test_figures_that_no_run_can_have_are_named(
    altered: Path, file: str, field: str, value: float
) -> None:
    change_json(altered, file, field, value)
    named = field if isinstance(value, int) else field.rpartition(".")[0]
    with pytest.raises(RunAlteredError, match=rf"{file}, {named}: got .* expected"):
        read_everything(altered)


def test_a_model_of_another_run_is_named(altered: Path) -> None:
    model = onnx.load(altered / "model.onnx")
    said = json.loads(model.metadata_props[0].value)
    said["temperature"] = 7.0
    model.metadata_props[0].value = json.dumps(said)
    onnx.save(model, altered / "model.onnx")
    seal_again(altered)
    with pytest.raises(RunAlteredError, match=r"model\.onnx, temperature: got 7\.0"):
        foveal.load(altered)


def test_a_table_without_its_columns_is_named(altered: Path) -> None:
    parquet.write_table(pa.table({"digest": ["a"]}), altered / "manifest.parquet")
    with pytest.raises(RunAlteredError, match=r"manifest\.parquet: it cannot be read"):
        read_seen(altered)


VALUES = (
    None,
    True,
    0,
    -1,
    10**9,
    NAN,
    INF,
    -INF,
    1e300,
    "",
    "x",
    "\x1b[2J",
    [],
    {},
    [[]],
    {"a": 1},
)


def mutate(content: Any, chance: random.Random) -> Any:
    """Changes, removes or adds one thing somewhere in a JSON value."""
    content = copy.deepcopy(content)
    holders = list(_holders(content))
    holder = chance.choice(holders)
    keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
    if not keys or chance.random() < 0.1:
        if isinstance(holder, dict):
            holder["new"] = chance.choice(VALUES)
        else:
            holder.append(chance.choice(VALUES))
    elif chance.random() < 0.25:
        del holder[chance.choice(keys)]
    else:
        holder[chance.choice(keys)] = chance.choice(VALUES)
    return content


def _holders(value: Any) -> Iterator[Any]:
    if isinstance(value, (dict, list)):
        yield value
        for item in value.values() if isinstance(value, dict) else value:
            yield from _holders(item)


def mutate_json(name: str, keys: tuple[str, ...] = ()) -> Callable[[Path, random.Random], None]:
    def change(folder: Path, chance: random.Random) -> None:
        content = json.loads((folder / name).read_text())
        key = chance.choice(keys) if keys else None
        if key is None:
            content = mutate(content, chance)
        else:
            content[key] = mutate({"": content[key]}, chance).get("", NAN)
        (folder / name).write_text(json.dumps(content))

    return change


def mutate_arrays(folder: Path, chance: random.Random) -> None:
    arrays = dict(load((folder / "novelty.safetensors").read_bytes()))
    name = chance.choice(sorted(arrays))
    array = arrays[name].copy()
    kind = chance.randrange(4)
    if kind == 0:
        del arrays[name]
    elif kind == 1:
        arrays[name] = array.reshape(-1)[:-1].copy()
    else:
        array.reshape(-1)[chance.randrange(array.size)] = chance.choice([NAN, INF, -INF])
        arrays[name] = array
    (folder / "novelty.safetensors").write_bytes(save(arrays))


def mutate_metadata(folder: Path, chance: random.Random) -> None:
    model = onnx.load(folder / "model.onnx")
    said = json.loads(model.metadata_props[0].value)
    model.metadata_props[0].value = json.dumps(mutate(said, chance))
    onnx.save(model, folder / "model.onnx")


def mutate_bytes(folder: Path, chance: random.Random) -> None:
    name = chance.choice(["novelty.safetensors", "manifest.parquet", "manifest.json"])
    content = bytearray((folder / name).read_bytes())
    for _ in range(chance.randrange(1, 4)):
        content[chance.randrange(len(content))] = chance.randrange(256)
    (folder / name).write_bytes(content[: chance.choice([len(content), len(content) // 2])])


def mutate_table(folder: Path, chance: random.Random) -> None:
    table = parquet.read_table(folder / "manifest.parquet")
    name = chance.choice(["digest", "pixel_digest", "sketch", "is_fitted"])
    column = table.schema.get_field_index(name)
    kind = chance.randrange(3)
    if kind == 0:
        table = table.remove_column(column)
    elif kind == 1:
        table = table.set_column(column, name, pa.array([7] * len(table)))
    else:
        table = table.set_column(column, name, pa.nulls(len(table)))
    parquet.write_table(table, folder / "manifest.parquet")


MUTATIONS: dict[str, Callable[[Path, random.Random], None]] = {
    "config": mutate_json("config.json", ("label_names", "num_classes")),
    "evaluation": mutate_json(
        "evaluation.json", ("calibration", "prediction_sets", "novelty", "metrics")
    ),
    "preprocessing": mutate_json("preprocessing.json"),
    "manifest": mutate_json("manifest.json"),
    "arrays": mutate_arrays,
    "metadata": mutate_metadata,
    "table": mutate_table,
    "bytes": mutate_bytes,
}
NUM_MUTATIONS = 12


@pytest.mark.parametrize("kind", MUTATIONS)
def test_of_mutations_none_ends_in_a_raw_error(
    altered: Path, shapes: Path, kind: str, run_folder: Path
) -> None:
    chance = random.Random(kind)
    image = shapes / "circle" / "000.png"
    expected = foveal.load(run_folder).predict(image)
    refusals: list[str] = []
    for _ in range(NUM_MUTATIONS):
        for file in run_folder.iterdir():
            shutil.copy(file, altered / file.name)
        MUTATIONS[kind](altered, chance)
        if kind not in ("manifest", "bytes"):
            seal_again(altered)
        try:
            classifier = foveal.load(altered)
            read_seen(altered)
            repr(classifier)
        except (RunAlteredError, RunIncompleteError) as error:
            refusals.append(str(error))
            continue
        # What was accepted was not about the answer, and did not change it.
        (answer,) = classifier.predict(image)
        assert np.allclose(answer.probabilities, expected[0].probabilities)
        assert answer.prediction_set == expected[0].prediction_set
        assert answer.is_unlike_training == expected[0].is_unlike_training
    assert refusals
    assert "\x1b" not in "".join(refusals)

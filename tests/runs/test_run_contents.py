"""What a run folder holds, read by others than its writer."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyarrow import parquet

import foveal
from foveal.images import Preprocessing

CLASS_NAMES = ["circle", "cross", "stripes"]


@pytest.fixture(scope="module")
def evaluation(run_folder: Path) -> Any:
    return json.loads((run_folder / "evaluation.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def some_images(shapes: Path) -> list[Path]:
    return sorted(shapes.rglob("*.png"))[::5]


def test_the_run_has_these_files(run_folder: Path) -> None:
    assert {path.name for path in run_folder.iterdir()} == {
        "README.md",
        "config.json",
        "evaluation.json",
        "explanations.json",
        "history.jsonl",
        "manifest.json",
        "manifest.parquet",
        "model.onnx",
        "model.safetensors",
        "novelty.safetensors",
        "oof.parquet",
        "preprocessing.json",
        "report.html",
        "report.json",
    }


def test_every_file_follows_the_umask(run_folder: Path) -> None:
    umask = os.umask(0)
    os.umask(umask)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in run_folder.iterdir()}
    assert modes == {0o666 & ~umask}


def test_the_manifest_has_the_digest_of_every_other_file(run_folder: Path) -> None:
    recorded = json.loads((run_folder / "manifest.json").read_text("utf-8"))["files"]
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in run_folder.iterdir()
        if path.name != "manifest.json"
    }
    assert {name: facts["sha256"] for name, facts in recorded.items()} == found


@pytest.mark.parametrize("key", ["versions", "hardware", "seed", "backend", "command", "created"])
def test_the_manifest_says_how_it_was_made(run_folder: Path, key: str) -> None:
    manifest = json.loads((run_folder / "manifest.json").read_text("utf-8"))
    assert manifest[key] is not None


@pytest.mark.parametrize(
    "key",
    [
        *(
            f"metrics.{metric}.{bound}"
            for metric in ("accuracy", "balanced_accuracy", "macro_f1", "auroc")
            for bound in ("estimate", "low", "high")
        ),
        "baseline.accuracy",
        "calibration.temperature",
        "calibration.ece_before",
        "calibration.ece_after",
        "prediction_sets.alpha",
        "prediction_sets.coverage",
        "prediction_sets.mean_size",
        "data.num_images",
        "data.num_classes",
        "data.num_groups",
        "data.num_bad",
        "grouping.grouped_accuracy",
        "grouping.random_accuracy",
        "timing.total_seconds",
    ],
)
def test_the_evaluation_has_a_value_for(evaluation: Any, key: str) -> None:
    value = evaluation
    for part in key.split("."):
        value = value[part]
    assert value is not None


def test_the_coverage_is_a_number_with_its_interval_beside(evaluation: Any) -> None:
    sets = evaluation["prediction_sets"]
    assert sets["coverage_interval"]["low"] <= sets["coverage"] <= sets["coverage_interval"]["high"]


def test_the_evaluation_counts_the_data(evaluation: Any) -> None:
    counted = {key: evaluation["data"][key] for key in ("num_images", "num_classes", "num_bad")}
    assert counted == {"num_images": 36, "num_classes": 3, "num_bad": 0}


def test_the_evaluation_tells_how_stable_the_answers_are(evaluation: Any) -> None:
    stability = evaluation["stability"]
    assert [item["shift_px"] for item in stability["shifts"]] == [1, 2, 4, 8]
    for item in stability["shifts"]:
        for figure in (item["kept"], item["probability_change"]):
            assert 0 <= figure["low"] <= figure["estimate"] <= figure["high"] <= 1


def test_out_of_fold_has_these_columns(run_folder: Path) -> None:
    names = parquet.read_table(run_folder / "oof.parquet").column_names
    assert names == ["path", "label", "group", "fold", *(f"logit_{name}" for name in CLASS_NAMES)]


def test_out_of_fold_has_every_image_once(run_folder: Path, shapes: Path) -> None:
    paths = parquet.read_table(run_folder / "oof.parquet")["path"].to_pylist()
    assert sorted(paths) == sorted(
        path.relative_to(shapes).as_posix() for path in shapes.rglob("*.png")
    )


def test_the_accuracy_follows_from_the_out_of_fold_logits(
    run_folder: Path, evaluation: Any
) -> None:
    table = parquet.read_table(run_folder / "oof.parquet")
    logits = np.stack([table[f"logit_{name}"].to_numpy() for name in CLASS_NAMES], axis=1)
    labels = np.array([CLASS_NAMES.index(label) for label in table["label"].to_pylist()])
    accuracy = (logits.argmax(1) == labels).mean()
    assert evaluation["metrics"]["accuracy"]["estimate"] == pytest.approx(accuracy)


def test_no_group_is_in_two_folds(run_folder: Path) -> None:
    table = parquet.read_table(run_folder / "oof.parquet")
    pairs = set(zip(table["group"].to_pylist(), table["fold"].to_pylist(), strict=True))
    assert len(pairs) == len({group for group, _ in pairs})


def test_the_history_has_a_line_a_step(run_folder: Path) -> None:
    lines = (run_folder / "history.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["step"] for line in lines][:4] == [
        "scan",
        "backbone",
        "probe",
        "features",
    ]


def test_the_report_refers_to_nothing_outside(run_folder: Path) -> None:
    html = (run_folder / "report.html").read_text("utf-8")
    fetched = re.findall(r"""(?:src|href|action|data|poster)\s*=\s*["']?([^"'\s>]+)""", html)
    fetched += re.findall(r"""url\(\s*["']?([^"')]+)""", html) + re.findall(r"@import.*", html)
    assert [place for place in fetched if not place.startswith(("data:", "#"))] == []


def test_the_model_card_has_hub_metadata(run_folder: Path) -> None:
    yaml = pytest.importorskip("yaml")
    card = (run_folder / "README.md").read_text("utf-8")
    assert yaml.safe_load(card.split("---\n")[1])["pipeline_tag"] == "image-classification"


def test_timm_loads_the_folder_and_agrees(run_folder: Path, some_images: list[Path]) -> None:
    import timm
    import torch

    network = timm.create_model(f"local-dir:{run_folder}", pretrained=True).eval()
    classifier = foveal.load(run_folder)
    inputs = np.stack([classifier.preprocessing.apply(path) for path in some_images])
    with torch.inference_mode():
        logits = network(torch.from_numpy(inputs)).numpy()
    expected = np.array([one.logits for one in classifier.predict(some_images)])
    np.testing.assert_allclose(logits, expected, atol=1e-3)


def test_timms_own_transform_has_the_runs_settings(run_folder: Path) -> None:
    import timm
    from timm.data import resolve_data_config

    network = timm.create_model(f"local-dir:{run_folder}", pretrained=True)
    settings = resolve_data_config({}, model=network)
    preprocessing = foveal.load(run_folder).preprocessing
    assert tuple(settings["input_size"]) == (3, preprocessing.height_px, preprocessing.width_px)
    assert tuple(settings["mean"]) == preprocessing.mean
    assert tuple(settings["std"]) == preprocessing.std
    assert settings["crop_mode"] == "squash"


def test_the_onnx_file_alone_answers_like_foveal(run_folder: Path, some_images: list[Path]) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(
        (run_folder / "model.onnx").read_bytes(), providers=["CPUExecutionProvider"]
    )
    metadata = json.loads(session.get_modelmeta().custom_metadata_map["foveal"])
    preprocessing = Preprocessing.from_json(metadata["preprocessing"])
    inputs = np.stack([preprocessing.apply(path) for path in some_images])
    (probabilities,) = session.run(["probabilities"], {"images": inputs})
    answers = foveal.load(run_folder).predict(some_images)
    assert metadata["class_names"] == CLASS_NAMES
    np.testing.assert_allclose(
        probabilities, np.array([one.probabilities for one in answers]), atol=1e-5
    )


def test_the_onnx_file_was_measured_against_torch(run_folder: Path) -> None:
    parity = json.loads((run_folder / "manifest.json").read_text("utf-8"))["onnx_parity"]
    assert parity["same_labels"] == parity["num_images"] == 8
    assert parity["max_probability_difference"] < 1e-3

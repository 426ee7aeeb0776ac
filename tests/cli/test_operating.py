"""An operating point, from the command line to every place that answers by it."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnxruntime
import pytest

from foveal.api import load

Run = Callable[..., Any]


def seal_again(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    for name, record in manifest["files"].items():
        content = (folder / name).read_bytes()
        record |= {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def folders(data: Path) -> list[Path]:
    """The folders of the classes, which hold nothing but images."""
    return sorted(one for one in data.iterdir() if one.is_dir())


@pytest.fixture
def by_threshold(train: Run, shapes: Path, tmp_path: Path) -> Path:
    """A run whose label is "circle" from a low probability on."""
    run = tmp_path / "run"
    outcome = train(
        *(shapes, "--out", run, "--operate", "sensitivity>=0.95 for circle", "--prevalence", "0.02")
    )
    assert outcome.code == 0, outcome.err
    assert "Operating point" in outcome.out
    return run


def test_the_threshold_travels_with_the_run(
    foveal: Run, by_threshold: Path, shapes: Path, make_shapes: Callable[..., Path], tmp_path: Path
) -> None:
    run = by_threshold
    chosen = json.loads((run / "evaluation.json").read_text())["operating"]["chosen"]
    point = chosen["point"]
    assert point["rule"] == "sensitivity>=0.95 for circle"
    assert chosen["at_prevalence"]["prevalence"] == 0.02
    assert chosen["rates"]["num_true_positives"] + chosen["rates"]["num_false_negatives"] == 12

    # The manifest, the ONNX file and the loaded classifier say the same.
    assert json.loads((run / "manifest.json").read_text())["operating_point"] == point
    session = onnxruntime.InferenceSession(str(run / "model.onnx"))
    said = json.loads(session.get_modelmeta().custom_metadata_map["foveal"])
    assert said["operating_point"] == point
    classifier = load(run)
    assert classifier.operating_point is not None
    assert classifier.operating_point.threshold == point["threshold"]

    # Labels follow it, in JSON, in a table and on the terminal.
    answers = json.loads(foveal("predict", run, *folders(shapes), "--json").out)
    assert answers["operating_point"] == point
    index, names = point["class_index"], classifier.class_names
    for one in answers["predictions"]:
        values = [one["probabilities"][name] for name in names]
        others = [-1.0 if k == index else value for k, value in enumerate(values)]
        is_yes = values[index] >= point["threshold"]
        assert one["label"] == names[index if is_yes else others.index(max(others))]
        assert one["probability"] == one["probabilities"][one["label"]]
    assert any(
        one["label"] != max(one["probabilities"], key=one["probabilities"].get)
        for one in answers["predictions"]
    )
    assert foveal("predict", run, *folders(shapes), "--out", tmp_path / "a.csv").code == 0
    rows = list(csv.DictReader((tmp_path / "a.csv").read_text().splitlines()))
    assert [row["label"] for row in rows] == [one["label"] for one in answers["predictions"]]
    shown = " ".join(foveal("predict", run, shapes / "circle").out.split())
    assert "The label is 'circle' from a probability of" in shown

    # New data are judged at the same threshold.
    others = make_shapes("others", num_per_class=8, seed=7)
    scored = json.loads(foveal("evaluate", run, others, "--json").out)
    assert scored["operating"]["chosen"]["point"] == point
    assert scored["operating"]["chosen"]["at_prevalence"]["prevalence"] == 0.02
    again = json.loads(foveal("predict", run, others / "circle", "--json").out)["predictions"]
    hits = sum(one["label"] == "circle" for one in again)
    assert scored["operating"]["chosen"]["rates"]["num_true_positives"] == hits

    # The report says it when it is drawn again, and so does the card.
    assert foveal("report", run, "--out", tmp_path / "again").code == 0
    assert "The label is &#39;circle&#39; from" in (tmp_path / "again/report.html").read_text()
    assert "The label is 'circle' from" in (tmp_path / "again/README.md").read_text()


def test_a_point_that_was_altered_is_named(foveal: Run, by_threshold: Path, shapes: Path) -> None:
    file = by_threshold / "evaluation.json"
    content = json.loads(file.read_text())
    whole = json.dumps(content)
    for key, value in (
        ("threshold", 2.0),
        ("threshold", 0.5),
        ("class_index", 9),
        ("class_name", "cross"),
        ("rule", "always"),
    ):
        content = json.loads(whole)
        content["operating"]["chosen"]["point"][key] = value
        file.write_text(json.dumps(content))
        seal_again(by_threshold)
        outcome = foveal("predict", by_threshold, shapes)
        assert outcome.code == 3
        assert "operating" in outcome.err or "The run was altered" in outcome.err
        assert "Traceback" not in outcome.err


def test_a_run_without_the_option_is_as_before(foveal: Run, run_folder: Path, shapes: Path) -> None:
    manifest = json.loads((run_folder / "manifest.json").read_text())
    assert "operating_point" not in manifest
    session = onnxruntime.InferenceSession(str(run_folder / "model.onnx"))
    assert "operating_point" not in session.get_modelmeta().custom_metadata_map["foveal"]
    answers = json.loads(foveal("predict", run_folder, *folders(shapes), "--json").out)
    assert set(answers) == {"schema", "version", "predictions"}
    for one in answers["predictions"]:
        assert one["label"] == max(one["probabilities"], key=one["probabilities"].get)
    assert "The label is" not in foveal("predict", run_folder, shapes / "circle").out


def test_a_run_made_before_is_read_and_drawn(
    foveal: Run, run_folder: Path, shapes: Path, tmp_path: Path
) -> None:
    import shutil

    run = tmp_path / "older"
    shutil.copytree(run_folder, run)
    content = json.loads((run / "evaluation.json").read_text())
    for part in ("operating", "decision_curves", "sample_sizes", "flow"):
        del content[part]
    (run / "evaluation.json").write_text(json.dumps(content))
    seal_again(run)
    assert foveal("predict", run, shapes / "circle").code == 0
    assert foveal("report", run, "--out", tmp_path / "again", "--images", shapes).code == 0
    page = (tmp_path / "again" / "report.html").read_text()
    assert page.count("made before") == 4


def test_costs_choose_the_threshold(train: Run, shapes: Path, tmp_path: Path) -> None:
    outcome = train(
        *(shapes, "--out", tmp_path / "run", "--costs", "missed=10,false=1 for cross", "--json")
    )
    assert outcome.code == 0, outcome.err
    chosen = json.loads(outcome.out)["operating"]["chosen"]
    assert chosen["rule"] == "missed=10,false=1 for cross"
    rates, cost = chosen["rates"], chosen["cost"]
    total = 10 * rates["num_false_negatives"] + rates["num_false_positives"]
    assert cost["per_image"] == pytest.approx(total / 36, abs=1e-12)


def test_what_cannot_be_reached_leaves_the_likeliest_class_and_says_the_nearest(
    train: Run, foveal: Run, make_shapes: Callable[..., Path], tmp_path: Path
) -> None:
    data = make_shapes("mixed", num_per_class=12)
    # Labels that say nothing: no threshold can be right about all that it rejects.
    for number in range(0, 12, 2):
        first, second = data / "circle" / f"{number:03}.png", data / "cross" / f"{number:03}.png"
        content = first.read_bytes()
        first.write_bytes(second.read_bytes())
        second.write_bytes(content)
    outcome = train(
        *(data, "--out", tmp_path / "run", "--operate", "npv>=1 for circle", "--no-groups")
    )
    assert outcome.code == 0, outcome.err
    said = " ".join(outcome.out.split())
    chosen = load(tmp_path / "run").evidence.operating
    assert chosen is not None
    assert chosen.chosen is not None
    if chosen.chosen.point is None:
        assert "the nearest is" in said
        assert "operating_point" not in foveal("predict", tmp_path / "run", data, "--json").out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--operate", "sensitivity>0.9 for circle"), "expected sensitivity>= and a share"),
        (("--operate", "sensitivity>=95 for circle"), "a share above 0 and up to 1"),
        (("--operate", "specifity>=0.9 for circle"), "Did you mean specificity?"),
        (("--operate", "sensitivity>=0.9"), "the class that it is for"),
        (("--operate", "sensitivity>=0.9 for circel"), "Did you mean 'circle'?"),
        (("--operate", "sensitivity>=0.9 for xyz"), "The classes are circle, cross, stripes."),
        (("--operate", "npv>=0.9 for circle", "--prevalence", "1.5"), "between 0 and 1"),
        (("--operate", "npv>=0.9 for circle", "--prevalence", "0"), "between 0 and 1"),
        (("--prevalence", "0.02"), "none was asked for"),
        (("--costs", "missed=1,wrong=2 for circle"), "missed=COST,false=COST"),
        (("--costs", "nowhere.csv"), "cannot be read"),
        (("--costs", "missed=1,false=2 for square"), "which the data do not have"),
        (
            ("--operate", "ppv>=0.9 for circle", "--costs", "missed=1,false=1 for circle"),
            "one operating point",
        ),
        (
            ("--operate", "ppv>=0.9 for circle", "--operate", "npv>=0.9 for circle"),
            "one threshold alone",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_trained(
    train: Run, shapes: Path, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    outcome = train(shapes, "--out", tmp_path / "run", *words)
    assert outcome.code == 2
    assert said in " ".join(outcome.err.split())
    assert "Choosing the fastest way" not in outcome.err
    assert not (tmp_path / "run").exists()

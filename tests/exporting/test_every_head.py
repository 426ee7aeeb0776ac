"""Every kind of head in every form: it answers as the run does, or is refused with a way out.

The same table stands in docs/exports.md; a test compares the two.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from foveal.api import load, make_run
from foveal.errors import UsageError
from foveal.evaluation import Interval
from foveal.exporting import int8
from foveal.exporting.forms import FORMS, export
from foveal.runs import Classifier
from foveal.training import TrainConfig, adoption

TUNED = {"fine_tune": "always", "unfreeze": "1-stage", "budget": "60s"}
CHOICES: dict[str, dict[str, Any]] = {
    "linear": {"head": "linear"},
    "linear, averaged views": {"head": "linear", "views": ("identity", "hflip")},
    "stages": {"head": "stages"},
    "kernel": {"head": "kernel"},
    "kernel-flips": {"head": "kernel-flips"},
    "fine-tuned": TUNED,
    "fine-tuned, averaged over seeds": {**TUNED, "tuning_seeds": 2},
    "stacked": {**TUNED, "fine_tune": "auto"},
}
NO_MAPS = "The page shows no heat maps"
NO_INT8 = "not a linear head on the frozen network's last vector"
# Exported ("yes"), exported with a note, or refused: words of the note or of the reason.
NOTED: dict[tuple[str, str], str] = {
    **{(head, "page"): NO_MAPS for head in CHOICES if head != "linear"},
    ("stages", "hub"): "ONNX file alone, because timm cannot open the run: its head is a linear",
    ("kernel", "hub"): "ONNX file alone, because timm cannot open the run: its head is a kernel",
    ("kernel-flips", "hub"): "ONNX file alone",
    ("stacked", "hub"): "its head is several classifiers together",
    ("linear, averaged views", "hub"): "it averages the views identity, hflip",
}
REFUSED: dict[tuple[str, str], str] = {
    **{(head, "onnx-int8"): NO_INT8 for head in CHOICES if not head.startswith("linear")},
    ("stages", "timm"): "its head is a linear head over all stages",
    ("kernel", "timm"): "its head is a kernel over stages",
    ("kernel-flips", "timm"): "its head is a kernel over stages",
    ("stacked", "timm"): "its head is several classifiers together",
    ("linear, averaged views", "timm"): "it averages the views identity, hflip",
}
CASES = [(head, row.name) for head in CHOICES for row in FORMS]


@pytest.fixture(scope="module")
def run_of(
    shapes: Path, tiny_weights: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Classifier]:
    """Trains a small run of a kind of head, once."""
    made: dict[str, Classifier] = {}
    compare_ways = adoption.compare_ways

    def stacked_is_best(problem: Any, answers: Any) -> Any:
        gains = (None, *(Interval(0.1, 0.05, 0.2),) * 2)[: len(answers)]
        return replace(compare_ways(problem, answers), kept=len(answers) - 1, gains=gains)

    def train(head: str) -> Classifier:
        if head not in made:
            settings = {"backend": "onnxruntime", "size_px": 32, "num_folds": 2, **CHOICES[head]}
            config = TrainConfig(backbone="test_resnet", weights=tiny_weights, **settings)
            folder = tmp_path_factory.mktemp("runs") / "run"
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("FOVEAL_CACHE", str(tmp_path_factory.mktemp("cache")))
                if head == "stacked":
                    patch.setattr(adoption, "compare_ways", stacked_is_best)
                finished = make_run(shapes, folder, config=config, command="test")
            kind = finished.trained.model.describe().kind
            assert kind == head.partition(",")[0]
            made[head] = load(folder)
        return made[head]

    return train


def images_of(shapes: Path) -> list[Path]:
    return sorted(shapes.glob("*/*.png"))[::7]


def by_example(folder: Path, files: list[Path]) -> list[list[float]]:
    """What the folder's own Python example prints."""
    shown = subprocess.run(
        [sys.executable, "example.py", *map(str, files)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return [list(json.loads(line).values()) for line in shown.stdout.splitlines()]


def by_session(content: bytes, inputs: Any, output: str) -> Any:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return session.run([output], {"images": inputs})[0]


def by_timm(folder: Path, inputs: Any) -> Any:
    import timm
    import torch

    network = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    with torch.inference_mode():
        return network(torch.from_numpy(inputs)).numpy()


@pytest.mark.parametrize(("head", "form"), CASES)
def test_it_answers_as_the_run_or_is_refused(
    run_of: Callable[[str], Classifier],
    shapes: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    head: str,
    form: str,
) -> None:
    if form == "page":
        request.getfixturevalue("runtime")
    classifier = run_of(head)
    # How much is lost depends on the network, and not on the kind of head.
    monkeypatch.setattr(int8, "MAX_LOSS", 1.0)
    if (head, form) in REFUSED:
        with pytest.raises(UsageError) as refused:
            export(classifier.folder, form, tmp_path / "out")
        assert REFUSED[head, form] in refused.value.message
        assert "--to onnx" in (refused.value.next_step or "")
        assert not (tmp_path / "out").exists()
        return
    done = export(classifier.folder, form, tmp_path / "out")
    notes = " ".join(done.notes)
    assert NOTED.get((head, form), "") in notes
    assert (head, form) in NOTED or not re.search(f"{NO_MAPS}|alone", notes)
    files = images_of(shapes)
    inputs = np.stack([classifier.preprocessing.apply(one) for one in files])
    answers = classifier.predict(files)
    expected = np.array([one.probabilities for one in answers])
    logits = np.array([one.logits for one in answers])
    if form == "page":
        found = re.search(r'id="model">([^<]*)<', done.path.read_text("utf-8"))
        assert found is not None
        network = gzip.decompress(base64.b64decode(found[1]))
        assert by_session(network, inputs, "probabilities") == pytest.approx(expected, abs=1e-5)
        outputs = [one.name for one in onnx.load_from_string(network).graph.output]
        assert ("maps" in outputs) == ((head, form) not in NOTED)
    elif form == "onnx":
        assert np.array(by_example(done.path, files)) == pytest.approx(expected, abs=1e-5)
    elif form == "onnx-int8":
        found = np.array(by_example(done.path, files))
        stated = json.loads((done.path / "about.json").read_text("utf-8"))["int8"]
        assert found.sum(1) == pytest.approx(1, abs=1e-5)
        assert stated["low"] <= stated["accuracy_change"] <= stated["high"]
    else:
        if form == "timm" or (head, form) not in NOTED:
            assert by_timm(done.path, inputs) == pytest.approx(logits, abs=1e-3)
        if form == "hub":
            network = (done.path / "model.onnx").read_bytes()
            assert by_session(network, inputs, "probabilities") == pytest.approx(expected, abs=1e-5)
            assert (done.path / "model.safetensors").exists() == ((head, form) not in NOTED)


def test_the_documentation_has_this_table() -> None:
    text = (Path(__file__).parents[2] / "docs" / "exports.md").read_text("utf-8")
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    documented = {row[0]: row[1:] for row in rows if row[0] in CHOICES}
    words = {
        head: [
            "refused" if case in REFUSED else _with_note(form) if case in NOTED else "yes"
            for form in (row.name for row in FORMS)
            for case in [(head, form)]
        ]
        for head in CHOICES
    }
    assert documented == words


def _with_note(form: str) -> str:
    return "yes, without heat maps" if form == "page" else "ONNX alone"

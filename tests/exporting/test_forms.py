"""Every form of a run answers as the run does, or is refused with the reason."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import foveal as library
from foveal.errors import RunAlteredError, UsageError
from foveal.exporting import int8
from foveal.exporting.forms import FORMS, export
from foveal.runs import Classifier

ONNX_WEB = "onnxruntime-web@1.30.0"
FOLDERS = [row.name for row in FORMS if row.make is not None]


@pytest.fixture(scope="module")
def linear(shapes: Path, tiny_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a linear head, over a small network."""
    return trained(shapes, tiny_weights, tmp_path_factory.mktemp("linear") / "run").folder


def trained(data: Path, weights: Path, out: Path, **choices: Any) -> Classifier:
    settings = {"head": "linear", "backend": "onnxruntime", "size_px": 64, **choices}
    return library.train(data, out, backbone="test_resnet", weights=weights, **settings)


@pytest.fixture(scope="module")
def as_onnx(linear: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(linear, "onnx", tmp_path_factory.mktemp("onnx") / "onnx").path


def code(folder: Path, language: str) -> str:
    """The example as it stands in the README."""
    text = (folder / "README.md").read_text("utf-8")
    found = re.search(rf"```{language}\n(.*?)```", text, re.DOTALL)
    assert found is not None
    return found[1]


def num_lines(example: str) -> int:
    """Lines that do something, imports left out."""
    lines = [line for line in example.splitlines() if line]
    return sum(not line.startswith(("import ", "from ")) for line in lines)


def test_the_readme_says_inputs_outputs_and_opset(as_onnx: Path) -> None:
    text = (as_onnx / "README.md").read_text("utf-8")
    assert "`model.onnx`, opset ai.onnx 17" in text
    assert "| in | `images` | float32 [N, 3, 64, 64] |" in text
    assert "| out | `probabilities` | float32 [N, 3] |" in text
    assert "| out | `features` | float32 [N, 96] |" in text


def test_the_python_example_answers_as_the_run(as_onnx: Path, linear: Path, shapes: Path) -> None:
    image = shapes / "cross" / "001.png"
    example = code(as_onnx, "python")
    assert example == (as_onnx / "example.py").read_text("utf-8")
    assert num_lines(example) <= 10
    shown = subprocess.run(
        [sys.executable, "-c", example, str(image)],
        cwd=as_onnx,
        capture_output=True,
        text=True,
        check=True,
    )
    (known,) = library.load(linear).predict([image])
    names = library.load(linear).class_names
    found = json.loads(shown.stdout)
    assert list(found) == list(names)
    assert list(found.values()) == pytest.approx(known.probabilities, abs=1e-6)


@pytest.mark.slow
def test_the_javascript_example_answers_as_the_run(
    as_onnx: Path, linear: Path, shapes: Path, tmp_path: Path
) -> None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("node and npm are not installed")
    folder = shutil.copytree(as_onnx, tmp_path / "onnx")
    fetched = subprocess.run(
        [npm, "install", "--silent", "--no-audit", "--no-fund", ONNX_WEB],
        cwd=folder,
        capture_output=True,
        timeout=240,
        check=False,
    )
    if fetched.returncode:
        pytest.skip("onnxruntime-web could not be had from npm")
    example = code(folder, "js")
    assert example == (as_onnx / "example.mjs").read_text("utf-8")
    assert num_lines(example) <= 10
    image = shapes / "cross" / "001.png"
    shown = subprocess.run(
        [node, "example.mjs", image], cwd=folder, capture_output=True, text=True, check=True
    )
    (known,) = library.load(linear).predict([image])
    found = json.loads(shown.stdout)
    assert list(found.values()) == pytest.approx(known.probabilities, abs=1e-5)


def test_timm_opens_its_folder_and_answers_alike(linear: Path, tmp_path: Path) -> None:
    import timm
    import torch

    done = export(linear, "timm", tmp_path / "timm")
    network = timm.create_model(f"local-dir:{done.path}", pretrained=True).eval()
    images = np.random.default_rng(1).standard_normal((3, 3, 64, 64)).astype(np.float32)
    with torch.inference_mode():
        logits = network(torch.from_numpy(images)).numpy()
    known = [one.logits for one in library.load(linear).classify(images)]
    assert logits == pytest.approx(np.array(known), abs=1e-3)
    assert "differ from the run's by at most" in done.notes[0]


def test_the_folder_for_the_hub_has_a_card_and_both_networks(linear: Path, tmp_path: Path) -> None:
    done = export(linear, "hub", tmp_path / "hub")
    names = {file.name for file in done.path.iterdir()}
    assert names == {
        *("README.md", "config.json", "model.safetensors", "model.onnx", "preprocessing.json"),
        ".gitattributes",
    }
    card = (done.path / "README.md").read_text("utf-8")
    assert card.startswith("---\nlibrary_name: timm\n")


@pytest.fixture(scope="module")
def over_stages(shapes: Path, tiny_weights: Path, tmp_path_factory: Any) -> Path:
    out = tmp_path_factory.mktemp("stages") / "run"
    return trained(shapes, tiny_weights, out, head="kernel").folder


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ("timm", "timm cannot open this run: its head is a kernel over stages"),
        ("onnx-int8", "not a linear head on the frozen network's last vector"),
    ],
)
def test_a_kernel_is_refused_with_the_reason(
    over_stages: Path, tmp_path: Path, form: str, said: str
) -> None:
    with pytest.raises(UsageError) as refused:
        export(over_stages, form, tmp_path / "out")
    assert said in refused.value.message
    assert "Use --to onnx" in (refused.value.next_step or "")
    assert not (tmp_path / "out").exists()


def test_a_kernel_goes_to_onnx_and_to_the_hub_without_timm(
    over_stages: Path, tmp_path: Path
) -> None:
    export(over_stages, "onnx", tmp_path / "onnx")
    done = export(over_stages, "hub", tmp_path / "hub")
    assert "timm cannot open the run" in done.notes[0]
    assert not (done.path / "model.safetensors").exists()
    card = (done.path / "README.md").read_text("utf-8")
    assert "library_name: onnx\n" in card
    assert "- timm\n" not in card


def test_averaged_views_are_no_network_of_timm(
    shapes: Path, tiny_weights: Path, tmp_path: Path
) -> None:
    run = trained(shapes, tiny_weights, tmp_path / "run", views=("identity", "hflip")).folder
    with pytest.raises(UsageError, match="it averages the views identity, hflip"):
        export(run, "timm", tmp_path / "timm")


def test_eight_bits_say_what_they_cost_or_are_refused(
    linear: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(int8, "MAX_LOSS", 1.0)
    done = export(linear, "onnx-int8", tmp_path / "int8")
    stated = json.loads((done.path / "about.json").read_text("utf-8"))["int8"]
    assert stated["bytes"] == (done.path / "model.onnx").stat().st_size < stated["bytes_before"]
    assert stated["low"] <= stated["accuracy_change"] <= stated["high"]
    assert "out of fold on 36 images" in done.notes[1]
    monkeypatch.setattr(int8, "MAX_LOSS", -1.0)
    with pytest.raises(UsageError, match="that may be lost"):
        export(linear, "onnx-int8", tmp_path / "refused")


def test_eight_bits_need_the_images(
    make_shapes: Callable[..., Path], tiny_weights: Path, tmp_path: Path
) -> None:
    data = make_shapes("gone", num_per_class=8)
    run = trained(data, tiny_weights, tmp_path / "run").folder
    (data / "circle" / "000.png").unlink()
    with pytest.raises(UsageError, match=r"1 of 24 images cannot be read, first circle/000\.png"):
        export(run, "onnx-int8", tmp_path / "int8")


@pytest.mark.parametrize("form", FOLDERS)
def test_an_altered_run_and_a_taken_place_are_refused(
    linear: Path, tmp_path: Path, form: str
) -> None:
    altered = shutil.copytree(linear, tmp_path / "altered")
    network = altered / "model.onnx"
    network.write_bytes(network.read_bytes()[:-1])
    with pytest.raises(RunAlteredError, match=r"model\.onnx was altered"):
        export(altered, form, tmp_path / "out")
    (tmp_path / "there").mkdir()
    with pytest.raises(UsageError, match="is there already"):
        export(linear, form, tmp_path / "there")


def test_a_form_that_is_not_there_is_answered_with_the_near_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no form named 'onxx'") as refused:
        export(tmp_path, "onxx")
    assert refused.value.next_step == "Did you mean onnx?"


def test_the_command_names_the_folder(
    foveal: Callable[..., Any], linear: Path, tmp_path: Path
) -> None:
    shown = foveal("export", linear, "--to", "onnx", "--out", tmp_path / "onnx")
    assert shown.code == 0
    assert shown.out.startswith(f"Folder {tmp_path / 'onnx'} (")
    told = json.loads(foveal("export", linear, "--to", "timm", "--json").out)
    assert told["file"] == str(linear.with_name("run-timm"))


@pytest.mark.slow
def test_a_fine_tuned_run_goes_to_onnx_and_timm_but_not_to_8_bits(
    shapes: Path, tiny_weights: Path, tmp_path: Path
) -> None:
    choices = {"fine_tune": "always", "unfreeze": "2-stages", "budget": "20s"}
    run = trained(shapes, tiny_weights, tmp_path / "run", **choices).folder
    export(run, "onnx", tmp_path / "onnx")
    assert "differ from the run's by at most" in export(run, "timm", tmp_path / "timm").notes[0]
    with pytest.raises(UsageError, match="not a linear head on the frozen network's last vector"):
        export(run, "onnx-int8", tmp_path / "int8")

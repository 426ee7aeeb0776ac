"""``foveal explain`` through its command."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import foveal as foveal_package

Run = Callable[..., Any]

FACTORY = """
import torch
from torch import nn


def build():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 8, 3, 2, 1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4),
    ).eval()


def flat():
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 224 * 224, 2))
"""


@pytest.fixture(scope="module")
def small_run(shapes: Path, tiny_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of timm's smallest ResNet on shapes of 96 px. Shared: do not change it."""
    import torch

    from foveal.api import make_run
    from foveal.training import TrainConfig

    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("explain") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOVEAL_CACHE", str(tmp_path_factory.mktemp("cache")))
        make_run(
            shapes,
            folder,
            config=TrainConfig(
                backbone="test_resnet",
                weights=tiny_weights,
                size_px=96,
                backend="onnxruntime",
                views=("identity", "hflip"),
            ),
            command="foveal train",
        )
    return folder


@pytest.fixture
def pictures(shapes: Path) -> list[Path]:
    return [shapes / "circle" / "000.png", shapes / "stripes" / "003.png"]


@pytest.fixture
def factory(tmp_path: Path) -> str:
    (tmp_path / "net.py").write_text(FACTORY)
    return f"{tmp_path / 'net.py'}:build"


def answers(outcome: Any) -> list[dict[str, Any]]:
    assert outcome.code == 0, outcome.err
    return json.loads(outcome.out)["images"]  # type: ignore[no-any-return]


def test_labels_and_probabilities_are_those_of_predict(
    foveal: Run, small_run: Path, pictures: list[Path]
) -> None:
    explained = answers(foveal("explain", small_run, *pictures, "--json"))
    predicted = json.loads(foveal("predict", small_run, *pictures, "--json").out)["predictions"]
    for one, other in zip(explained, predicted, strict=True):
        assert (one["label"], one["probability"]) == (other["label"], other["probability"])
        assert one["maps"][0]["probability"] == other["probability"]


def test_every_map_adds_up_to_the_logit_that_predict_has(
    foveal: Run, small_run: Path, pictures: list[Path]
) -> None:
    from foveal.runs import load

    predictions = load(small_run).predict(pictures)
    explained = answers(foveal("explain", small_run, *pictures, "--class", "cross", "--json"))
    for one, prediction in zip(explained, predictions, strict=True):
        (found,) = one["maps"]
        total = np.mean(found["signed"]) + found["bias"]
        assert total == pytest.approx(prediction.logits[1], abs=1e-3)


def test_the_text_fits_into_80_columns(foveal: Run, small_run: Path, pictures: list[Path]) -> None:
    outcome = foveal("explain", small_run, *pictures, "--class", "circle", "--class", "2")
    assert outcome.code == 0
    assert max(map(len, outcome.out.splitlines())) <= 80
    assert "the answer:" in outcome.out


@pytest.mark.parametrize("name", ["sheet.png", "sheet.svg"])
def test_a_file_becomes_a_sheet(
    foveal: Run, small_run: Path, pictures: list[Path], tmp_path: Path, name: str
) -> None:
    outcome = foveal("explain", small_run, *pictures, "--out", tmp_path / name)
    assert outcome.code == 0
    content = (tmp_path / name).read_bytes()
    assert content.startswith(b"\x89PNG" if name.endswith("png") else b"<?xml")
    assert f"Drawn: {tmp_path / name}" in outcome.err


def test_a_folder_gets_a_file_an_image_and_the_sheets(
    foveal: Run, small_run: Path, shapes: Path, tmp_path: Path
) -> None:
    twins = [shapes / "circle" / "000.png", shapes / "cross" / "000.png"]
    foveal("explain", small_run, *twins, "--out", tmp_path / "maps", "--sheet")
    assert {file.name for file in (tmp_path / "maps").iterdir()} == {
        *("000.png", "000-2.png", "sheet.png", "sheet.svg"),
    }


def test_a_file_that_cannot_be_read_is_a_row(
    foveal: Run, small_run: Path, pictures: list[Path], tmp_path: Path
) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"hello")
    outcome = foveal("explain", small_run, bad, pictures[0], "--json")
    first, second = json.loads(outcome.out)["images"]
    assert outcome.code == 1
    assert first["error"] is not None
    assert first["maps"] == []
    assert second["error"] is None


def test_nothing_explained_is_a_failure(foveal: Run, small_run: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"hello")
    outcome = foveal("explain", small_run, bad, "--out", tmp_path / "sheet.png")
    assert outcome.code == 1
    assert "error:" in outcome.out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--class", "crcle"), "There is no class 'crcle'.\nDid you mean circle?"),
        (("--class", "7"), "There is no class '7'.\nKnown: circle, cross, stripes."),
        (("--method", "grad-cm"), "Did you mean grad-cam?"),
        (("--method", "guided-backprop"), "guided-backprop is left out"),
        (("--layer", "layr4"), "layr4"),
        (("--method", "occlusion", "--layer", "stem"), "occlusion looks at the pixels"),
        (("--sheet",), "--sheet goes with --out FOLDER"),
    ],
)
def test_wrong_words_are_answered_with_the_right_ones(
    foveal: Run, small_run: Path, pictures: list[Path], options: tuple[str, ...], message: str
) -> None:
    outcome = foveal("explain", small_run, pictures[0], *options)
    assert outcome.code == 2
    assert message in outcome.err
    assert outcome.out == ""


@pytest.mark.parametrize("name", ["model.safetensors", "model.onnx", "preprocessing.json"])
def test_an_altered_run_is_refused_by_the_files_name(
    foveal: Run, small_run: Path, pictures: list[Path], tmp_path: Path, name: str
) -> None:
    copy = tmp_path / "run"
    shutil.copytree(small_run, copy)
    with (copy / name).open("ab") as stream:
        stream.write(b" ")
    outcome = foveal("explain", copy, pictures[0])
    assert outcome.code == 3
    assert f"{copy / name} was altered" in outcome.err


def test_a_folder_that_is_no_run_is_named(
    foveal: Run, pictures: list[Path], tmp_path: Path
) -> None:
    outcome = foveal("explain", tmp_path, pictures[0])
    assert outcome.code == 3
    assert "has no manifest.json" in outcome.err


def test_a_factory_is_explained_too(foveal: Run, factory: str, pictures: list[Path]) -> None:
    outcome = foveal("explain", factory, pictures[0], "--class", "3", "--json")
    (one,) = answers(outcome)
    assert one["maps"][0]["class_index"] == 3
    assert "of ImageNet, assumed" in outcome.err


def test_a_class_name_for_nameless_classes_is_refused(
    foveal: Run, factory: str, pictures: list[Path]
) -> None:
    outcome = foveal("explain", factory, pictures[0], "--class", "cat")
    assert outcome.code == 2
    assert "classes have no names" in outcome.err


def test_a_network_without_places_is_a_sentence(
    foveal: Run, factory: str, pictures: list[Path]
) -> None:
    outcome = foveal("explain", factory.replace("build", "flat"), pictures[0])
    assert outcome.code == 3
    assert outcome.err.count("Error:") == 1


def test_a_named_network_without_weights_is_refused(foveal: Run, pictures: list[Path]) -> None:
    outcome = foveal("explain", "torchvision:resnet18", pictures[0])
    assert outcome.code == 2
    assert "Add --weights pretrained" in outcome.err


def test_list_names_every_method(foveal: Run) -> None:
    from foveal.explanation.methods import list_methods

    outcome = foveal("explain", "--method", "list")
    assert [line.split()[0] for line in outcome.out.splitlines()] == [
        name for name, _ in list_methods()
    ]


def test_hostile_file_names_stay_on_one_line(
    foveal: Run, small_run: Path, pictures: list[Path], tmp_path: Path
) -> None:
    hostile = tmp_path / "a\n\x1b[31m<script>.png"
    shutil.copy(pictures[0], hostile)
    outcome = foveal("explain", small_run, hostile, "--out", tmp_path / "sheet.svg")
    assert outcome.code == 0
    assert "\x1b" not in outcome.out + outcome.err
    assert "<script>" not in (tmp_path / "sheet.svg").read_text("utf-8")


def test_every_orientation_gives_the_same_map(foveal: Run, small_run: Path, tmp_path: Path) -> None:
    upright = np.zeros((60, 90), np.uint8)
    upright[5:20, 60:85] = 250
    files = []
    for orientation, turned in ((1, upright), (3, upright[::-1, ::-1]), (6, np.rot90(upright))):
        exif = Image.Exif()
        exif[0x0112] = orientation
        files.append(tmp_path / f"{orientation}.png")
        Image.fromarray(turned).save(files[-1], exif=exif)
    explained = answers(foveal("explain", small_run, *files, "--json"))
    first, *others = (np.array(one["maps"][0]["values"]) for one in explained)
    for other in others:
        np.testing.assert_allclose(other, first, atol=1e-3)


def test_sixteen_bits_are_shown_windowed(foveal: Run, small_run: Path, tmp_path: Path) -> None:
    from foveal.runs import load

    ramp = np.tile(np.linspace(1000, 3000, 64), (64, 1)).astype(np.uint16)
    file = tmp_path / "deep.png"
    Image.fromarray(ramp).save(file)
    (one,) = load(small_run).explain(file)
    assert one.pixels is not None
    assert np.ptp(one.pixels) > 250  # and not all dark, as 3,000 of 65,535 would be


def test_the_sheet_is_reproducible(
    foveal: Run, small_run: Path, pictures: list[Path], tmp_path: Path
) -> None:
    for name in ("a.png", "b.png"):
        foveal("explain", small_run, pictures[0], "--out", tmp_path / name)
    first, second = ((tmp_path / name).read_bytes() for name in ("a.png", "b.png"))
    assert first == second
    assert Image.open(io.BytesIO(first)).info == {}


def test_what_excites_a_class_of_a_run_is_drawn(
    foveal: Run, small_run: Path, tmp_path: Path
) -> None:
    out = tmp_path / "m.png"
    outcome = foveal(
        *("visualise", small_run, "--class", "cross", "--steps", 8, "--out", out, "--json")
    )
    assert outcome.code == 0, outcome.err
    (one,) = json.loads(outcome.out)["pictures"]
    assert one["objective"] == "most logit of cross"
    assert one["last"] > one["first"]
    assert outcome.err.index("about") < outcome.err.index("Maximising")
    assert out.read_bytes().startswith(b"\x89PNG")


def test_a_run_is_visualised_from_python(small_run: Path) -> None:
    from foveal.visualisation import Ascent

    ascent = Ascent(size_px=32, num_steps=2)
    (one,) = foveal_package.visualise(
        foveal_package.load(small_run), classes=["cross"], ascent=ascent
    )
    assert one.objective.description == "most logit of cross"
    assert one.scale.origin == "the preprocessing"


def test_explain_has_no_option_that_ignores_the_others(foveal: Run, small_run: Path) -> None:
    outcome = foveal("explain", small_run, "--maximise", "cross")
    assert outcome.code == 2
    assert "No such option" in outcome.err


@pytest.mark.parametrize(("words", "missing"), [((), "MODEL"), (("timm:resnet18",), "IMAGE...")])
def test_what_is_missing_is_named(foveal: Run, words: tuple[str, ...], missing: str) -> None:
    outcome = foveal("explain", *words)
    assert outcome.code == 2
    assert f"Missing argument '{missing}'." in outcome.err

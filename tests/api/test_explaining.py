"""Images are explained from Python as they are by the command, whatever names the network."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import foveal
from foveal.errors import FovealWarning, ModelError, UsageError
from foveal.explanation import HeatMap
from foveal.models import Network, open_network
from foveal.models import weights as reading
from foveal.runs import folder as digesting
from foveal.visualisation import PixelScale

NAMES = ("cat", "dog", "cow", "ant")

FACTORY = """
import torch
from torch import nn

def build():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(8, 4),
    ).eval()
"""


@pytest.fixture
def network() -> nn.Module:
    space: dict[str, Any] = {}
    exec(FACTORY, space)
    return space["build"]()


@pytest.fixture
def files(shapes: Path) -> list[Path]:
    return [shapes / "circle" / "000.png", shapes / "cross" / "001.png"]


STATED: dict[str, Any] = {
    "input_shape": (3, 48, 48), "mean": 0.5, "std": (0.5, 0.4, 0.3), "class_names": NAMES
}  # fmt: skip


def values(explained: tuple[Any, ...]) -> Any:
    return np.stack([one.maps[0].heat_map.values for one in explained])


def test_the_same_network_by_module_file_and_type_gives_the_same_maps(
    network: nn.Module, files: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "net.py").write_text(FACTORY)
    opened = open_network(f"{tmp_path / 'net.py'}:build", **STATED)
    by_module = foveal.explain(network, files, classes="dog", **STATED)
    by_file = foveal.explain(f"{tmp_path / 'net.py'}:build", files, classes="dog", **STATED)
    by_type = foveal.explain(opened, files, classes=[1])
    assert [one.maps[0].class_name for one in (*by_module, *by_type)] == ["dog"] * 4
    assert np.array_equal(values(by_module), values(by_file))
    assert np.array_equal(values(by_module), values(by_type))


def test_a_run_is_explained_by_its_folder_and_by_its_classifier(
    run_folder: Path, files: list[Path]
) -> None:
    classifier = foveal.load(run_folder)
    by_folder = foveal.explain(run_folder, files)
    by_text = foveal.explain(str(run_folder), files[0])
    by_classifier = foveal.explain(classifier, files)
    assert [one.label for one in by_folder] == [one.label for one in classifier.predict(files)]
    assert np.array_equal(values(by_folder), values(by_classifier))
    assert np.allclose(values(by_folder)[:1], values(by_text), atol=1e-4)
    assert all(one.maps[0].verdict.sentence for one in by_folder)


def test_folders_patterns_and_images_in_memory_are_explained(
    network: nn.Module, files: list[Path], tmp_path: Path
) -> None:
    folder = tmp_path / "new"
    folder.mkdir()
    for number, file in enumerate(files):
        (folder / f"{number}.png").write_bytes(file.read_bytes())
    with Image.open(files[0]) as opened:
        in_memory = [opened.copy(), files[0].read_bytes(), np.asarray(opened)]
    expected = foveal.explain(network, files, **STATED)
    for images in (folder, str(folder / "*.png"), [folder / "0.png", folder / "1.png"]):
        assert np.array_equal(values(foveal.explain(network, images, **STATED)), values(expected))
    for image in in_memory:
        (one,) = foveal.explain(network, [image], **STATED)
        assert np.allclose(one.maps[0].heat_map.values, values(expected)[0], atol=1e-4)
        assert one.path == "image 1"


def test_a_file_that_cannot_be_read_is_a_row(
    network: nn.Module, files: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "bad.png").write_bytes(b"hello")
    bad, missing, good = foveal.explain(
        network, [tmp_path / "bad.png", tmp_path / "none.png", files[0]], **STATED
    )
    assert bad.error
    assert missing.error
    assert (bad.maps, missing.maps) == ((), ())
    assert good.error is None


def test_a_batch_of_numbers_gives_the_maps_alone(network: nn.Module) -> None:
    batch = torch.rand(2, 3, 32, 32)
    maps = foveal.explain(network, batch, classes=[1, 2])
    assert [[one.class_index for one in row] for row in maps] == [[1, 2]] * 2
    assert isinstance(foveal.explain(network, batch.numpy())[0][0], HeatMap)
    opened = open_network(network, class_names=NAMES)
    assert foveal.explain(opened, batch, classes=["dog"])[0][0].class_index == 1


@pytest.mark.parametrize(
    "beside",
    [{"mean": 0.5}, {"std": 0.5}, {"input_shape": (3, 8, 8)}, {"class_names": NAMES},
     {"effort": "full"}, {"labels": "independent"}, {"progress": print}],
)  # fmt: skip
def test_nothing_that_a_batch_does_not_need_is_ignored_in_silence(
    network: nn.Module, beside: dict[str, Any]
) -> None:
    with pytest.raises(UsageError, match=f"prepared already.*got {next(iter(beside))}"):
        foveal.explain(network, torch.rand(1, 3, 16, 16), **beside)


@pytest.mark.parametrize("beside", [{"mean": 0.5}, {"class_names": NAMES}, {"weights": "random"}])
def test_a_run_is_told_nothing_that_it_knows(
    run_folder: Path, files: list[Path], beside: dict[str, Any]
) -> None:
    with pytest.raises(UsageError, match=f"A run knows .*got {next(iter(beside))}"):
        foveal.explain(run_folder, files, **beside)


def test_what_is_assumed_is_a_warning(network: nn.Module, files: list[Path]) -> None:
    with pytest.warns(foveal.FovealWarning) as told:
        foveal.explain(network, files[0])
    said = [str(one.message) for one in told]
    assert any("the mean and std of ImageNet, assumed" in one for one in said)
    assert any("224 x 224 px, assumed" in one for one in said)


def test_a_module_is_left_as_it_was_found(network: nn.Module, files: list[Path]) -> None:
    network.train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    foveal.explain(network, files, **STATED)
    assert network.training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_a_name_without_weights_is_refused(files: list[Path]) -> None:
    with pytest.raises(UsageError, match=r"has no weights[\s\S]*weights='pretrained'"):
        foveal.explain("torchvision:resnet18", files)


def test_a_checkpoint_is_loaded_into_a_named_network(
    network: nn.Module, files: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "net.py").write_text(FACTORY)
    with torch.no_grad():
        network[4].bias += 1.0
    torch.save(network.state_dict(), tmp_path / "trained.pth")
    spec = f"{tmp_path / 'net.py'}:build"
    expected = foveal.explain(network, files, classes=0, **STATED)
    found = foveal.explain(spec, files, classes=0, weights=tmp_path / "trained.pth", **STATED)
    other = foveal.explain(spec, files, classes=0, **STATED)
    for one, same, different in zip(expected, found, other, strict=True):
        assert one.maps[0].heat_map.logit == same.maps[0].heat_map.logit
        assert one.maps[0].heat_map.logit != different.maps[0].heat_map.logit
    with pytest.raises(ModelError, match="does not fit torchvision:alexnet"):
        open_network("torchvision:alexnet", weights=tmp_path / "trained.pth")
    with pytest.raises(UsageError, match="got 'pretraned', expected none, random, pretrained, or"):
        open_network("torchvision:alexnet", weights="pretraned")


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Which files the functions that read and digest were called with."""
    calls: dict[str, list[str]] = {"read": [], "digested": []}

    def counting(kind: str, function: Callable[[Path], Any]) -> Callable[[Path], Any]:
        def call(path: Path) -> Any:
            calls[kind].append(Path(path).name)
            return function(path)

        return call

    monkeypatch.setattr(reading, "read_state_dict", counting("read", reading.read_state_dict))
    monkeypatch.setattr(digesting, "file_digest", counting("digested", digesting.file_digest))
    return calls


def test_two_explanations_read_and_digest_the_weights_once(
    run_folder: Path, files: list[Path], counted: dict[str, list[str]]
) -> None:
    classifier = foveal.load(run_folder)
    assert counted["read"] == []
    classifier.explain(files[0])
    foveal.explain(classifier, files[1], classes="all")
    foveal.visualise(classifier, classes=[0], size_px=32, num_steps=1)
    assert counted["read"] == ["model.safetensors"]
    assert counted["digested"].count("model.safetensors") == 1


def test_threads_share_one_network(run_folder: Path, counted: dict[str, list[str]]) -> None:
    classifier = foveal.load(run_folder)
    found: list[Network] = []
    threads = [
        threading.Thread(target=lambda: found.append(classifier.network())) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(map(id, found))) == 1
    assert counted["read"] == ["model.safetensors"]


def test_the_network_of_a_run_says_all_that_the_run_knows(run_folder: Path) -> None:
    classifier = foveal.load(run_folder)
    network = classifier.network()
    assert network.source == "run"
    assert network.preprocessing == classifier.preprocessing
    assert network.class_names == classifier.class_names
    assert network.temperature == classifier.temperature
    assert network.digest == classifier.manifest["files"]["model.safetensors"]["sha256"]
    assert network.input_shape == (3, 64, 64)


@pytest.mark.parametrize("name", ["sheet.png", "sheet.svg", "folder"])
def test_maps_are_drawn_where_out_says(
    network: nn.Module, files: list[Path], tmp_path: Path, name: str
) -> None:
    foveal.explain(network, files, out=tmp_path / name, **STATED)
    written = sorted((tmp_path / name).iterdir()) if name == "folder" else [tmp_path / name]
    assert [file.suffix for file in written] == [".png", ".png"] if name == "folder" else True
    start = written[0].read_bytes()[:5]
    assert start == (b"<?xml" if name == "sheet.svg" else b"\x89PNG\r")


def test_an_out_that_cannot_be_drawn_into_is_refused_before_the_work(
    network: nn.Module, files: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(UsageError, match=r"got the file 'notes\.txt', expected a folder"):
        foveal.explain(network, files, out=tmp_path / "notes.txt", **STATED)


def test_what_was_found_prints_as_the_command_does() -> None:
    report = foveal.lint("torchvision:vgg16_bn", select=["S102"])
    assert "S102" in str(report)
    assert "classifier.0" in str(report)


def test_threads_that_explain_one_run_do_not_disturb_each_other(
    run_folder: Path, shapes: Path
) -> None:
    classifier = foveal.load(run_folder)
    files = [shapes / name / "002.png" for name in ("circle", "cross", "stripes")]
    alone = [values(classifier.explain(file)) for file in files]
    found: dict[int, Any] = {}

    def explain(number: int) -> None:
        found[number] = values(classifier.explain(files[number]))

    threads = [threading.Thread(target=explain, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.allclose(found[number], alone[number], atol=1e-4) for number in range(3))


def test_a_bare_module_is_told_which_values_it_is_fed() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with pytest.warns(FovealWarning, match="pixel values from 0 to 1 as they are"):
        foveal.visualise(module, classes=[0], size_px=16, num_steps=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.filterwarnings("error", message=".*pixel values from 0 to 1")
        foveal.visualise(module, classes=[0], size_px=16, num_steps=1, mean=0.5, std=0.25)
        foveal.visualise(
            module, classes=[0], size_px=16, num_steps=1, scale=PixelScale((0.0,), (1.0,))
        )

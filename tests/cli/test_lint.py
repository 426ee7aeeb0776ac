"""``foveal lint`` through its command."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from foveal.cli.app import warnings_as_notes
from foveal.cli.lint import command
from foveal.errors import DataError
from foveal.linting import RULES

Run = Callable[..., Any]

FACTORY = """
import torch
from torch import nn


def biased():
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU())


def colourful():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, bias=False),
        nn.BatchNorm2d(8, momentum=None),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 2),
    )
    images = nn.functional.interpolate(torch.rand(16, 3, 4, 4), 32)
    net((images - 0.5) / 0.5)  # the statistics that training would leave
    return net.eval()


def broken():
    net = nn.Conv2d(3, 8, 3)
    with torch.no_grad():
        net.weight.fill_(float("nan"))
    return net
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "net.py"
    path.write_text(FACTORY)
    return path


def run(*args: str) -> Result:
    with warnings_as_notes():
        return CliRunner().invoke(command, list(args), catch_exceptions=False)


def test_text_groups_by_rule_within_80_columns() -> None:
    result = run("torchvision:vgg11_bn")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert "NOTE  S101 bias before a normalisation (8 locations)" in lines
    assert lines[-1].startswith("0 errors, 1 warning,")
    assert max(map(len, lines)) <= 80


def test_warnings_come_before_notes() -> None:
    words = [line.split()[0] for line in run("torchvision:vgg11_bn").stdout.splitlines() if line]
    assert words.index("WARNING") < words.index("NOTE")


def test_an_error_exits_with_1(file: Path) -> None:
    result = run(f"{file}:broken", "--select", "W201", "--input", "3x8x8")
    assert result.exit_code == 1
    assert "ERROR  W201" in result.stdout


def test_json_has_findings_and_outcomes(file: Path) -> None:
    result = run(f"{file}:biased", "--json", "--input", "3x32x32", "--select", "S101,S107")
    content = json.loads(result.stdout)
    (finding,) = content["findings"]
    assert {"code", "severity", "location", "evidence", "fix"} <= finding.keys()
    assert content["outcomes"]["S107"]["outcome"] == "not applicable"
    assert content["input_shape"] == [3, 32, 32]


def test_ignore_leaves_a_rule_out(file: Path) -> None:
    result = run(f"{file}:biased", "--json", "--select", "structure", "--ignore", "S101")
    assert "S101" not in json.loads(result.stdout)["outcomes"]


def test_what_could_not_be_told_is_said(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text(
        "from torch import nn\n\n\nclass Net(nn.Module):\n    def forward(self, x):\n"
        "        return x if x.sum() > 0 else -x\n"
    )
    result = run(f"{path}:Net", "--input", "3x8x8", "--select", "S105")
    assert "COULD NOT TELL  S105" in result.stdout


@pytest.mark.parametrize("shape", ["224", "224x224", "3x0x4", "axbxc", "a=3x8x8,3x8x8"])
def test_a_wrong_shape_is_answered_with_an_example(file: Path, shape: str) -> None:
    result = run(f"{file}:biased", "--input", shape)
    assert result.exit_code == 2
    assert "3x224x224" in result.stderr


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    generator = np.random.default_rng(1)
    for index in range(16):
        coarse = generator.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        Image.fromarray(coarse.repeat(8, 0).repeat(8, 1)).save(folder / f"{index}.png")
    return folder


B302 = ("--input", "3x32x32", "--select", "B302", "--json")


def test_images_wrongly_normalised_are_found(file: Path, pictures: Path) -> None:
    model = f"{file}:colourful"
    wrong = ("--mean", "0", "--std", "0.00392156862745098")  # values of 0 to 255
    result = run(model, "--images", str(pictures), *wrong, *B302)
    (finding,) = json.loads(result.stdout)["findings"]
    assert (finding["code"], finding["severity"]) == ("B302", "error")
    assert result.exit_code == 1
    right = run(model, "--images", str(pictures), "--mean", "0.5", "--std", "0.5", *B302)
    assert json.loads(right.stdout)["outcomes"]["B302"]["outcome"] == "checked"
    assert json.loads(right.stdout)["findings"] == []


def test_whose_mean_and_std_were_used_is_told(file: Path, pictures: Path) -> None:
    told = run(f"{file}:colourful", "--images", str(pictures), *B302).stderr
    assert "16 images fed with the mean and std of ImageNet, assumed." in told


def test_a_picture_that_cannot_be_read_is_named(file: Path, pictures: Path) -> None:
    (pictures / "5.png").write_text("no image")
    told = run(f"{file}:colourful", "--images", str(pictures), *B302).stderr
    assert "15 images fed" in told
    assert "5.png: " in told


def test_no_picture_at_all_is_an_error(file: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"No image could be read\..*nowhere: no such file"):
        run(f"{file}:colourful", "--images", str(tmp_path / "nowhere"))


def test_pictures_need_weights(foveal: Run, pictures: Path) -> None:
    result = foveal("lint", "torchvision:resnet18", "--images", pictures)
    assert result.code == 2
    assert "--weights pretrained or --weights random" in result.err


@pytest.mark.parametrize("numbers", ["grey", "1,2", "nan"])
def test_a_mean_that_is_none_is_answered_with_an_example(
    foveal: Run, file: Path, numbers: str
) -> None:
    result = foveal("lint", f"{file}:colourful", "--images", "x", "--mean", numbers)
    assert result.code == 2
    assert "0.485,0.456,0.406" in result.err


def test_help_shows_an_example() -> None:
    assert "foveal lint torchvision:vgg16_bn" in run("--help").stdout


def test_a_network_of_the_catalogue_is_found_by_its_name() -> None:
    result = run("foveal:plain32", "--select", "S109")
    assert result.exit_code == 0
    assert "foveal:plain32 at 3×32×32" in result.output
    assert "32 weighted layers in a row" in result.output


@pytest.mark.parametrize("code", [rule.code for rule in RULES])
def test_the_page_of_every_rule_is_shown_at_80_columns(foveal: Run, code: str) -> None:
    shown = foveal("lint", "--explain", code)
    assert shown.code == 0, shown.err
    assert shown.out.startswith(f"{code}: ")
    assert "How to fix it" in shown.out
    prose = [line for line in shown.out.splitlines() if not line.startswith(("    ", "|"))]
    assert max(map(len, prose)) <= 80


def test_a_rule_is_explained_in_small_letters_too(foveal: Run) -> None:
    assert foveal("lint", "--explain", "s101").out.startswith("S101: ")


@pytest.mark.parametrize("code", ["S999", "../S101", "X", ""])
def test_a_rule_that_does_not_exist_is_said(foveal: Run, code: str) -> None:
    shown = foveal("lint", "--explain", code)
    assert shown.code == 2
    assert "expected one of the linter's codes" in shown.err

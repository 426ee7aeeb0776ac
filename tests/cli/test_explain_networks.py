"""``foveal explain`` of a network that is no run: its size, its mean, its names, its labels."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

Run = Callable[..., Any]

NETS = """
import torch
from torch import nn

def _net(channels, outputs):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(channels, 8, 3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(8, outputs),
    )

def small():  # flattens at 32 px
    return nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(1024, 3))

def grey(): return _net(1, 3)
def four(): return _net(4, 3)
def labels(): return _net(3, 3)

def one():  # "yes" about 2%
    net = _net(3, 1)
    with torch.no_grad():
        net[4].weight.zero_()
        net[4].bias.fill_(-4.0)
    return nn.Sequential(net, nn.Sigmoid())

def levels():  # the mean of what it is given, so that mean and std can be read off
    net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[[[1.0]]], [[[0.0]]]]))
        net[0].bias.zero_()
    return net
"""


@pytest.fixture
def nets(tmp_path: Path) -> Path:
    (tmp_path / "nets.py").write_text(NETS)
    return tmp_path / "nets.py"


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    levels = np.random.default_rng(0).integers(0, 255, (60, 60, 3), np.uint8)
    Image.fromarray(levels).save(tmp_path / "picture.png")
    return tmp_path / "picture.png"


def explained(outcome: Any) -> Any:
    assert outcome.code == 0, outcome.err
    return json.loads(outcome.out)["images"][0]


@pytest.mark.parametrize("size", ["32", "32x32", "3x32x32"])
def test_a_network_of_another_size(foveal: Run, nets: Path, picture: Path, size: str) -> None:
    found = explained(foveal("explain", f"{nets}:small", picture, "--input", size, "--json"))
    assert found["maps"][0]["image_size_px"] == [32, 32]


def test_a_size_that_does_not_fit_names_one_that_does(
    foveal: Run, nets: Path, picture: Path
) -> None:
    outcome = foveal("explain", f"{nets}:small", picture)
    assert outcome.code == 3
    assert "It does work on 3 x 32 x 32" in outcome.err


def test_a_network_in_grey_is_fed_the_luma(
    foveal: Run, nets: Path, tmp_path: Path, picture: Path
) -> None:
    outcome = foveal(
        *("explain", f"{nets}:levels", picture, "--input", "60", "--mean", "0.25"),
        *("--std", "0.5", "--class", "0", "--method", "occlusion", "--json"),
    )
    luma = np.asarray(Image.open(picture).convert("L")).mean() / 255
    assert explained(outcome)["maps"][0]["logit"] == pytest.approx((luma - 0.25) / 0.5, abs=0.01)


def test_four_channels_are_refused(foveal: Run, nets: Path, picture: Path) -> None:
    outcome = foveal("explain", f"{nets}:four", picture)
    assert "in colour or in grey, and nets.py:four takes 4 channels" in outcome.err


@pytest.mark.parametrize(
    ("names", "answer", "other"),
    [
        ("healthy,cancer", "healthy", "cancer"),
        ("cancer", "not cancer", "cancer"),
        (None, "no", "yes"),
    ],
)
def test_one_output_answers_yes_or_no(
    foveal: Run, nets: Path, picture: Path, names: str | None, answer: str, other: str
) -> None:
    said = ("--classes", names) if names else ()
    found = explained(foveal("explain", f"{nets}:one", picture, *said, "--json"))
    assert (found["label"], found["maps"][0]["class"]) == (answer, answer)
    assert found["probability"] == pytest.approx(0.982, abs=1e-3)
    found = explained(foveal("explain", f"{nets}:one", picture, *said, "--class", other, "--json"))
    assert found["maps"][0]["probability"] == pytest.approx(0.018, abs=1e-3)


def test_names_from_a_file(foveal: Run, nets: Path, picture: Path, tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("Ёж\nkot\n\npies\n", "utf-8")
    outcome = foveal(
        *("explain", f"{nets}:labels", picture, "--classes", tmp_path / "names.txt"),
        *("--class", "pies", "--json"),
    )
    assert explained(outcome)["maps"][0]["class"] == "pies"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--classes", "a,b"), "got 2 class names, expected 3: the network has 3 outputs"),
        (("--classes", "missing.txt"), "a text file with one name a line"),
        (("--classes", "a,,b"), "expected names with commas between them"),
        (("--input", "32x"), "expected a size as 224"),
        (("--input", "0"), "expected a size as 224"),
        (("--std", "0"), "expected one number or three"),
        (("--mean", "1,2"), "expected one number or three"),
        (("--class", "cat"), "There is no class 'cat'"),
        (("--class", "3"), "numbers from 0 to 2; the classes have no names"),
    ],
)
def test_what_does_not_fit_is_refused(
    foveal: Run, nets: Path, picture: Path, options: tuple[str, ...], message: str
) -> None:
    outcome = foveal("explain", f"{nets}:labels", picture, *options)
    assert outcome.code != 0
    assert message in outcome.err


def test_independent_labels_can_be_said(foveal: Run, nets: Path, picture: Path) -> None:
    sums = []
    for labels in ("exclusive", "independent"):
        outcome = foveal(
            *("explain", f"{nets}:labels", picture, "--labels", labels, "--json"),
            *("--class", "0", "--class", "1", "--class", "2"),
        )
        sums.append(sum(one["probability"] for one in explained(outcome)["maps"]))
    assert sums[0] == pytest.approx(1.0)
    assert sums[1] != pytest.approx(1.0, abs=0.01)

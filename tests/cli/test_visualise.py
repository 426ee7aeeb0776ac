"""``foveal visualise`` through its command."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import nn

import foveal as foveal_package
from foveal.errors import FovealWarning, UsageError
from foveal.visualisation import Ascent

Run = Callable[..., Any]
SMALL = ("--input", "24", "--steps", 2)

FACTORY = """
import torch
from torch import nn


def network(channels=3):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(channels, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 9, 3, 2, 1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(9, 4),
    ).eval()


def grey():
    return network(1)


def fixed():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 22 * 22, 2))
"""


@pytest.fixture
def net(tmp_path: Path) -> str:
    (tmp_path / "net.py").write_text(FACTORY)
    return str(tmp_path / "net.py")


def drawn(outcome: Any) -> list[str]:
    assert outcome.code == 0, outcome.err
    return [one["objective"] for one in json.loads(outcome.out)["pictures"]]


@pytest.mark.parametrize(
    ("options", "objectives"),
    [
        (("--class", "2"), ["most logit of class 2"]),
        (("--class", "dog", "--classes", "cat,dog,cow,ant"), ["most logit of dog"]),
        (("--class", "all", "--classes", "a,b,c,d"), [f"most logit of {k}" for k in "abcd"]),
        (("--class", "all"), [f"most logit of class {k}" for k in range(4)]),
        (("--layer", "2:7"), ["most mean of channel 7 of 2"]),
        (("--layer", "0:1", "--class", "0"), ["most logit of class 0", "most mean of channel 1"]),
    ],
)
def test_what_is_named_is_drawn(
    foveal: Run, net: str, tmp_path: Path, options: tuple[str, ...], objectives: list[str]
) -> None:
    out = tmp_path / "out.png"
    shown = drawn(foveal("visualise", f"{net}:network", *options, *SMALL, "--out", out, "--json"))
    assert len(shown) == len(objectives)
    for one, expected in zip(shown, objectives, strict=True):
        assert all(word in one for word in expected.split())
    Image.open(out).verify()


def test_a_layer_without_channel_shows_some_of_its_channels(
    foveal: Run, net: str, tmp_path: Path
) -> None:
    out = tmp_path / "out.png"
    outcome = foveal("visualise", f"{net}:network", "--layer", "2", *SMALL, "--out", out, "--json")
    assert len(set(drawn(outcome))) == 6


def test_without_class_and_layer_the_depth_of_the_network_is_shown(
    foveal: Run, net: str, tmp_path: Path
) -> None:
    outcome = foveal("visualise", f"{net}:network", *SMALL, "--out", tmp_path / "o.png", "--json")
    shown = drawn(outcome)
    assert any("class" in one for one in shown)
    assert any("channel" in one for one in shown)


@pytest.mark.parametrize(
    ("said", "size"),
    [
        ({"size_px": 24}, (24, 24)),
        ({"input_shape": (3, 20, 24)}, (20, 24)),
        ({"input_shape": (None, 20, 24), "size_px": (32, 28)}, (32, 28)),
        ({}, (128, 128)),
    ],
)
def test_the_size_is_said_or_that_of_the_input(
    net: str, said: dict[str, Any], size: tuple[int, int]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", foveal_package.FovealWarning)
        (one,) = foveal_package.visualise(f"{net}:network", classes=0, num_steps=1, **said)
    assert one.image.shape[1:] == size


@pytest.mark.parametrize("factory", ["grey", "fixed"])
def test_networks_in_grey_and_of_one_size_are_drawn(
    foveal: Run, net: str, tmp_path: Path, factory: str
) -> None:
    shape = "1x24x24" if factory == "grey" else "24"
    outcome = foveal(
        *("visualise", f"{net}:{factory}", "--class", "1", "--input", shape, "--steps", 2),
        *("--out", tmp_path / "o.png", "--json"),
    )
    assert drawn(outcome) == ["most logit of class 1"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--class", "crss", "--classes", "cross,b,c,d"), "There is no class 'crss'.\nDid you"),
        (("--class", "9"), "9"),
        (("--layer", "nowhere:3"), "nowhere"),
        (("--layer", "nowhere"), "nowhere"),
        (("--layer", "2:99"), "99"),
        (("--steps", "0"), "--steps"),
        (("--method", "gradcam"), "No such option"),
    ],
)
def test_what_cannot_be_drawn_is_said(
    foveal: Run, net: str, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    out = tmp_path / "out.png"
    outcome = foveal("visualise", f"{net}:network", "--input", "24", *options, "--out", out)
    assert outcome.code == 2
    assert message in outcome.err
    assert not out.exists()


@pytest.mark.parametrize("out", [(), ("--out", "sheet.svg"), ("--out", "folder")])
def test_it_needs_a_png_to_draw_into(foveal: Run, net: str, out: tuple[str, ...]) -> None:
    outcome = foveal("visualise", f"{net}:network", "--class", "0", *out)
    assert outcome.code == 2
    assert "--out" in outcome.err


def test_the_same_seed_draws_the_same_file(foveal: Run, net: str, tmp_path: Path) -> None:
    def content(name: str, seed: int) -> bytes:
        arguments = ("--class", "0", *SMALL, "--seed", seed, "--out", tmp_path / name)
        assert foveal("visualise", f"{net}:network", *arguments).code == 0
        return (tmp_path / name).read_bytes()

    assert content("a.png", 3) == content("b.png", 3) != content("c.png", 4)


def test_from_python_it_is_a_function_that_leaves_the_network_as_found(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    network.train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.warns(FovealWarning, match="pixel values from 0 to 1"):
        pictures = foveal_package.visualise(
            network,
            classes=["b", 0],
            layers=["0:2"],
            class_names=["a", "b", "c", "d"],
            ascent=Ascent(size_px=16, num_steps=2),
            out=tmp_path / "o.png",
        )
    assert [one.image.shape for one in pictures] == [(3, 16, 16)] * 3
    assert network.training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert (tmp_path / "o.png").is_file()
    with pytest.raises(UsageError, match="crss"):
        foveal_package.visualise(network, classes=["crss"], class_names=["cross"])
    with pytest.raises(UsageError, match="7"):
        foveal_package.visualise(network, classes=[7])

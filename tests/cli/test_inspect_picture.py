"""``foveal inspect`` writes the network as a picture: page, SVG, findings, images, failures."""

from __future__ import annotations

import base64
import gzip
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

NETWORKS = """
import torch
from torch import nn


def small():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(8, 2),
    )


def failing():
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(99, 2))


def failing_at_once():
    return nn.Sequential(nn.Conv2d(5, 8, 3))


def biased():
    return nn.Sequential(nn.Conv2d(3, 8, 3, bias=True), nn.BatchNorm2d(8), nn.ReLU())
"""


@pytest.fixture
def networks(tmp_path: Path) -> Callable[[str], str]:
    file = tmp_path / "networks.py"
    file.write_text(NETWORKS, encoding="utf-8")
    return lambda name: f"{file}:{name}"


def data_of(page: str) -> dict[str, Any]:
    return all_data_of(page)[0]


def all_data_of(page: str) -> list[dict[str, Any]]:
    found = re.findall(r'data-fvp="packed">(.*?)</script>', page)
    return [json.loads(gzip.decompress(base64.b64decode(each)))["data"] for each in found]


def test_the_drawing_is_an_svg_that_says_what_was_asked(foveal, networks, tmp_path):
    file = tmp_path / "net.svg"
    shown = foveal(
        "inspect", networks("small"), "--input", "3x16x16", "--svg", file, "--overlay", "macs"
    )
    assert shown.code == 0
    texts = [each.text for each in ElementTree.parse(file).iter() if each.tag.endswith("text")]
    macs = 3 * 8 * 3 * 3 * 14 * 14
    assert f"{macs:,} MACs" in texts


def test_the_page_bears_the_findings_of_the_linter(foveal, networks, tmp_path):
    page = tmp_path / "net.html"
    assert foveal("inspect", networks("biased"), "--input", "3x16x16", "--html", page).code == 0
    marks = data_of(page.read_text("utf-8"))["marks"]
    findings = json.loads(foveal("lint", networks("biased"), "--input", "3x16x16", "--json").out)[
        "findings"
    ]
    assert [mark[0] for mark in marks] == [finding["code"] for finding in findings]
    assert all(mark[4].startswith("# ") for mark in marks)


def test_the_page_shows_what_the_network_makes_of_an_image(foveal, networks, tmp_path):
    image = tmp_path / "image.png"
    levels = np.random.default_rng(0).integers(0, 255, (16, 16, 3), dtype=np.uint8)
    Image.fromarray(levels).save(image)
    page = tmp_path / "net.html"
    shown = foveal(
        "inspect", networks("small"), "--input", "3x16x16", "--html", page, "--images", image
    )
    assert shown.code == 0, shown.err
    text = page.read_text("utf-8")
    # The layer's own result, and those of what acts on it; of a vector there is no map.
    assert {"0", "1", "2"} <= set(data_of(text)["activations"]) < {"0", "1", "2", "3", "4"}
    assert 'data-fvp="heat"' in text


@pytest.mark.parametrize(
    ("name", "boxes", "reason"),
    [
        ("failing", ["0"], "expects 99 features"),
        ("failing_at_once", [], "expects 5 channels"),
    ],
)
def test_a_network_that_fails_is_drawn_up_to_the_failing_line(
    foveal, networks, tmp_path, name, boxes, reason
):
    page = tmp_path / "net.html"
    shown = foveal("inspect", networks(name), "--input", "3x16x16", "--html", page)
    assert shown.code == 3
    assert reason in shown.err
    data = data_of(page.read_text("utf-8"))
    nodes = data["top"]["nodes"]
    assert [node[4] for node in nodes if node[1] == "part"] == boxes
    assert nodes[-1][1] == "stop"
    assert reason in data["reason"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--overlay", "macs"], "--overlay says what the boxes of --svg and --png say"),
        (["--images", "a.png"], "--images are what --effective measures on and --html shows"),
        (["--weights", "random"], "--weights are for what is computed"),
    ],
)
def test_options_that_would_do_nothing_are_refused(foveal, networks, options, sentence):
    shown = foveal("inspect", networks("small"), *options)
    assert shown.code == 2
    assert sentence in " ".join(shown.err.split())


@pytest.mark.parametrize(
    ("place", "reason", "step"),
    [
        ("file/net.svg", "Not a directory", "A file stands where a folder is needed"),
        ("file/deep/net.svg", "Not a directory", "A file stands where a folder is needed"),
        ("folder", "Is a directory", "That is a folder: give the name of a file"),
        (f"folder/{'n' * 300}.svg", "File name too long", "Choose a shorter name"),
    ],
)
def test_a_place_that_cannot_be_written_is_named_with_what_to_do(
    foveal, networks, tmp_path, place, reason, step
):
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    shown = foveal("inspect", networks("small"), "--input", "3x16x16", "--svg", tmp_path / place)
    error = f"Error: {tmp_path / place} cannot be read or written: {reason}.\n{step}"
    assert (shown.code, shown.err[: len(error)]) == (3, error)


def test_the_png_is_the_drawing_at_twice_its_size(foveal, networks, tmp_path):
    svg, png = tmp_path / "net.svg", tmp_path / "net.png"
    shown = foveal("inspect", networks("small"), "--input", "3x16x16", "--svg", svg, "--png", png)
    assert shown.code == 0, shown.err
    root = ElementTree.parse(svg).getroot()
    with Image.open(png) as image:
        assert image.size == (2 * float(root.get("width")), 2 * float(root.get("height")))


def test_the_png_has_the_light_colours_of_the_page_and_its_words(foveal, networks, tmp_path):
    png = tmp_path / "net.png"
    foveal("inspect", networks("small"), "--input", "3x16x16", "--png", png)
    with Image.open(png) as image:
        colours = {colour: count for count, colour in image.convert("RGB").getcolors(1 << 20)}
    assert max(colours, key=colours.__getitem__) == (255, 255, 255)
    assert colours[0x0B, 0x5A, 0x8A] > 100  # the edge of a convolution
    assert colours[0x1B, 0x1A, 0x18] > 100  # ink


def test_a_missing_engine_is_told_before_any_work(foveal, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    shown = foveal("inspect", "nowhere.py:no_such_network", "--png", tmp_path / "net.png")
    assert shown.code == 3
    assert "A PNG of the drawing needs the package resvg-py" in shown.err
    assert "pip install resvg-py" in shown.err


def test_two_networks_stand_in_one_drawing_under_their_names(foveal, networks, tmp_path):
    svg = tmp_path / "both.svg"
    shown = foveal(
        "inspect", networks("small"), "--against", networks("biased"),
        "--input", "3x16x16", "--svg", svg,
    )  # fmt: skip
    assert shown.code == 0, shown.err
    parts = list(ElementTree.parse(svg).iter())
    texts = [each.text or "" for each in parts if each.tag.endswith("text")]
    assert sum(text.endswith((":small", ":biased")) for text in texts) == 2
    # The linear layer has no equal: nn.Linear(8, 2) of the first.
    assert any("fvp-not" in each.get("class", "") for each in parts)


def test_findings_are_badges_on_both_networks(foveal, networks, tmp_path):
    page = tmp_path / "both.html"
    shown = foveal(
        "inspect", networks("small"), "--against", networks("biased"),
        "--input", "3x16x16", "--html", page,
    )  # fmt: skip
    assert shown.code == 0, shown.err
    for name, data in zip(("small", "biased"), all_data_of(page.read_text("utf-8")), strict=True):
        found = json.loads(foveal("lint", networks(name), "--input", "3x16x16", "--json").out)
        assert [mark[0] for mark in data["marks"]] == [one["code"] for one in found["findings"]]


def test_both_networks_show_what_they_make_of_an_image(foveal, networks, tmp_path):
    image, page = tmp_path / "image.png", tmp_path / "both.html"
    Image.fromarray(np.full((16, 16, 3), 99, np.uint8)).save(image)
    shown = foveal(
        "inspect", networks("small"), "--against", networks("biased"),
        "--input", "3x16x16", "--html", page, "--images", image,
    )  # fmt: skip
    assert shown.code == 0, shown.err
    assert all(data["activations"] for data in all_data_of(page.read_text("utf-8")))

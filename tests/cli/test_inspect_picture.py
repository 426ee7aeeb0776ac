"""``foveal inspect`` writes the network as a picture: page, SVG, findings, images, failures."""

from __future__ import annotations

import base64
import gzip
import json
import re
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
    found = re.search(r'data-fvp="packed">(.*?)</script>', page)
    assert found is not None
    content: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(found[1])))["data"]
    return content


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
        (["--overlay", "macs"], "--overlay says what the boxes of --svg say"),
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

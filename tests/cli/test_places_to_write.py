"""Whether a result can be written is known before the work, whatever the command."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

NET = """
from torch import nn


def small():
    raise SystemExit("the network was built")
"""


@pytest.fixture
def blocked(tmp_path: Path) -> dict[str, Path]:
    """Places that cannot be written, and a network that tells that work has begun."""
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder.png").mkdir()
    network = tmp_path / "net.py"
    network.write_text(NET, encoding="utf-8")
    image = tmp_path / "image.png"
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(image)
    return {"net": network, "image": image, "below": tmp_path / "file", "folder": tmp_path}


@pytest.mark.parametrize(
    "words",
    [
        ("visualise", "{net}:small", "--out", "{below}/deep/a.png"),
        ("visualise", "{net}:small", "--out", "{folder}/folder.png"),
        ("visualise", "{net}:small", "--out", "/proc/a.png"),
        ("explain", "{net}:small", "{image}", "--out", "{below}/a.png"),
        ("explain", "{net}:small", "{image}", "--out", "{below}/maps"),
        ("explain", "{net}:small", "{image}", "--out", "/proc/maps"),
        ("inspect", "{net}:small", "--html", "{below}/a.html"),
        ("inspect", "{net}:small", "--png", "{below}/a.png"),
        ("predict", "{folder}/run", "{image}", "--out", "{below}/a.csv"),
        ("export", "{folder}/run", "--out", "{below}/a.html"),
        ("report", "{folder}/run", "--out", "{below}/again"),
    ],
    ids=lambda words: f"{words[0]} {words[-1].rpartition('/')[2]}",
)
def test_a_place_that_cannot_be_written_is_told_before_any_work(foveal, blocked, words):
    shown = foveal(*(word.format(**blocked) for word in words))
    assert (shown.code, shown.out) == (3, "")
    assert re.search("cannot be read or written|could not be written", shown.err)
    assert words[-1].format(**blocked) in shown.err
    assert sorted(p.name for p in blocked["folder"].iterdir()) == [
        "file", "folder.png", "image.png", "net.py",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "near"),
    [("a.jpgx", "a.png"), ("a.jpg", "a.png"), ("a.svgz", "a.svg"), ("b.pn", "b.png"),
     ("c.pdf", "c.png"), ("d.PGN", "d.png")],
)  # fmt: skip
def test_a_file_that_looks_like_a_picture_makes_no_folder(foveal, blocked, name, near):
    place = blocked["folder"] / name
    shown = foveal("explain", f"{blocked['net']}:small", blocked["image"], "--out", place)
    assert shown.code == 2
    assert f"Did you mean {near}?" in shown.err
    assert not place.exists()


@pytest.mark.parametrize("name", ["maps", "maps.v2", "2026.11.28", "run.old"])
def test_a_folder_may_have_a_dot_in_its_name(name, tmp_path):
    from foveal.explanation.writing import require_drawable

    require_drawable(tmp_path / name)


def test_a_report_goes_into_a_folder(foveal, tmp_path):
    shown = foveal("report", tmp_path, "--out", tmp_path / "report.html")
    assert shown.code == 2
    assert "expected a folder" in shown.err
    assert not (tmp_path / "report.html").exists()

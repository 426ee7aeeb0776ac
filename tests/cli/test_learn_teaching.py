"""``foveal learn export``, ``variants`` and ``items`` through the front door."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from foveal.learn.progress import Review, dump_progress

Run = Callable[..., Any]


def test_every_format_is_written(foveal: Run, tmp_path: Path) -> None:
    for name in ("a.apkg", "a.xml", "a.gift", "a.zip"):
        kind = {"apkg": "anki", "xml": "moodle", "gift": "gift", "zip": "qti"}[name[2:]]
        result = foveal("learn", "export", kind, "field-growth", "--count", "2", tmp_path / name)
        assert result.code == 0, result.err
        assert f"questions written to {tmp_path / name}" in result.out
        assert "2 exercises with several blanks became one question" in result.err
    assert zipfile.is_zipfile(tmp_path / "a.apkg")
    assert len(ET.parse(tmp_path / "a.xml").getroot().findall("question")) == 1 + 2 * 2
    assert (tmp_path / "a.gift").read_text("utf-8").count("::[html]") == 2 * 2
    assert "imsmanifest.xml" in zipfile.ZipFile(tmp_path / "a.zip").namelist()


def test_question_folders_and_what_is_left_out(foveal: Run, tmp_path: Path) -> None:
    result = foveal("learn", "export", "prairielearn", "1", tmp_path / "questions")
    assert result.code == 0
    assert "Left out: quiz:1-3: it is answered in words" in result.err
    folders = sorted(folder.name for folder in (tmp_path / "questions").iterdir())
    assert "foveal-quiz-1-1" in folders
    assert "foveal-quiz-1-3" not in folders
    again = foveal("learn", "export", "prairielearn", "1", tmp_path / "questions")
    assert again.code == 2
    assert "is there already" in again.err


def test_a_sheet_and_its_key(foveal: Run, tmp_path: Path) -> None:
    words = ("learn", "export", "sheet", "15", "--count", "1", "--title", "Week 3")
    result = foveal(*words, tmp_path / "sheet")
    assert result.code == 0, result.err
    assert "<h1>Week 3</h1>" in (tmp_path / "sheet" / "sheet.html").read_text("utf-8")
    assert "<h1>Week 3: key</h1>" in (tmp_path / "sheet" / "key.html").read_text("utf-8")
    assert foveal(*words, tmp_path / "sheet").code == 2
    assert foveal(*words, "--overwrite", tmp_path / "sheet").code == 0


def test_drills_of_ones_own_network(foveal: Run, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(
        "from torch import nn\n"
        "def build():\n"
        "    net = nn.Sequential()\n"
        "    net.add_module('<img src=x onerror=alert(1)>', nn.Conv2d(1, 6, 5))\n"
        "    net.add_module('pool', nn.MaxPool2d(2))\n"
        "    return net\n"
    )
    own = ("--on", f"{tmp_path / 'net.py'}:build", "--input", "1x28x28", "--count", "1")
    result = foveal("learn", "export", "moodle", *own, tmp_path / "own.xml")
    assert result.code == 0, result.err
    shown = "".join(ET.parse(tmp_path / "own.xml").getroot().itertext())
    assert "&lt;img src=x onerror=alert(1)&gt;" in shown
    assert "<img" not in shown


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("moodle", "convolution-shap", "a.xml"), "Did you mean convolution-shape"),
        (("moodle", "28", "a.xml"), "got topic 28, expected a number from 1 to 27"),
        (("moodle", "quiz:99-1", "a.xml"), "got the question 'quiz:99-1'"),
        (("gift", "15", "a.txt"), "expected a name that ends in .gift"),
        (("qti", "15", "--level", "4", "a.zip"), "4 is not in the range 1<=x<=3"),
        (("prairielearn", "--on", "net.py", "folder"), "where your network is not"),
        (("anki", "15", "--input", "1x2x2", "a.apkg"), "name that with --on"),
    ],
)
def test_a_wrong_call_says_what_is_expected(
    foveal: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: Any, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = foveal("learn", "export", *words)
    assert result.code == 2
    assert message in result.err
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_is_not_replaced_unasked(foveal: Run, tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text("mine")
    result = foveal("learn", "export", "moodle", "quiz:2-1", tmp_path / "a.xml")
    assert result.code == 2
    assert (tmp_path / "a.xml").read_text() == "mine"


def test_variants_as_text_page_and_json(foveal: Run, tmp_path: Path) -> None:
    text = foveal("learn", "variants", "field-growth", "--level", "1")
    assert "[full-kernel]" in text.out
    page = foveal(
        "learn", "variants", "field-growth", "--count", "4", "--html", tmp_path / "v.html"
    )
    assert "12 variants written" in page.out
    shown = json.loads(foveal("learn", "variants", "field-growth", "--count", "1", "--json").out)
    assert [each["level"] for each in shown["variants"]] == [1, 2, 3]
    assert "Did you mean field-growth" in foveal("learn", "variants", "field-grow").err


def test_items_of_a_class(foveal: Run, tmp_path: Path) -> None:
    at = datetime(2026, 11, 28, tzinfo=UTC)
    for learner in "ab":
        wrong = Review(
            learner,
            "facts-2",
            "quiz:2-1",
            0,
            1,
            "again",
            False,
            {"size": "76"},
            ("rounded-up",),
            at,
        )
        (tmp_path / f"{learner}.json").write_bytes(dump_progress([wrong]))
    files = (tmp_path / "a.json", tmp_path / "b.json")
    text = foveal("learn", "items", *files)
    assert text.code == 0, text.err
    assert "rounded-up: the division was rounded up" in text.out
    report = json.loads(foveal("learn", "items", *files, "--json").out)
    assert report["items"][0]["mistakes"] == {"rounded-up": 2}
    assert report["items"][0]["num_learners"] == 2
    (tmp_path / "c.json").write_text("[]")
    refused = foveal("learn", "items", *files, tmp_path / "c.json")
    assert refused.code == 3
    assert "c.json" in refused.err


def test_blanks_as_multiple_choice(foveal: Run, tmp_path: Path) -> None:
    words = ("learn", "export", "moodle", "convolution-parameters", "--count", "1", "--choices")
    assert foveal(*words, tmp_path / "a.xml").code == 0
    node = ET.parse(tmp_path / "a.xml").getroot().findall("question")[1]
    assert node.get("type") == "multichoice"
    answers = node.findall("answer")
    assert [each.get("fraction") for each in answers].count("100") == 1
    assert len(answers) > 2
    assert all(each.findtext("feedback/text") for each in answers)

"""The page in Chromium, opened from a file: the answers of Python, and nothing leaves."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from benchmarks.page_files import make_files
from benchmarks.page_parity import compare, faults

from foveal.exporting.page import ExportedPage
from foveal.runs import load

pytestmark = pytest.mark.slow

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}


@pytest.fixture
def tab(browser: Any, exported: ExportedPage) -> Iterator[Any]:
    """A tab with the page, ready; it must ask nobody for anything and say nothing wrong."""
    context = browser.new_context(viewport=DESK, accept_downloads=True)
    page = context.new_page()
    page.set_default_timeout(60_000)
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(exported.file.as_uri())
    page.wait_for_selector("body[data-state=ready]")
    yield page
    assert [url for url in asked if not url.startswith(("file:", "blob:"))] == []
    assert said == []
    context.close()


def classify(page: Any, files: list[Path]) -> None:
    page.set_input_files("#images", [str(file) for file in files])
    page.wait_for_selector("#status:has-text('classified')")


def saved_csv(page: Any) -> str:
    with page.expect_download() as download:
        page.click("#save")
    return Path(download.value.path()).read_bytes().decode("utf-8")


def test_answers_and_csv_are_those_of_foveal_predict(
    tab: Any, run_folder: Path, shapes: Path, tmp_path: Path, foveal: Callable[..., Any]
) -> None:
    folder = tmp_path / "new"
    folder.mkdir()
    for number, name in enumerate(("circle", "cross", "stripes")):
        shutil.copy(shapes / name / f"00{number}.png", folder / f"{name}.png")
    shutil.copy(folder / "cross.png", folder / "=2+3.png")
    shutil.copy(folder / "cross.png", folder / "katze 🐈, “groß”.png")
    (folder / "text.jpg").write_text("no picture", encoding="utf-8")
    (folder / "empty.png").write_bytes(b"")
    files = sorted(folder.iterdir())
    foveal("predict", run_folder, *files, "--out", tmp_path / "answers.csv")
    expected = list(csv.reader(io.StringIO((tmp_path / "answers.csv").read_bytes().decode())))
    classify(tab, files)
    found = list(csv.reader(io.StringIO(saved_csv(tab))))
    assert found[0] == expected[0]
    by_name = {Path(row[0]).name: row[1:] for row in expected[1:]}
    for row in found[1:]:
        same = by_name[row[0].removeprefix("'")]
        assert (row[1], *row[3:6], row[7]) == (same[0], *same[2:5], same[6])
        numbers = [(a, b) for a, b in zip(row[1:], same, strict=True) if a.startswith("0.")]
        assert all(float(a) == pytest.approx(float(b), abs=1e-5) for a, b in numbers)
    assert "'=2+3.png" in [row[0] for row in found]
    assert "5 images classified" in tab.inner_text("#status")
    assert "2 files could not be used" in tab.inner_text("#status")
    assert "Not read: this is text, not an image." in tab.inner_text("#rows")


def test_one_file_in_eight_of_all_kinds_gives_the_same_pixels(
    browser: Any, exported: ExportedPage, run_folder: Path
) -> None:
    made = [one for n, one in enumerate(make_files()) if n % 8 == 0 or not one.is_read]
    compared = list(compare(load(run_folder), exported.file, made, browser=browser))
    assert faults(compared) == []
    assert len(compared) > 35


def test_the_keyboard_alone_sorts_opens_and_closes(tab: Any, shapes: Path) -> None:
    classify(tab, sorted((shapes / "circle").glob("*.png"))[:3])
    tab.focus("[data-key=probability] button")
    tab.keyboard.press("Enter")
    assert tab.get_attribute("[data-key=probability]", "aria-sort") == "descending"
    shares = tab.locator("#rows td:nth-child(3)").all_inner_texts()
    values = [float(text.strip("<>% ")) for text in shares]
    assert values == sorted(values, reverse=True)
    tab.keyboard.press("Enter")
    assert tab.get_attribute("[data-key=probability]", "aria-sort") == "ascending"
    tab.focus("#rows tr:first-child .open")
    name = tab.inner_text("#rows tr:first-child .name")
    tab.keyboard.press("Enter")
    assert tab.inner_text("#detail-title") == name
    tab.wait_for_selector("#picture:not([hidden])")
    assert "with the heat map for" in tab.get_attribute("#picture", "aria-label")
    tab.keyboard.press("ArrowRight")
    assert tab.inner_text("#detail-title") != name
    tab.keyboard.press("Escape")
    assert not tab.locator("#detail").is_visible()
    assert tab.evaluate("() => document.activeElement.className") == "open"


def test_a_picture_of_fifty_megapixels_is_answered(tab: Any, tmp_path: Path) -> None:
    from PIL import Image

    Image.new("L", (8000, 6250), 90).save(tmp_path / "large.png")
    classify(tab, [tmp_path / "large.png"])
    assert "1 image classified" in tab.inner_text("#status")


def test_axe_finds_nothing_and_a_phone_needs_no_sideways_scrolling(
    tab: Any, shapes: Path, violations: Callable[[Any], list[str]]
) -> None:
    classify(tab, [*sorted((shapes / "cross").glob("*.png"))[:2], shapes / "groups.csv"])
    for size in (DESK, PHONE):
        tab.set_viewport_size(size)
        assert tab.evaluate("() => document.documentElement.scrollWidth") <= size["width"]
        assert violations(tab) == []
        tab.click("#rows tr:first-child .open")
        tab.wait_for_selector("#picture:not([hidden])")
        assert violations(tab) == []
        tab.keyboard.press("Escape")

"""The page in Chromium, opened from a file: the answers of Python, and nothing leaves."""

from __future__ import annotations

import base64
import csv
import io
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from benchmarks.page_files import make_files
from benchmarks.page_parity import compare, faults
from PIL import Image
from tests.serving.live import start_server

import foveal as library
from foveal.draw.colour_map import overlay
from foveal.evaluation.operating_point import ChosenPoint, OperatingPoint
from foveal.explanation.placement import spread
from foveal.exporting.facts import gather_facts
from foveal.exporting.mapped_network import with_maps
from foveal.exporting.page import ExportedPage, export_page
from foveal.reporting.from_training import ReportRecord
from foveal.runs import load
from foveal.runs.reading import read_typed

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


@pytest.mark.parametrize("fit", ["crop", "pad"])
def test_another_fit_gives_the_same_pixels_on_the_page_and_the_same_answers_from_the_server(
    browser: Any, runtime: None, shapes: Path, tiny_weights: Path, tmp_path: Path, fit: str
) -> None:
    classifier = library.train(
        shapes,
        tmp_path / "run",
        backbone="test_resnet",
        weights=tiny_weights,
        head="linear",
        backend="onnxruntime",
        size_px=64,
        fit=fit,
    )
    page = export_page(classifier.folder, tmp_path / "page.html")
    made = [one for n, one in enumerate(make_files()) if n % 9 == 0 and one.is_read]
    assert faults(list(compare(classifier, page.file, made, browser=browser))) == []
    server = start_server(classifier.folder)
    try:
        for one in made:
            found = server.predict(one.data, "application/octet-stream").json()
            (answer,) = classifier.predict(one.data)
            assert tuple(found["probabilities"].values()) == answer.probabilities, one.name
    finally:
        server.client.close()
        server.stop()


def test_a_folder_gives_its_images_and_leaves_other_files_out(tab: Any, tmp_path: Path) -> None:
    folder = tmp_path / "scans 🐈"
    (folder / "deep").mkdir(parents=True)
    for name in ("b.png", "deep/a.PNG", ".hidden.png"):
        Image.new("L", (20, 30), 90).save(folder / name, "PNG")
    (folder / "notes.txt").write_text("x", encoding="utf-8")
    tab.set_input_files("#folder", str(folder))
    tab.wait_for_selector("#status:has-text('classified')")
    assert tab.locator("#rows .name").all_inner_texts() == ["scans 🐈/b.png", "scans 🐈/deep/a.PNG"]
    assert "2 files of other kinds in the folder were left out." in tab.inner_text("#status")


def test_files_that_are_dropped_are_answered_whatever_their_names(tab: Any) -> None:
    tab.evaluate(
        """() => {
          const dropped = new DataTransfer();
          dropped.items.add(new File(["x"], "no ending"));
          dropped.items.add(new File([new Uint8Array(0)], "<img src=x onerror=alert(1)>.png"));
          document.dispatchEvent(new DragEvent("drop", { dataTransfer: dropped }));
        }"""
    )
    tab.wait_for_selector("#status:has-text('classified')")
    assert tab.locator("#rows .name").all_inner_texts() == [
        "<img src=x onerror=alert(1)>.png",
        "no ending",
    ]
    assert tab.locator("#rows .reason").all_inner_texts() == [
        "Not read: the file is empty (0 bytes).",
        "Not read: this is text, not an image.",
    ]


_TINTED = """async ([text, classIndex]) => {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const { plain, tinted } = await foveal.explain(new File([bytes], "x.png"), classIndex, 128);
  return [Array.from(plain.data), Array.from(tinted.data)];
}"""


@pytest.mark.parametrize("class_index", [0, 2])
def test_the_heat_map_is_drawn_as_in_python(
    tab: Any, exported: ExportedPage, run_folder: Path, shapes: Path, class_index: int
) -> None:
    file = shapes / "stripes" / "001.png"
    classifier = load(run_folder)
    record = read_typed(run_folder, "report.json", ReportRecord, schema="report")
    assert record.maps is not None
    mapped = with_maps((run_folder / "model.onnx").read_bytes(), (64, 64))
    session = onnxruntime.InferenceSession(mapped.content, providers=["CPUExecutionProvider"])
    (maps,) = session.run(["maps"], {"images": classifier.preprocessing.apply(file)[None]})
    small = np.asarray(Image.open(file).resize((128, 128), Image.Resampling.BICUBIC))
    places = (np.arange(128) + 0.5) * 64 / 128 - 0.5
    values = spread(maps[0, class_index], record.maps.centres, rows=places, columns=places)
    peak = max(0.0, float(maps[0, class_index].max())) or 1.0
    expected = overlay(small, np.clip(values / peak, 0, 1))
    text = base64.b64encode(file.read_bytes()).decode("ascii")
    plain, tinted = (
        np.array(one).reshape(128, 128, 4)[..., :3]
        for one in tab.evaluate(_TINTED, [text, class_index])
    )
    assert (plain == small[..., None]).all()
    assert np.abs(tinted.astype(int) - expected).max() <= 1
    assert np.abs(tinted.astype(int) - plain).max() > 20


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


def test_clear_in_the_middle_forgets_what_was_under_way(tab: Any, shapes: Path) -> None:
    tab.set_input_files("#images", [str(one) for one in sorted(shapes.rglob("*.png"))])
    tab.wait_for_selector("#rows tr")
    tab.click("#clear")
    assert tab.inner_text("#status") == "Ready."
    classify(tab, [shapes / "circle" / "003.png"])
    assert tab.locator("#rows .name").all_inner_texts() == ["003.png"]
    assert "1 image classified." in tab.inner_text("#status")


def test_stop_keeps_what_was_answered_and_says_how_many_are_left(tab: Any, shapes: Path) -> None:
    tab.set_input_files("#images", [str(one) for one in sorted(shapes.rglob("*.png"))])
    tab.click("#stop")
    tab.wait_for_selector("#status:has-text('Stopped;')")
    answered = tab.locator("#rows tr").count()
    assert f"Stopped; {36 - answered} file" in tab.inner_text("#status")


def test_a_picture_of_fifty_megapixels_is_answered(tab: Any, tmp_path: Path) -> None:
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


def test_labels_follow_the_operating_point_of_the_run(
    browser: Any, runtime: None, run_folder: Path, shapes: Path, tmp_path: Path
) -> None:
    classifier = load(run_folder)
    folder = tmp_path / "new"
    folder.mkdir()
    for file in shapes.glob("*/00?.png"):
        shutil.copy(file, folder / f"{file.parent.name}-{file.name}")
    files = sorted(folder.iterdir())
    answers = classifier.predict(files)
    likely = [one.probabilities[0] for one in answers if one.label == "circle"]
    threshold = (min(likely) + max(likely)) / 2  # so that some circles are circles no more
    operating = classifier.evidence.operating
    assert operating is not None
    point = OperatingPoint("circle", 0, threshold, "specificity>=0.95 for circle")
    chosen = ChosenPoint(point.rule, "circle", point, (), 0, None, None, None, None, "Made up.")
    evidence = replace(classifier.evidence, operating=replace(operating, chosen=chosen))
    decided = replace(classifier, evidence=evidence)
    facts = gather_facts(decided, no_maps=None)
    assert facts.script["operating_point"]["threshold"] == threshold
    exported = export_page(run_folder, tmp_path / "page.html")
    told = f'"operating_point":{{"class_index":0,"threshold":{threshold!r}}}'
    text = exported.file.read_text("utf-8").replace('"operating_point":null', told)
    exported.file.write_text(text, "utf-8")
    expected = [one.label for one in decided.predict(files)]
    assert expected != [one.label for one in answers]
    page = browser.new_context(accept_downloads=True).new_page()
    page.set_default_timeout(60_000)
    page.goto(exported.file.as_uri())
    page.wait_for_selector("body[data-state=ready]")
    classify(page, files)
    rows = list(csv.DictReader(io.StringIO(saved_csv(page))))
    assert [row["label"] for row in rows] == expected
    page.context.close()

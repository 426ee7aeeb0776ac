"""The page as bytes: what is in it, and what it may do."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from foveal.errors import RunAlteredError, RunIncompleteError, UsageError
from foveal.exporting import page as page_module
from foveal.exporting.page import ExportedPage, export_page
from foveal.runs import read_manifest

pytestmark = pytest.mark.usefixtures("runtime")


@pytest.fixture(scope="module")
def text(exported: ExportedPage) -> str:
    return exported.file.read_text("utf-8")


def test_the_page_of_the_default_network_has_at_most_25_megabytes(exported: ExportedPage) -> None:
    assert exported.num_bytes == exported.file.stat().st_size <= 25_000_000
    assert exported.notes == ()


def test_the_browser_is_told_to_refuse_every_connection(text: str) -> None:
    found = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', text)
    assert found is not None
    policy = dict(part.strip().partition(" ")[::2] for part in found[1].split(";"))
    assert policy["default-src"] == policy["connect-src"] == policy["form-action"] == "'none'"
    assert "unsafe-inline" not in found[1]
    assert "http" not in found[1]


def test_no_address_is_in_it_that_a_browser_would_ask_for(text: str) -> None:
    bare = re.sub(r'<script type="text/plain".*?</script>', "", text, flags=re.S)
    assert not re.search(r"""(?:src|href)\s*=\s*["'](?!#)""", bare)
    assert not re.search(r"@import|url\(|\bfetch\(|XMLHttpRequest|WebSocket|sendBeacon", bare)


def test_it_names_the_model_its_headline_its_limits_and_its_digest(
    text: str, run_folder: Path
) -> None:
    manifest = read_manifest(run_folder)
    assert manifest["files"]["model.onnx"]["sha256"] in text
    assert re.search(r"Accuracy [\d.]+% \(95% interval [\d.]+ to [\d.]+%\)", text)
    assert "It has not been assessed as a medical device or a safety component." in text
    assert "tf_efficientnet_lite0" in text


def test_the_measured_agreement_with_python_is_in_it(text: str) -> None:
    record = Path(page_module.__file__).parent / "page" / "agreement.json"
    measured = json.loads(record.read_text("utf-8"))
    assert measured["num_files"] >= 200
    for row in measured["rows"]:
        assert f'<th scope="row">{row["kind"]}</th><td>{row["num_files"]}</td>' in text


def test_the_same_run_is_the_same_bytes(
    exported: ExportedPage, run_folder: Path, tmp_path: Path
) -> None:
    again = tmp_path / "again.html"
    again.write_bytes(exported.file.read_bytes()[:3000])  # an older page of ours is replaced
    assert export_page(run_folder, again).file.read_bytes() == exported.file.read_bytes()


def test_hostile_names_stay_text(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hostile(*arguments: Any, **options: Any) -> Any:
        facts = gather(*arguments, **options)
        facts.script["class_names"] = ["</script><script>alert(1)</script>", "{{script}}"]
        return facts

    gather = page_module.gather_facts
    monkeypatch.setattr(page_module, "gather_facts", hostile)
    monkeypatch.setattr(page_module, "_block", lambda name, content: "")
    written = export_page(run_folder, tmp_path / "page.html").file.read_text("utf-8")
    assert "alert(1)</script>" not in written
    assert '"{{script}}"' in written


@pytest.mark.parametrize("place", ["folder", "file of others"])
def test_what_is_not_ours_is_not_replaced(run_folder: Path, tmp_path: Path, place: str) -> None:
    target = tmp_path / "page.html"
    if place == "folder":
        target.mkdir()
    else:
        target.write_text("<!doctype html><title>Mine</title>", encoding="utf-8")
    with pytest.raises(UsageError, match=r"is a folder|is no page of Foveal"):
        export_page(run_folder, target)


def test_a_page_that_browsers_cannot_open_is_refused(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_module, "MOST_BYTES", 10_000_000)
    with pytest.raises(UsageError, match=r"would have \d+ MB, more than the 10 MB"):
        export_page(run_folder, tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


@pytest.mark.parametrize(
    ("damage", "error", "message"),
    [
        (lambda run: (run / "model.onnx").unlink(), RunAlteredError, "model.onnx is missing"),
        (
            lambda run: (run / "report.json").write_text("{}"),
            RunAlteredError,
            "report.json was altered",
        ),
        (lambda run: (run / "manifest.json").unlink(), RunIncompleteError, "has no manifest.json"),
        (lambda run: (run / "model.onnx").write_bytes(b"x"), RunAlteredError, "was altered"),
    ],
)
def test_a_run_that_is_not_whole_is_refused(
    run_folder: Path,
    tmp_path: Path,
    damage: Callable[[Path], object],
    error: type[Exception],
    message: str,
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(run_folder, copy)
    damage(copy)
    with pytest.raises(error, match=message):
        export_page(copy, tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()

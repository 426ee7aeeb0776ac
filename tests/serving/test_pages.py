"""The page that asks the server, and the page that answers in the browser."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.serving.live import Server, StartServer

from foveal.exporting.page import export_page
from foveal.runs import Classifier


def test_the_page_may_ask_its_own_server_and_nobody_else(server: Server) -> None:
    found = server.client.get("/")
    assert found.status_code == 200
    assert found.headers["content-type"] == "text/html; charset=utf-8"
    policy = found.headers["content-security-policy"]
    assert "connect-src 'self'" in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "connect-src 'self'" in found.text
    assert "They are sent to this server" in found.text
    assert "They stay on this device" not in found.text
    assert len(found.content) < 400_000


def test_the_offline_page_is_the_exported_one(
    server: Server, run_folder: Path, runtime: None, tmp_path: Path
) -> None:
    found = server.client.get("/offline")
    assert "connect-src 'none'" in found.headers["content-security-policy"]
    exported = export_page(run_folder, tmp_path / "page.html")
    assert found.content == exported.file.read_bytes()


def test_of_several_runs_one_is_chosen(
    start: StartServer, run_folder: Path, tmp_path: Path
) -> None:
    for name in ("first", "a & b"):
        shutil.copytree(run_folder, tmp_path / name)
    server = start(tmp_path / "first", tmp_path / "a & b")
    found = server.client.get("/")
    assert '<a href="./?run=a%20%26%20b">a &amp; b</a>' in found.text
    assert "connect-src 'none'" in found.headers["content-security-policy"]
    page = server.client.get("/", params={"run": "a & b"})
    assert page.status_code == 200
    assert '<a href="./?run=first">first</a>' in page.text
    assert server.client.get("/?run=c").status_code == 404


@pytest.mark.slow
def test_in_a_browser_it_answers_as_predict_does_and_shows_the_map(
    server: Server, browser: Any, classifier: Classifier, shapes: Path, tmp_path: Path
) -> None:
    files = [shapes / "circle" / "001.png", shapes / "cross" / "002.png"]
    (tmp_path / "text.png").write_text("no picture", "utf-8")
    context = browser.new_context(accept_downloads=True)
    page = context.new_page()
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(server.address)
    page.wait_for_selector("body[data-state=ready]")
    page.set_input_files("#images", [str(one) for one in (*files, tmp_path / "text.png")])
    page.wait_for_selector("#status:has-text('classified')")
    rows = [page.inner_text(f"#rows tr:nth-child({place})") for place in (1, 2, 3)]
    for row, prediction in zip(rows, classifier.predict(files), strict=False):
        assert str(prediction.label) in row
        assert f"{100 * (prediction.probability or 0):.1f}%" in row
    assert "not an image" in page.inner_text("#rows tr:nth-child(3)")
    page.click("#rows tr:nth-child(1) button")
    page.wait_for_selector("#picture:not([hidden])")
    page.wait_for_selector("#picture-says:has-text('speaks for')")
    assert said == []
    assert {url.split("/")[2] for url in asked if not url.startswith(("blob:", "data:"))} == {
        server.address.split("/")[2]
    }
    context.close()


def test_without_the_runtime_the_offline_page_is_refused_by_name(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from foveal.errors import FovealError
    from foveal.exporting import page
    from foveal.serving.served_run import load_run

    def missing() -> Callable[..., Any]:
        raise FovealError("it is not here", next_step="make runtime")

    monkeypatch.setattr(page, "read_runtime", missing)
    with pytest.raises(FovealError, match="not here"):
        load_run(run_folder, name="x", max_pixels=100).offline_page()

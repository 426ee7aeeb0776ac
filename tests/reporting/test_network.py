"""The network that gives the features is drawn in the report, or the report says why not."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from foveal.images import Preprocessing
from foveal.reporting import ReportInput, render_html
from foveal.reporting.from_training import inspect_backbone


@pytest.fixture
def page(cells: ReportInput) -> str:
    table = inspect_backbone("test_resnet", Preprocessing(height_px=64, width_px=64))
    return render_html(replace(cells, network=table))


def scripts_of(page: str) -> list[str]:
    """What runs: a script of a type that is none is data."""
    return re.findall(r"<script>(.*?)</script>", page, re.DOTALL)


def test_the_network_is_drawn_and_counted(page: str) -> None:
    table = inspect_backbone("test_resnet", Preprocessing(height_px=64, width_px=64))
    assert table is not None
    assert 'class="fvp-svg"' in page
    assert f"{table.totals.parameters:,}" in page


def test_the_policy_allows_the_scripts_of_the_drawing_alone(page: str) -> None:
    digests = [
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in scripts_of(page)
    ]
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    (rule,) = re.findall(r"script-src ([^;]*);", policy[1].replace("&#39;", "'"))
    assert rule.split() == digests
    assert len(digests) == 5


def test_a_report_without_a_drawing_has_no_script(cells: ReportInput) -> None:
    page = render_html(replace(cells, network=None))
    assert "<script" not in page
    assert "script-src" not in page


def test_hostile_names_in_the_drawing_run_nothing(cells: ReportInput, page: str) -> None:
    from torch import nn

    from foveal.inspection import inspect

    bad = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\u202e"
    table = inspect(nn.Sequential(OrderedDict({bad: nn.Conv2d(3, 4, 3)})), (3, 16, 16), name=bad)
    hostile = render_html(replace(cells, network=table))
    assert scripts_of(hostile) == scripts_of(page)
    assert "<img src=x" not in hostile
    assert "\u202e" not in hostile


@pytest.mark.slow
def test_the_drawing_opens_in_the_report_by_keyboard_and_asks_for_nothing(
    page: str, browser: Any, tmp_path: Path, violations: Any
) -> None:
    file = tmp_path / "report.html"
    file.write_text(page, encoding="utf-8")
    asked: list[str] = []
    said: list[str] = []
    shown = browser.new_context().new_page()
    shown.on("request", lambda request: asked.append(request.url))
    shown.on("console", lambda message: said.append(message.text))
    shown.on("pageerror", lambda error: said.append(str(error)))
    shown.goto(file.as_uri())
    shown.wait_for_selector(".fvp[data-ready]")
    before = shown.locator(".fvp-boxes .fvp-n").count()
    shown.get_by_role("button", name="Close all").focus()
    shown.keyboard.press("Enter")
    assert shown.locator(".fvp-boxes .fvp-n").count() < before
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert said == []
    assert violations(shown) == []
    shown.context.close()


@pytest.mark.slow
def test_where_scripts_are_off_the_drawing_stands_without_its_tools(
    page: str, browser: Any, tmp_path: Path
) -> None:
    file = tmp_path / "report.html"
    file.write_text(page, encoding="utf-8")
    context = browser.new_context(java_script_enabled=False)
    shown = context.new_page()
    shown.goto(file.as_uri())
    assert shown.locator(".fvp-svg .fvp-box").first.is_visible()
    assert not shown.get_by_role("button", name="Open all").is_visible()
    shown.get_by_text("The same as text").click()
    assert shown.locator(".fvp-text li").first.is_visible()
    context.close()


def test_the_network_ends_with_its_features() -> None:
    table = inspect_backbone("test_resnet", Preprocessing(height_px=64, width_px=64))
    assert table is not None
    assert [output.shape for output in table.outputs] == [(1, 96)]


def test_a_network_that_cannot_be_built_is_said(report: ReportInput) -> None:
    assert inspect_backbone("no_such_network", Preprocessing(height_px=64, width_px=64)) is None
    assert "Not drawn: the network could not be built" in render_html(replace(report, network=None))

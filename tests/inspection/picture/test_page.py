"""The picture in Chromium, opened from a file: by keyboard, and without any request."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from foveal.inspection import compare, inspect, render_inspection_fragment, render_inspection_html
from foveal.inspection.picture.arrangement import arrange
from foveal.inspection.picture.component import Layers, component
from foveal.inspection.picture.marks import Mark
from foveal.inspection.picture.picture import picture_of
from foveal.models.sources import open_network

MARKS = (
    Mark("layer2.1.conv1", "S101", "warning", "A title", "Evidence.", "The rule's page."),
    Mark("", "S102", "info", "Everywhere", "It holds for all.", ""),
)


@pytest.fixture(scope="module")
def table() -> Any:
    network = open_network("torchvision:resnet34", weights="none")
    return inspect(network.module, (3, 64, 64), name=network.name)


@pytest.fixture
def open_page(browser: Any, tmp_path: Path) -> Iterator[Callable[[str], Any]]:
    """Opens a page from a file; fails if it asks for anything or its policy refuses anything."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    asked: list[str] = []
    said: list[str] = []

    def show(content: str) -> Any:
        file = tmp_path / "page.html"
        file.write_text(content, encoding="utf-8")
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(file.as_uri())
        page.wait_for_selector(".fvp[data-ready]")
        return page

    yield show
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert said == []
    context.close()


def shown(page: Any) -> list[str]:
    return page.evaluate(
        "[...document.querySelectorAll('.fvp-boxes .fvp-n .fvp-title')].map((t) => t.textContent)"
    )


def box(page: Any, title: str) -> Any:
    return page.locator(".fvp-boxes .fvp-n", has_text=title).first


def test_a_group_opens_in_place_and_closes(open_page, table):
    page = open_page(render_inspection_html(table))
    before = shown(page)
    box(page, "layer3.1").click()
    assert "conv1" in set(shown(page)) - set(before) | {"conv1"}
    assert len(shown(page)) == len(before) + 2
    page.keyboard.press("Enter")
    assert sorted(shown(page)) == sorted(before)


def test_the_whole_picture_is_walked_by_keys_alone(open_page, table):
    page = open_page(render_inspection_html(table))
    page.locator(".fvp-scroll").first.focus()
    page.keyboard.press("Tab")
    titles = []
    for _ in range(4):
        titles.append(page.evaluate("document.activeElement.getAttribute('aria-label')"))
        page.keyboard.press("ArrowDown")
    assert [title.split()[0] for title in titles] == ["x", "conv1", "maxpool", "layer1.0"]
    page.keyboard.press("End")
    last = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert last == "output 1000; what it returns"
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    assert page.locator("[data-fvp=title]").inner_text() == "conv1"


def test_the_numbers_are_those_of_the_table(open_page, table):
    page = open_page(render_inspection_html(table))
    page.get_by_label("MACs", exact=True).check()
    row = table.op("conv1")
    assert f"{row.macs.value:,} MACs" in box(page, "conv1").text_content()
    page.get_by_label("Parameters", exact=True).check()
    page.get_by_role("button", name="Close all").click()
    values = page.evaluate(
        "[...document.querySelectorAll('.fvp-boxes .fvp-value')].map((t) => t.textContent)"
    )
    counts = [int(text.split()[0].replace(",", "")) for text in values if text[0].isdigit()]
    assert sum(counts) == table.totals.parameters


def test_each_copy_tells_what_it_sees_itself(open_page, table):
    page = open_page(render_inspection_html(table))
    box(page, "layer3.1").focus()
    told = []
    for _ in range(5):
        told.append(page.locator("[data-fvp=facts] dd").last.inner_text())
        page.get_by_role("button", name="The next copy").click()
    sizes = [table.op(f"layer3.{copy}.relu#2").receptive_field.size for copy in range(1, 6)]
    assert told == [f"field {h}×{w}, stride 16×16" for h, w in sizes]


def test_what_a_unit_sees_is_said_and_moved_by_keys(open_page, table):
    page = open_page(render_inspection_html(table))
    box(page, "conv1").click()
    canvas = page.get_by_role("img", name="Picture of 64×64")
    assert "row 17 of 32 and column 17 of 32 sees 7×7 pixels" in canvas.get_attribute("aria-label")
    canvas.focus()
    page.keyboard.press("ArrowUp")
    assert "row 16 of 32" in canvas.get_attribute("aria-label")


def test_findings_are_badges_with_their_page(open_page, table):
    page = open_page(render_inspection_html(table, layers=Layers(marks=MARKS)))
    assert page.locator(".fvp-boxes .fvp-badge").count() == 1
    box(page, "layer2.1").focus()
    assert "S101 A title" in page.locator("[data-fvp=facts]").inner_text()
    page.get_by_text("The page of S101").click()
    assert page.get_by_text("The rule's page.").is_visible()
    assert "It holds for all." in page.locator(".fvp-general").inner_text()


def test_a_layer_is_found_by_name_also_in_a_copy_that_is_not_drawn(open_page, table):
    page = open_page(render_inspection_html(table))
    page.get_by_label("Find a layer").fill("layer3.4.conv2")
    page.keyboard.press("Enter")
    assert "layer3.4.conv2" in page.locator("[data-fvp=facts]").inner_text()


@pytest.mark.parametrize("state", ["first", "none", "all"])
def test_the_page_and_python_put_everything_in_the_same_places(open_page, table, state):
    picture = picture_of(table)
    opened = {
        "first": picture.first_open,
        "none": frozenset(),
        "all": frozenset(node.number for node in picture.nodes()),
    }[state]
    page = open_page(render_inspection_html(table))
    script = (
        "async (opened) => { const { data } = await packed.read("
        "document.querySelector('[data-fvp=packed]').textContent);"
        "const found = arrangement.find(data.top, new Set(opened));"
        "return [found.width, found.height, found.boxes.map((b) => [b.node.number, b.x, b.y, "
        "b.width, b.height]), found.paths.map((p) => p.points)]; }"
    )
    wide, tall, boxes, paths = page.evaluate(script, sorted(opened))
    arrangement = arrange(picture, opened)
    flat = [value for b in boxes for value in b] + [v for p in paths for xy in p for v in xy]
    own = [v for b in arrangement.boxes for v in (b.node.number, b.x, b.y, b.width, b.height)]
    own += [value for path in arrangement.paths for point in path.points for value in point]
    assert [wide, tall, *flat] == pytest.approx([arrangement.width, arrangement.height, *own])


def test_a_box_has_the_same_name_whether_seen_at_first_or_later(open_page, table):
    names = (
        "Object.fromEntries([...document.querySelectorAll('.fvp-n')].map((n) => "
        "[n.dataset.n + n.classList.contains('fvp-open'), n.getAttribute('aria-label')]))"
    )
    layers = Layers(marks=MARKS)
    page = open_page(render_inspection_html(table, layers=layers))
    page.get_by_role("button", name="Open all").click()
    later = page.evaluate(names)
    everything = frozenset(node.number for node in picture_of(table).nodes())
    whole = replace(picture_of(table), first_open=everything)
    drawn = component(whole, layers=layers)
    first = dict(re.findall(r'data-n="(\d+)" role[^>]*aria-label="([^"]*)"', drawn))
    assert {key[: -len("true")]: name for key, name in later.items() if key.endswith("true")} == {
        key: first[key] for key in first if f"{key}true" in later
    }
    assert all(
        first[key[: -len("false")]] == name for key, name in later.items() if key.endswith("false")
    )


@pytest.mark.slow
def test_axe_finds_nothing(open_page, table, violations):
    page = open_page(render_inspection_html(table, layers=Layers(marks=MARKS)))
    assert violations(page) == []
    box(page, "layer2.1").click()
    page.get_by_label("Memory", exact=True).check()
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    assert violations(page) == []


@pytest.mark.slow
def test_axe_finds_nothing_in_two_networks_side_by_side(open_page, table, violations):
    other = open_network("torchvision:resnet18", weights="none")
    second = inspect(other.module, (3, 64, 64), name=other.name)
    page = open_page(render_inspection_html(table, comparison=compare(table, second)))
    box(page, "conv1").click()
    assert page.locator(".fvp-twin").count() == 1
    assert violations(page) == []


def test_nothing_is_wider_than_a_telephone(open_page, table):
    page = open_page(render_inspection_html(table))
    page.set_viewport_size({"width": 390, "height": 844})
    box(page, "layer3.1").click()
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")


def test_the_first_view_fits_a_telephone_where_its_words_stay_legible(open_page, table):
    page = open_page(render_inspection_html(table))
    page.set_viewport_size({"width": 390, "height": 844})
    page.reload()
    page.wait_for_selector(".fvp[data-ready]")
    wide, room, scale = page.evaluate(
        "(() => { const frame = document.querySelector('.fvp-scroll');"
        "const drawing = frame.querySelector('svg');"
        "return [frame.scrollWidth, frame.clientWidth,"
        "drawing.getAttribute('width') / drawing.viewBox.baseVal.width]; })()"
    )
    assert wide <= room
    assert 0.7 <= scale <= 1


def test_on_paper_the_drawing_stands_without_its_tools(open_page, table):
    page = open_page(render_inspection_html(table))
    box(page, "layer3.1").click()
    page.emulate_media(media="print")
    parts = {name: page.locator(f".fvp-{name}").first for name in ("tools", "side", "text")}
    assert [name for name, part in parts.items() if part.is_visible()] == []
    assert page.locator(".fvp-boxes .fvp-n").first.is_visible()


HOSTILE = "<img src=x onerror=alert(1)></script><script>alert(2)</script>\u202e"


def test_hostile_names_are_text(open_page):
    class Hostile(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3))
            self.add_module(HOSTILE.replace(".", ""), nn.Conv2d(4, 5, 3))

        def forward(self, x):
            return self.get_submodule(HOSTILE.replace(".", ""))(self.inner(x))

    table = inspect(Hostile(), (3, 16, 16), name=HOSTILE)
    marks = (Mark("inner.0", "S101", "error", HOSTILE, HOSTILE, HOSTILE),)
    page = open_page(render_inspection_html(table, layers=Layers(marks=marks)))
    box(page, "conv").click()
    assert page.locator("img").count() == 0
    assert "\u202e" not in page.content()


def test_what_cannot_be_followed_is_a_closed_box_with_the_reason(open_page):
    class Branches(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)

        def forward(self, x):
            x = self.conv(x)
            return x if x.mean() > 0 else -x

    table = inspect(Branches(), (3, 16, 16))
    assert table.status == "partial"
    page = open_page(render_inspection_html(table))
    stop = page.get_by_role("button", name="Not followed further")
    assert "x.mean() > 0" in stop.get_attribute("aria-label")


def test_an_empty_network_is_its_input_and_output(open_page):
    page = open_page(render_inspection_html(inspect(nn.Identity(), (3, 16, 16))))
    assert shown(page) == ["input", "output"] or len(shown(page)) == 2


def test_ten_thousand_operations_open_as_a_few_boxes(open_page):
    class Long(nn.Module):
        def forward(self, x):
            for k in range(5000):
                x = torch.relu(x) if k % 3 else torch.tanh(x)
                x = x * float(k)
            return x

    table = inspect(Long(), (1, 2, 2))
    assert len(table.ops) == 10_000
    page = open_page(render_inspection_html(table))
    assert len(shown(page)) <= 15


def test_the_notebook_shows_the_drawing_without_any_script(table):
    fragment = render_inspection_fragment(table)
    assert "<script" not in fragment
    assert "fvp-box" in fragment
    assert 'role="button"' not in fragment
    assert json.dumps(table.name)[1:-1] in fragment

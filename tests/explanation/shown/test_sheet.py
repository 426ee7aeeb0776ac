"""The sheet: what stands on it, at which position, and that names stay text."""

from __future__ import annotations

import io
from collections.abc import Callable
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from foveal.draw.lettering import Font, wrap_pixels
from foveal.explanation.drawing import draw_overlay
from foveal.explanation.images import ExplainedImage
from foveal.explanation.sheet import WIDTH_PX, lay_out, sheet_png, sheet_svg

Make = Callable[..., ExplainedImage]
SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = ("<script>alert(1)</script>", 'a"b&c', "line\nbreak\u202e", "x" * 400, "日本語 🫀")


def test_every_map_has_three_tiles_and_the_sheet_a_scale(explained: Make) -> None:
    sheet = lay_out([explained(), explained()], title="run")
    assert len(sheet.tiles) == 2 * 3 + 1


def test_each_map_has_a_scale_of_its_own_that_stands_beside_it(explained: Make) -> None:
    sheet = lay_out([explained(peak=0.04), explained(peak=7.5)], title="run")
    said = [line.text for line in sheet.lines]
    assert {"colours from 0 to 0.04", "colours from 0 to 7.5"} <= set(said)


def test_a_faint_map_is_drawn_as_clearly_as_a_strong_one(explained: Make) -> None:
    sheet = lay_out([explained(peak=0.04), explained(peak=7.5)], title="run")
    faint, strong = (tile.pixels for tile in (sheet.tiles[2], sheet.tiles[5]))
    np.testing.assert_allclose(faint, strong, atol=2)


def test_nothing_overlaps(explained: Make) -> None:
    sheet = lay_out([explained(), explained(size_px=(90, 60)), explained()], title="run")
    boxes = [(t.x, t.y, t.x + t.pixels.shape[1], t.y + t.pixels.shape[0]) for t in sheet.tiles]
    for number, (left, top, right, bottom) in enumerate(boxes):
        for other in boxes[number + 1 :]:
            assert right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_name_stays_text_and_on_the_sheet(explained: Make, name: str) -> None:
    sheet = lay_out([explained(class_name=name, path=name)], title=name)
    for line in sheet.lines:
        font = Font(line.size_px, line.weight)
        assert line.x + font.width(line.text) <= WIDTH_PX
    root = ElementTree.fromstring(sheet_svg(sheet))
    assert {element.tag for element in root.iter()} == {
        f"{SVG}{tag}" for tag in ("svg", "title", "rect", "image", "text")
    }


def test_the_svg_asks_for_nothing_outside(explained: Make) -> None:
    root = ElementTree.fromstring(sheet_svg(lay_out([explained()], title="run")))
    hrefs = [element.get("href") or "" for element in root.iter(f"{SVG}image")]
    assert all(href.startswith("data:image/png;base64,") for href in hrefs)


def test_the_png_is_twice_the_sheets_size(explained: Make) -> None:
    sheet = lay_out([explained()], title="run")
    image = Image.open(io.BytesIO(sheet_png(sheet)))
    assert image.size == (2 * sheet.width_px, 2 * sheet.height_px)


def test_a_image_with_an_error_is_named_with_it() -> None:
    sheet = lay_out([ExplainedImage("bad.png", error="it is no image")], title="run")
    assert [line.text for line in sheet.lines] == ["run", "bad.png", "it is no image"]


def test_a_blank_map_leaves_the_image_grey(explained: Make) -> None:
    sheet = lay_out([explained(peak=0.0)], title="run")
    assert np.ptp(sheet.tiles[1].pixels, axis=2).max() == 0


def test_the_overlay_is_hot_where_the_map_is(explained: Make) -> None:
    image = explained()
    (one,) = image.maps
    assert image.pixels is not None
    assert image.placement is not None
    drawn = draw_overlay(
        image.pixels,
        one.heat_map,
        placement=image.placement,
        centres=one.centres,
        most=4.0,
        side_px=90,
    ).astype(int)
    colour = drawn.max(2) - drawn.min(2)
    assert colour[-1, -1] > 100
    assert colour[:30, :45].max() == 0


def test_words_wrap_without_loss() -> None:
    text = "one two three four five six seven"
    lines = wrap_pixels(text, Font(14), 90)
    assert len(lines) > 1
    assert " ".join(lines) == text

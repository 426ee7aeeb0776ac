"""Many explained images as one sheet: what stands where, before it is PNG or SVG.

A row a map: the image, the map over it, the map alone, and in words the class, its
probability and the verdict. Each map has a scale of its own, whose end stands beside it: on
the scale of the largest, a true map of a faint class would not be seen.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from foveal.draw.lettering import Font, Weight, shorten_pixels, wrap_pixels
from foveal.draw.numbers import percent
from foveal.draw.svg import element, words
from foveal.explanation.drawing import (
    draw_alone,
    draw_bar,
    draw_image,
    draw_overlay,
    largest,
)
from foveal.explanation.images import ExplainedImage, ExplainedMap
from foveal.explanation.methods import unit_of

Pixels = NDArray[np.uint8]

TILE_PX = 216
MARGIN_PX = 28
GAP_PX = 10
TEXT_PX = 360
WIDTH_PX = 2 * MARGIN_PX + 3 * TILE_PX + 2 * GAP_PX + 24 + TEXT_PX
_WHOLE_PX = WIDTH_PX - 2 * MARGIN_PX
_ROW_GAP_PX = 26
_BAR_PX = (14, 2 * TILE_PX + GAP_PX)

INK, SOFT = "#1b1a18", "#595650"
LEVEL_COLOURS = {
    "supported": "#0b5a8a",
    "doubtful": "#8a5200",
    "refuted": "#a3161a",
    "untested": "#595650",
}


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """An image at a position; ``alt`` says what it is."""

    x: int
    y: int
    pixels: Pixels
    alt: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line of words; y is its base line."""

    x: int
    y: int
    text: str
    size_px: int = 14
    weight: Weight = "regular"
    colour: str = INK


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """Everything on the sheet.

    Attributes:
        width_px: Of the sheet.
        height_px: Of the sheet.
        title: For those who do not see it.
        tiles: Images.
        lines: Words, printable.
    """

    width_px: int
    height_px: int
    title: str
    tiles: tuple[Tile, ...]
    lines: tuple[Line, ...]


def lay_out(images: Sequence[ExplainedImage], *, title: str) -> Sheet:
    """Returns the sheet of several images' maps.

    Args:
        images: Those that could not be read become a line.
        title: Heading; made printable and shortened here.
    """
    maps = [one for image in images for one in image.maps]
    tiles: list[Tile] = []
    heading = shorten_pixels(title, Font(20, "bold"), _WHOLE_PX)
    lines = [Line(MARGIN_PX, MARGIN_PX + 16, heading, 20, "bold")]
    y = MARGIN_PX + 28
    if maps:
        first = maps[0].heat_map
        sentence = f"{first.method} at {first.layer}. {first.layer_reason}"
        for text in wrap_pixels(sentence, Font(14), _WHOLE_PX)[:2]:
            y += 19
            lines.append(Line(MARGIN_PX, y, text, colour=SOFT))
    y += 24
    for image in images:
        if image.error is not None:
            lines += _error_lines(image, y)
            y += 44 + _ROW_GAP_PX
        for one in image.maps:
            row_tiles, row_lines, height = _row(image, one, y)
            tiles += row_tiles
            lines += row_lines
            y += height + _ROW_GAP_PX
    if maps:
        bar = draw_bar(width_px=_BAR_PX[1], height_px=_BAR_PX[0])
        unit = unit_of(maps[0].heat_map.method)
        end = "each map’s largest value"
        tiles.append(Tile(MARGIN_PX, y, bar, f"Scale from 0 to {end}"))
        lines.append(Line(MARGIN_PX, y + 32, "0", 13, colour=SOFT))
        below = MARGIN_PX + _BAR_PX[1]
        lines.append(Line(below - Font(13).width(end), y + 32, end, 13, colour=SOFT))
        room = WIDTH_PX - MARGIN_PX - below - 24
        for number, text in enumerate(wrap_pixels(f"Values are {unit}.", Font(13), room)):
            lines.append(Line(below + 24, y + 12 + 18 * number, text, 13, colour=SOFT))
        y += 44
    return Sheet(WIDTH_PX, y + MARGIN_PX - 8, heading, tuple(tiles), tuple(lines))


def _row(image: ExplainedImage, one: ExplainedMap, y: int) -> tuple[list[Tile], list[Line], int]:
    most = largest([one.heat_map])
    assert image.pixels is not None and image.placement is not None  # noqa: PT018
    seen = draw_image(image.pixels, side_px=TILE_PX)
    over = draw_overlay(
        image.pixels,
        one.heat_map,
        placement=image.placement,
        centres=one.centres,
        most=most,
        side_px=TILE_PX,
    )
    alone = draw_alone(
        one.heat_map,
        placement=image.placement,
        centres=one.centres,
        most=most,
        shown_px=(seen.shape[0], seen.shape[1]),
    )
    tiles = [
        Tile(MARGIN_PX + number * (TILE_PX + GAP_PX), y, pixels, alt)
        for number, (pixels, alt) in enumerate(
            (
                (seen, image.path),
                (over, f"What speaks for {one.class_name}, over the image"),
                (alone, f"What speaks for {one.class_name}, alone"),
            )
        )
    ]
    lines, height = _words(image, one, y)
    return tiles, lines, max(seen.shape[0], height)


def _words(image: ExplainedImage, one: ExplainedMap, y: int) -> tuple[list[Line], int]:
    x = WIDTH_PX - MARGIN_PX - TEXT_PX
    lines = []
    top = y
    for text in wrap_pixels(
        f"{one.class_name} {percent(one.probability)}", Font(18, "bold"), TEXT_PX
    )[:2]:
        y += 20
        lines.append(Line(x, y, text, 18, "bold"))
    if one.class_name != image.label and image.label is not None:
        for text in wrap_pixels(
            f"the answer: {image.label} {percent(image.probability)}",
            Font(14),
            TEXT_PX,
        )[:2]:
            y += 20
            lines.append(Line(x, y, text))
    y += 24
    level = one.verdict.level
    lines.append(Line(x, y, level, 14, "bold", LEVEL_COLOURS[level]))
    for text in wrap_pixels(one.verdict.sentence, Font(14), TEXT_PX):
        y += 19
        lines.append(Line(x, y, text))
    y += 24
    scale = f"colours from 0 to {largest([one.heat_map]):.3g}"
    lines.append(Line(x, y, scale, 12, colour=SOFT))
    y += 18
    path = shorten_pixels(image.path, Font(12), TEXT_PX)
    lines.append(Line(x, y, path, 12, colour=SOFT))
    return lines, y - top + 6


def _error_lines(image: ExplainedImage, y: int) -> list[Line]:
    path = shorten_pixels(image.path, Font(14, "bold"), _WHOLE_PX)
    error = shorten_pixels(image.error or "", Font(14), _WHOLE_PX)
    return [
        Line(MARGIN_PX, y + 16, path, 14, "bold"),
        Line(MARGIN_PX, y + 36, error, 14, colour="#a3161a"),
    ]


_PAPER = "#fdfcfa"
_SCALE = 2  # a PNG is looked at on fine screens too
_FAMILY = "-apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', Arial, 'Noto Sans', sans-serif"


def sheet_png(sheet: Sheet) -> bytes:
    """Returns the sheet as a PNG of twice its size, without any metadata."""
    image = Image.new("RGB", (_SCALE * sheet.width_px, _SCALE * sheet.height_px), _PAPER)
    for tile in sheet.tiles:
        pixels = Image.fromarray(tile.pixels)
        size = _SCALE * pixels.width, _SCALE * pixels.height
        image.paste(
            pixels.resize(size, Image.Resampling.BICUBIC), (_SCALE * tile.x, _SCALE * tile.y)
        )
    pen = ImageDraw.Draw(image)
    for line in sheet.lines:
        Font(_SCALE * line.size_px, line.weight).draw(
            pen, (_SCALE * line.x, _SCALE * line.y), line.text, colour=line.colour
        )
    stream = io.BytesIO()
    image.save(stream, "PNG", optimize=True)
    return stream.getvalue()


def sheet_svg(sheet: Sheet) -> bytes:
    """Returns the sheet as an SVG with its images inside; names in it are text."""
    parts = [element("rect", width="100%", height="100%", fill=_PAPER)]
    for tile in sheet.tiles:
        height, width = tile.pixels.shape[:2]
        parts.append(
            element(
                "image",
                element("title", _escaped(tile.alt)),
                x=tile.x,
                y=tile.y,
                width=width,
                height=height,
                href=_data_uri(tile.pixels),
            )
        )
    parts += [
        words(
            line.text,
            x=line.x,
            y=line.y,
            font_size=line.size_px,
            font_weight="bold" if line.weight == "bold" else "normal",
            fill=line.colour,
        )
        for line in sheet.lines
    ]
    whole = element(
        "svg",
        element("title", _escaped(sheet.title)),
        *parts,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {sheet.width_px} {sheet.height_px}",
        width=sheet.width_px,
        height=sheet.height_px,
        font_family=_FAMILY,
    )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{whole}\n'.encode()


def _escaped(text: str) -> str:
    from html import escape

    from foveal.text import printable

    return escape(printable(text))


def _data_uri(pixels: object) -> str:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")  # type: ignore[arg-type]
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode('ascii')}"

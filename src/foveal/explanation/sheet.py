"""Many explained pictures as one sheet: what stands where, before it is PNG or SVG.

A row a map: the picture, the map over it, the map alone, and in words the class, its
probability and the verdict. Each map has a scale of its own, whose end stands beside it: on
the scale of the largest, a true map of a faint class would not be seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foveal.draw.lettering import Font, Weight, shorten_pixels, wrap_pixels
from foveal.draw.numbers import percent
from foveal.explanation.drawing import (
    draw_alone,
    draw_bar,
    draw_overlay,
    draw_picture,
    largest,
    unit_of,
)
from foveal.explanation.pictures import ExplainedMap, ExplainedPicture

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
    """A picture at a place; ``alt`` says what it is."""

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
        tiles: Pictures.
        lines: Words, printable.
    """

    width_px: int
    height_px: int
    title: str
    tiles: tuple[Tile, ...]
    lines: tuple[Line, ...]


def lay_out(pictures: Sequence[ExplainedPicture], *, title: str) -> Sheet:
    """Returns the sheet of several pictures' maps.

    Args:
        pictures: Those that could not be read become a line.
        title: Heading; made printable and shortened here.
    """
    maps = [one for picture in pictures for one in picture.maps]
    tiles: list[Tile] = []
    heading = shorten_pixels(title, Font(20, "bold"), _WHOLE_PX)
    lines = [Line(MARGIN_PX, MARGIN_PX + 16, heading, 20, "bold")]
    y = MARGIN_PX + 28
    if maps:
        first = maps[0].heat_map
        said = f"{first.method} at {first.layer}. {first.layer_reason}"
        for text in wrap_pixels(said, Font(14), _WHOLE_PX)[:2]:
            y += 19
            lines.append(Line(MARGIN_PX, y, text, colour=SOFT))
    y += 24
    for picture in pictures:
        if picture.error is not None:
            lines += _error_lines(picture, y)
            y += 44 + _ROW_GAP_PX
        for one in picture.maps:
            row_tiles, row_lines, height = _row(picture, one, y)
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


def _row(
    picture: ExplainedPicture, one: ExplainedMap, y: int
) -> tuple[list[Tile], list[Line], int]:
    most = largest([one.heat_map])
    assert picture.pixels is not None and picture.placement is not None  # noqa: PT018
    seen = draw_picture(picture.pixels, side_px=TILE_PX)
    over = draw_overlay(
        picture.pixels,
        one.heat_map,
        placement=picture.placement,
        centres=one.centres,
        most=most,
        side_px=TILE_PX,
    )
    alone = draw_alone(
        one.heat_map,
        placement=picture.placement,
        centres=one.centres,
        most=most,
        shown_px=(seen.shape[0], seen.shape[1]),
    )
    tiles = [
        Tile(MARGIN_PX + number * (TILE_PX + GAP_PX), y, pixels, alt)
        for number, (pixels, alt) in enumerate(
            (
                (seen, picture.path),
                (over, f"What speaks for {one.class_name}, over the picture"),
                (alone, f"What speaks for {one.class_name}, alone"),
            )
        )
    ]
    lines, height = _words(picture, one, y)
    return tiles, lines, max(seen.shape[0], height)


def _words(picture: ExplainedPicture, one: ExplainedMap, y: int) -> tuple[list[Line], int]:
    x = WIDTH_PX - MARGIN_PX - TEXT_PX
    lines = []
    top = y
    for text in wrap_pixels(
        f"{one.class_name} {percent(one.probability)}", Font(18, "bold"), TEXT_PX
    )[:2]:
        y += 20
        lines.append(Line(x, y, text, 18, "bold"))
    if one.class_name != picture.label and picture.label is not None:
        for text in wrap_pixels(
            f"the answer: {picture.label} {percent(picture.probability)}",
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
    path = shorten_pixels(picture.path, Font(12), TEXT_PX)
    lines.append(Line(x, y, path, 12, colour=SOFT))
    return lines, y - top + 6


def _error_lines(picture: ExplainedPicture, y: int) -> list[Line]:
    path = shorten_pixels(picture.path, Font(14, "bold"), _WHOLE_PX)
    error = shorten_pixels(picture.error or "", Font(14), _WHOLE_PX)
    return [
        Line(MARGIN_PX, y + 16, path, 14, "bold"),
        Line(MARGIN_PX, y + 36, error, 14, colour="#a3161a"),
    ]

"""A sheet as a PNG, and as an SVG that needs nothing beside it."""

from __future__ import annotations

import base64
import io

from PIL import Image, ImageDraw

from foveal.draw.lettering import Font
from foveal.draw.svg import element, words
from foveal.explanation.sheet import Sheet

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
    """Returns the sheet as an SVG with its pictures inside; names in it are text."""
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

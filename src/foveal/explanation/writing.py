"""Explained images written: as files (one sheet, or a PNG each), as JSON, and for the terminal.

The terminal shows a small map beside the words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.draw.numbers import percent
from foveal.draw.text_layout import COLUMNS, Role, Style, display_width, plain, shorten_middle, wrap
from foveal.errors import UsageError
from foveal.explanation.drawing import largest
from foveal.explanation.heat_map import VerdictLevel
from foveal.explanation.images import ExplainedImage, ExplainedMap
from foveal.explanation.methods import unit_of
from foveal.explanation.sheet import lay_out, sheet_png, sheet_svg
from foveal.files import write_atomically
from foveal.images.formats import FORMATS
from foveal.text import count_noun, near_names, printable

SHEET_ENDINGS = (".png", ".svg")
_OTHER_PICTURES = (
    *(suffix for row in FORMATS for suffix in row.suffixes if suffix not in SHEET_ENDINGS),
    ".pdf", ".eps", ".ps", ".html", ".htm",
)  # fmt: skip
_ALL_PICTURES = (*SHEET_ENDINGS, *_OTHER_PICTURES)
"""What nobody calls a folder."""
_MAX_STEM = 100


def require_drawable(out: Path) -> None:
    """Checks that maps can be drawn into ``out``.

    Raises:
        UsageError: It is a file that is no picture, or ends like a picture of another kind.
    """
    ending = out.suffix.lower()
    if ending in SHEET_ENDINGS or out.is_dir():
        return
    if out.is_file() or ending in _OTHER_PICTURES or near_names(ending, _ALL_PICTURES):
        near = (near_names(ending, SHEET_ENDINGS) or SHEET_ENDINGS)[0]
        raise UsageError(
            f"out: got {'the file ' if out.is_file() else ''}{printable(out.name)!r}, expected a "
            f"folder, or a file that ends in {' or '.join(SHEET_ENDINGS)}.",
            next_step=f"Did you mean {printable(out.stem)}{near}?",
        )


def write_sheets(
    explained: Sequence[ExplainedImage], out: Path, *, title: str, with_whole: bool = False
) -> list[Path]:
    """Writes maps over their images, and returns the files.

    Args:
        explained: The images with their maps.
        out: A .png or .svg file for one sheet of all; or a folder, for one PNG an image.
        title: Above every sheet.
        with_whole: Whether a folder gets a sheet of all as well.

    Raises:
        UsageError: ``out`` is a file that is no picture.
    """
    require_drawable(out)
    if out.suffix.lower() in SHEET_ENDINGS:
        encode = sheet_png if out.suffix.lower() == ".png" else sheet_svg
        write_atomically(out, encode(lay_out(explained, title=title)))
        return [out]
    written = []
    taken: set[str] = {"sheet.png", "sheet.svg"}
    for one in explained:
        if one.error is None:
            file = out / _unused(Path(one.path).stem, taken)
            write_atomically(file, sheet_png(lay_out([one], title=title)))
            written.append(file)
    if with_whole:
        whole = lay_out(explained, title=title)
        for name, content in (("sheet.png", sheet_png(whole)), ("sheet.svg", sheet_svg(whole))):
            write_atomically(out / name, content)
            written.insert(0, out / name)
    return written


def _unused(stem: str, taken: set[str]) -> str:
    """Returns a file name that no other image has, whatever the file system thinks of case."""
    stem = stem[:_MAX_STEM] or "picture"
    name, number = f"{stem}.png", 2
    while name.casefold() in taken:
        name, number = f"{stem}-{number}.png", number + 1
    taken.add(name.casefold())
    return name


def explanations_json(images: Sequence[ExplainedImage]) -> list[dict[str, Any]]:
    """Returns one value an image; maps at their own resolution, to five digits."""
    return [
        {
            "path": image.path,
            "label": image.label,
            "probability": image.probability,
            "error": image.error,
            "maps": [_map(one) for one in image.maps],
        }
        for image in images
    ]


def _map(one: ExplainedMap) -> dict[str, Any]:
    heat_map = one.heat_map
    return {
        "class": one.class_name,
        "class_index": heat_map.class_index,
        "probability": one.probability,
        "logit": heat_map.logit,
        "method": heat_map.method,
        "layer": heat_map.layer,
        "layer_reason": heat_map.layer_reason,
        "unit": unit_of(heat_map.method),
        "bias": heat_map.bias,
        "image_size_px": list(heat_map.image_size_px),
        "cell_centres_px": {
            "rows": one.centres.rows.tolist(),
            "columns": one.centres.columns.tolist(),
            "origin": one.centres.origin,
        },
        "values": _rounded(heat_map.values),
        "signed": None if heat_map.signed is None else _rounded(heat_map.signed),
        "verdict": {
            "level": one.verdict.level,
            "sentence": one.verdict.sentence,
            "checks": [asdict(check) for check in one.verdict.checks],
        },
    }


def _rounded(values: NDArray[np.float32]) -> list[list[float]]:
    rows: list[list[float]] = np.round(values.astype(np.float64), 5).tolist()
    return rows


_SHADES = " ░▒▓█"
_MAX_CELLS = 8
_ROLES: dict[VerdictLevel, Role] = {
    "supported": "good",
    "doubtful": "warning",
    "refuted": "error",
    "untested": "quiet",
}


def render_explanations_text(images: Sequence[ExplainedImage], *, style: Style = plain) -> str:
    """Returns every image's maps with verdicts, at most 80 columns wide."""
    maps = [one for image in images for one in image.maps]
    blocks = [_image(image, style) for image in images]
    num_errors = sum(image.error is not None for image in images)
    if maps:
        first = maps[0].heat_map
        blocks.append(
            "\n".join(
                (
                    wrap(f"{first.method} at {first.layer}. {first.layer_reason}"),
                    wrap(
                        "Scale: blank is 0, █ is the map's largest value, which stands beside "
                        f"it: {unit_of(first.method)}."
                    ),
                )
            )
        )
    if num_errors:
        blocks.append(f"{count_noun(num_errors, 'file')} could not be used.")
    return "\n\n".join(blocks)


def shade(values: NDArray[np.float32], *, most: float) -> tuple[str, ...]:
    """Returns a map in shades of the block, two characters a cell, at most 8 cells a side.

    >>> shade(np.array([[0.0, 1.0], [0.5, 0.2]], np.float32), most=1.0)
    ('  ██', '▒▒░░')
    """
    small = _reduced(np.asarray(values, np.float64))
    # Any value at all shows, and only the upper part of the scale is solid.
    levels = np.ceil(np.clip(small / (most or 1.0), 0.0, 1.0) * (len(_SHADES) - 1) - 1e-6)
    return tuple("".join(2 * _SHADES[int(level)] for level in row) for row in levels)


def _reduced(values: NDArray[np.float64]) -> NDArray[np.float64]:
    for axis in (0, 1):
        length = values.shape[axis]
        if length > _MAX_CELLS:
            edges = np.linspace(0, length, _MAX_CELLS + 1).astype(int)
            sums = np.add.reduceat(values, edges[:-1], axis=axis)
            shape = [1, 1]
            shape[axis] = -1
            values = sums / np.diff(edges).reshape(shape)
    return values


def _image(image: ExplainedImage, style: Style) -> str:
    path = style(shorten_middle(image.path, COLUMNS), "heading")
    if image.error is not None:
        return f"{path}\n{style('error:', 'error')} " + wrap(image.error, columns=COLUMNS - 7)
    return "\n".join([path, *(_drawn_map(image, one, style) for one in image.maps)])


def _drawn_map(image: ExplainedImage, one: ExplainedMap, style: Style) -> str:
    most = largest([one.heat_map])
    drawn = [f"│{row}│" for row in shade(one.heat_map.values, most=most)]
    width = display_width(drawn[0])
    line = "─" * (width - 2)
    drawn = [f"┌{line}┐", *drawn, f"└{line}┘"]
    room = COLUMNS - width - 2
    words = [
        (wrap(f"{one.class_name} {percent(one.probability)}", columns=room), "number"),
    ]
    if one.class_name != image.label and image.label is not None:
        answer = f"the answer: {image.label} {percent(image.probability)}"
        words.append((wrap(answer, columns=room), "quiet"))
    words.append((one.verdict.level, _ROLES[one.verdict.level]))
    lines = [
        style(part, role)  # type: ignore[arg-type]
        for text, role in words
        for part in text.split("\n")
    ]
    lines += wrap(one.verdict.sentence, columns=room).split("\n")
    lines.append(style(f"█ {most:.3g}", "quiet"))
    return "\n".join(
        f"{left or ' ' * width}  {right or ''}".rstrip()
        for left, right in zip_longest(drawn, lines)
    )

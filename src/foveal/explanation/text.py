"""Explained images for the terminal: a small map beside the words."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from foveal.draw.numbers import percent
from foveal.draw.text_layout import COLUMNS, Role, Style, display_width, plain, shorten_middle, wrap
from foveal.explanation.drawing import largest
from foveal.explanation.heat_map import VerdictLevel
from foveal.explanation.images import ExplainedImage, ExplainedMap
from foveal.explanation.methods import unit_of
from foveal.text import count_noun

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
    return "\n".join([path, *(_map(image, one, style) for one in image.maps)])


def _map(image: ExplainedImage, one: ExplainedMap, style: Style) -> str:
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

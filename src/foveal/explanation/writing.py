"""Explained images written: maps over them as files (one sheet, or a PNG each), and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.errors import UsageError
from foveal.explanation.images import ExplainedImage, ExplainedMap
from foveal.explanation.methods import unit_of
from foveal.explanation.sheet import lay_out, sheet_png, sheet_svg
from foveal.files import write_atomically
from foveal.images.formats import FORMATS
from foveal.text import near_names, printable

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

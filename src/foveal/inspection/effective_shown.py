"""The effective receptive field shown: in words, and as a heat map over an image.

The theoretical field is drawn around it.
"""

from __future__ import annotations

import base64
import io

import numpy as np
from numpy.typing import NDArray

from foveal.draw.numbers import percent
from foveal.draw.svg import element, words
from foveal.draw.text_layout import facts
from foveal.inspection.effective import EffectiveField


def render_effective_text(measured: EffectiveField) -> str:
    """Returns measured and theoretical sizes, side by side."""
    rows, columns = measured.mass_px
    pairs = [
        ("measured at", f"{measured.op_name}, unit {measured.unit}, {_images(measured)}"),
        (
            "effective",
            f"{measured.luo_px:.0f} px (Luo 2016: square root of the area above 4.55% of the peak)",
        ),
        ("95% of energy", f"within {rows} × {columns} px"),
    ]
    theoretical = measured.theoretical_px
    if theoretical is None:
        pairs.append(("theoretical", "unavailable"))
    else:
        rows, columns = theoretical
        area = measured.luo_px**2 / (rows * columns)
        pairs.append(
            (
                "theoretical",
                f"{rows} × {columns} px; the effective area is {percent(area, digits=1)} of it",
            )
        )
        height, width = measured.strength.shape
        if theoretical[0] > height or theoretical[1] > width:
            pairs.append(
                (
                    "note",
                    f"The theoretical field is larger than the {height} × {width} image, so the "
                    "edges cut it off: a larger --input shows all of it.",
                )
            )
    return facts(pairs)


def _images(measured: EffectiveField) -> str:
    if measured.num_images == 1:
        return "1 image"
    return f"mean over {measured.num_images} images of noise"


# From nothing over deep orange to pale yellow: readable on grey of any brightness.
_STOPS = np.array([0.0, 0.35, 0.7, 1.0])
_COLOURS = np.array([[120, 20, 60], [214, 60, 30], [250, 160, 40], [255, 250, 190]], dtype=float)


def draw_effective(measured: EffectiveField, background: NDArray[np.uint8] | None = None) -> str:
    """Returns an SVG with the strength of each pixel and both fields.

    Args:
        measured: What was measured.
        background: The image beneath, ``[H, W]`` or ``[H, W, 3]``; plain grey if None.
    """
    height, width = measured.strength.shape
    theoretical = measured.theoretical or ((0, height - 1), (0, width - 1))
    (top, bottom), (left, right) = theoretical
    x0, y0 = min(0, left), min(0, top)
    wide, tall = max(width, right + 1) - x0, max(height, bottom + 1) - y0
    line = max(wide, tall) / 300
    source = f"data:image/png;base64,{_png(measured.strength, background)}"
    parts = [
        element("image", href=source, x=0, y=0, width=width, height=height),
        element(
            "rect",
            x=0,
            y=0,
            width=width,
            height=height,
            fill="none",
            stroke="var(--soft)",
            stroke_width=line / 2,
        ),
    ]
    if measured.theoretical is not None:
        parts.append(
            element(
                "rect",
                x=left,
                y=top,
                width=right - left + 1,
                height=bottom - top + 1,
                fill="none",
                stroke="var(--c0)",
                stroke_width=line,
                stroke_dasharray=f"{4 * line:g} {3 * line:g}",
            )
        )
    middle_x, middle_y = _centre(measured.strength)
    side = measured.luo_px
    parts.append(
        element(
            "rect",
            x=middle_x - side / 2,
            y=middle_y - side / 2,
            width=side,
            height=side,
            fill="none",
            stroke="var(--c5)",
            stroke_width=line,
        )
    )
    margin = 2 * line
    name = words("Effective and theoretical receptive field")
    return element(
        "svg",
        name.replace("<text>", "<title>").replace("</text>", "</title>"),
        *parts,
        viewBox=f"{x0 - margin:g} {y0 - margin:g} {wide + 2 * margin:g} {tall + 2 * margin:g}",
        role="img",
        xmlns="http://www.w3.org/2000/svg",
    )


def _centre(strength: NDArray[np.float64]) -> tuple[float, float]:
    energy = strength**2
    rows, columns = energy.sum(1), energy.sum(0)
    middle_y = float((rows * (np.arange(len(rows)) + 0.5)).sum() / rows.sum())
    middle_x = float((columns * (np.arange(len(columns)) + 0.5)).sum() / columns.sum())
    return middle_x, middle_y


def _png(strength: NDArray[np.float64], background: NDArray[np.uint8] | None) -> str:
    from PIL import Image

    height, width = strength.shape
    if background is None:
        base = np.full((height, width, 3), 66.0)
    else:
        grey = background if background.ndim == 2 else background.mean(axis=2)
        base = np.repeat(grey[..., None], 3, axis=2).astype(float)
    heat = np.stack([np.interp(strength, _STOPS, _COLOURS[:, k]) for k in range(3)], axis=2)
    # Square root: the tail is what the figure is about, and it is faint.
    weight = np.sqrt(strength)[..., None] * 0.95
    mixed = (base * (1 - weight) + heat * weight).clip(0, 255).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(mixed).save(stream, format="PNG", optimize=True)
    return base64.b64encode(stream.getvalue()).decode("ascii")

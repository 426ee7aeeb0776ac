"""The effective receptive field in words."""

from __future__ import annotations

from foveal.draw.numbers import percent
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

"""Two networks side by side, as text."""

from __future__ import annotations

from foveal.draw.text_layout import Style, plain, wrap
from foveal.draw.width import pad, shorten_middle
from foveal.graph import Quantity
from foveal.inspection import wording
from foveal.inspection.comparing import Comparison, Contrast

_NAME = 20
_VALUE = 20


def render_comparison_text(comparison: Comparison, *, style: Style = plain) -> str:
    """Returns a row for each quantity: the first, the second, second over first."""
    names = [
        shorten_middle(table.name, _VALUE - 1) for table in (comparison.first, comparison.second)
    ]
    lines = [style(_row("", names[0], names[1], "second/first"), "quiet")]
    lines += [
        _row(item.name, _value(item.first, item.unit), _value(item.second, item.unit), _ratio(item))
        for item in comparison.contrasts
    ]
    reasons = dict.fromkeys(
        f"{item.name}: {figure.reason}"
        for item in comparison.contrasts
        for figure in (item.first, item.second)
        if figure.reason is not None
    )
    return "\n".join([*lines, *([""] if reasons else []), *(wrap(reason) for reason in reasons)])


def _row(name: str, first: str, second: str, ratio: str) -> str:
    return (
        pad(name, _NAME)
        + pad(first, _VALUE, right=True)
        + pad(second, _VALUE, right=True)
        + pad(ratio, 18, right=True)
    ).rstrip()


def _value(figure: Quantity[int], unit: str) -> str:
    if figure.value is None:
        return wording.UNKNOWN
    mark = "≥" if figure.status == "partial" else ""
    if unit == "bytes":
        return mark + wording.short_bytes(figure.value)
    return f"{mark}{figure.value:,}" + (" px" if unit == "px" else "")


def _ratio(item: Contrast) -> str:
    ratio = item.ratio
    if ratio is None:
        return wording.NONE
    if ratio == 1:
        return "same"
    if ratio == 0:
        return "0"
    return f"× {ratio:.3g}" if ratio > 1 else f"× {ratio:.3g}  (1/{1 / ratio:.3g})"

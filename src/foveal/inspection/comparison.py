"""Two networks side by side, as values and as text."""

from __future__ import annotations

from dataclasses import dataclass

from foveal.draw.text_layout import Style, pad, plain, shorten_middle, wrap
from foveal.graph.quantity import Quantity
from foveal.inspection import wording
from foveal.inspection.inspection import Inspection


@dataclass(frozen=True, slots=True)
class Contrast:
    """One quantity of two networks.

    Attributes:
        name: What it is.
        unit: ``"count"``, ``"bytes"`` or ``"px"``.
        first: Of the first network.
        second: Of the second.
    """

    name: str
    unit: str
    first: Quantity[int]
    second: Quantity[int]

    @property
    def ratio(self) -> float | None:
        """Second over first; None unless both are exact and the first is not 0."""
        if self.first.status != "complete" or self.second.status != "complete":
            return None
        if not self.first.value or self.second.value is None:
            return None
        return self.second.value / self.first.value


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two tables and the quantities in which they may differ."""

    first: Inspection
    second: Inspection
    contrasts: tuple[Contrast, ...]

    def contrast(self, name: str) -> Contrast:
        """Returns the quantity of that name."""
        return next(item for item in self.contrasts if item.name == name)

    def __str__(self) -> str:
        return render_comparison_text(self)

    # A notebook asks the object itself for its HTML, and what draws it needs the type.
    def _repr_html_(self) -> str:
        from foveal.inspection.page import render_comparison_fragment

        return render_comparison_fragment(self)


def compare(first: Inspection, second: Inspection) -> Comparison:
    """Returns what the second network costs and sees, against the first."""
    a, b = first.totals, second.totals
    contrasts = [
        Contrast("parameters", "count", Quantity(a.parameters), Quantity(b.parameters)),
        Contrast("MACs", "count", a.macs, b.macs),
        Contrast("activations", "bytes", a.activation_bytes, b.activation_bytes),
        Contrast("kept for training", "bytes", a.kept_bytes, b.kept_bytes),
        Contrast(
            "layers with weights",
            "count",
            Quantity(a.num_weighted_layers),
            Quantity(b.num_weighted_layers),
        ),
        Contrast(
            "nonlinearities",
            "count",
            Quantity(a.num_nonlinearities),
            Quantity(b.num_nonlinearities),
        ),
    ]
    axes = ("height", "width")
    fields = [_field_sizes(table) for table in (first, second)]
    if fields[0] == [fields[0][0]] * len(fields[0]) and fields[1] == [fields[1][0]] * len(
        fields[1]
    ):
        contrasts.append(Contrast("receptive field", "px", fields[0][0], fields[1][0]))
    else:
        contrasts += [
            Contrast(f"receptive field, {axis}", "px", x, y)
            for axis, x, y in zip(axes, *fields, strict=False)
        ]
    return Comparison(first, second, tuple(contrasts))


def _field_sizes(table: Inspection) -> list[Quantity[int]]:
    seen = table.totals.receptive_field
    if seen is None:
        return [Quantity.unavailable("no operation has positions")]
    reason = seen.reason or "the whole image is seen"
    return [
        Quantity.unavailable(reason) if size is None else Quantity(size) for size in seen.size
    ] or [Quantity.unavailable(reason)]


_NAME_COLUMNS = 20
_VALUE_COLUMNS = 20


def render_comparison_text(comparison: Comparison, *, style: Style = plain) -> str:
    """Returns a row for each quantity: the first, the second, second over first."""
    names = [
        shorten_middle(table.name, _VALUE_COLUMNS - 1)
        for table in (comparison.first, comparison.second)
    ]
    lines = [style(_row("", names[0], names[1], "second/first"), "quiet")]
    lines += [
        _row(
            item.name,
            _value_text(item.first, item.unit),
            _value_text(item.second, item.unit),
            _ratio_text(item),
        )
        for item in comparison.contrasts
    ]
    reasons = dict.fromkeys(
        f"{item.name}: {quantity.reason}"
        for item in comparison.contrasts
        for quantity in (item.first, item.second)
        if quantity.reason is not None
    )
    return "\n".join([*lines, *([""] if reasons else []), *(wrap(reason) for reason in reasons)])


def _row(name: str, first: str, second: str, ratio: str) -> str:
    return (
        pad(name, _NAME_COLUMNS)
        + pad(first, _VALUE_COLUMNS, right=True)
        + pad(second, _VALUE_COLUMNS, right=True)
        + pad(ratio, 18, right=True)
    ).rstrip()


def _value_text(quantity: Quantity[int], unit: str) -> str:
    if quantity.value is None:
        return wording.UNKNOWN
    mark = "≥" if quantity.status == "partial" else ""
    if unit == "bytes":
        return mark + wording.short_bytes(quantity.value)
    return f"{mark}{quantity.value:,}" + (" px" if unit == "px" else "")


def _ratio_text(item: Contrast) -> str:
    ratio = item.ratio
    if ratio is None:
        return wording.NONE
    if ratio == 1:
        return "same"
    if ratio == 0:
        return "0"
    return f"× {ratio:.3g}" if ratio > 1 else f"× {ratio:.3g}  (1/{1 / ratio:.3g})"

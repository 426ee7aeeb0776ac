"""The table and the picture as one HTML page that needs no network, and as a fragment of one."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from foveal.draw.page import html_page
from foveal.inspection import wording
from foveal.inspection.as_text import field_sentence, size_text
from foveal.inspection.comparison import Comparison, render_comparison_text
from foveal.inspection.drawing import draw_fields, draw_shares, draw_stages
from foveal.inspection.effective import EffectiveField, draw_effective, render_effective_text
from foveal.inspection.html_tables import op_tables, stage_table, text
from foveal.inspection.inspection import Inspection
from foveal.inspection.picture.component import (
    Layers,
    component,
    page_scripts,
    page_style,
    still,
)
from foveal.inspection.picture.picture import picture_of
from foveal.inspection.picture.side_by_side import side_by_side, still_pair

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def render_inspection_html(
    table: Inspection,
    *,
    effective: EffectiveField | None = None,
    background: NDArray[np.uint8] | None = None,
    comparison: Comparison | None = None,
    layers: Layers | None = None,
    second_layers: Layers | None = None,
) -> str:
    """Returns a self-contained page, light or dark as the reader's system is.

    Args:
        table: What is shown.
        effective: The effective receptive field, drawn if given.
        background: The image beneath it, ``[H, W]`` or ``[H, W, 3]``.
        comparison: Against another network, which is then shown beneath.
        layers: What is laid over the picture of the network.
        second_layers: The same over that of the other.
    """
    drawn = (
        f"<h2>The network</h2>{component(picture_of(table), layers=layers)}"
        if comparison is None
        else side_by_side(comparison, first=layers, second=second_layers)
    )
    body = _body(table, effective, background, drawn)
    if comparison is not None:
        body += (
            "<h2>Against the second network</h2>"
            f"<pre>{text_block(render_comparison_text(comparison))}</pre>"
            f"{_body(comparison.second, None, None)}"
        )
    return html_page(
        title=f"{table.name}, inspected",
        body=f'<main class="fv-inner">{body}</main>',
        style=_style() + page_style(),
        body_class="fv",
        scripts=page_scripts(),
    )


def render_inspection_fragment(table: Inspection) -> str:
    """Returns the same without the frame of a page, for notebooks."""
    drawn = f'<h2>The network</h2><div class="fvp-still">{still(picture_of(table))}</div>'
    return _fragment(_body(table, drawn=drawn))


def render_comparison_fragment(comparison: Comparison) -> str:
    """Returns two networks beside each other without the frame of a page, for notebooks."""
    return _fragment(
        f"{still_pair(comparison)}<pre>{text_block(render_comparison_text(comparison))}</pre>"
    )


def _fragment(body: str) -> str:
    return (
        f'<div class="fv"><style>{_style()}{page_style()}</style>'
        f'<div class="fv-inner">{body}</div></div>'
    )


def text_block(block: str) -> str:
    """Returns lines of our own text, each made safe."""
    return "\n".join(text(line) for line in block.splitlines())


def _body(
    table: Inspection,
    effective: EffectiveField | None = None,
    background: NDArray[np.uint8] | None = None,
    drawn: str = "",
) -> str:
    inputs = ", ".join(wording.shape_text(item.shape) for item in table.inputs)
    parts = [
        f"<h1>{text(table.name)}</h1>",
        f'<p class="fv-soft">{text(table.model_type)}, input {text(inputs)}, {table.mode} mode</p>',
    ]
    if table.status != "complete":
        parts.append(f'<p class="fv-warn">{table.status}: {text(table.reason or "")}</p>')
    parts.append(_cards(table))
    if table.sizes is not None:
        parts.append(f"<p>{text(' '.join(size_text(table.sizes).split()))}</p>")
    parts.append(drawn)
    if table.stages:
        parts += [
            "<h2>Stages, to scale</h2>",
            f"<figure>{draw_stages(table)}<figcaption>Height: the height of the map. Width: the "
            "share of MACs, with a least width so that every stage shows.</figcaption></figure>",
            '<div class="fv-two">',
            f"<figure><h2>Where it all is</h2>{draw_shares(table)}</figure>",
            _fields(table),
            "</div>",
            "<h2>By stage</h2>",
            stage_table(table),
            "<h2>Every operation</h2>",
            op_tables(table),
        ]
    if effective is not None:
        parts.append(_effective(effective, background))
    parts += [f'<p class="fv-soft">{text(note)}</p>' for note in (*table.notes, *_legend(table))]
    return "".join(parts)


def _cards(table: Inspection) -> str:
    totals = table.totals
    frozen = totals.parameters - totals.trainable_parameters
    seen = totals.receptive_field
    cards = (
        (
            "parameters",
            wording.short_count(totals.parameters),
            f"{totals.parameters:,}" + (f", {frozen:,} frozen" if frozen else ""),
        ),
        (
            "MACs",
            wording.count_text(totals.macs),
            f"{totals.macs.value:,}" if totals.macs.value is not None else totals.macs.reason or "",
        ),
        (
            "activations",
            wording.bytes_text(totals.activation_bytes),
            f"{wording.bytes_text(totals.peak_bytes)} alive at once",
        ),
        (
            "kept for training",
            wording.bytes_text(totals.kept_bytes),
            "for each batch of the input's size",
        ),
        (
            "receptive field",
            "none"
            if seen is None
            else wording.field_text(seen) + (" px" if seen.size and seen.size[0] else ""),
            field_sentence(table),
        ),
    )
    return (
        "<dl>"
        + "".join(
            f"<div><dt>{text(name)}</dt><dd>{text(value)}<small>{text(more)}</small></dd></div>"
            for name, value, more in cards
        )
        + "</dl>"
    )


def _fields(table: Inspection) -> str:
    drawn = draw_fields(table)
    if not drawn:
        return ""
    return (
        f"<figure><h2>What a unit sees</h2>{drawn}<figcaption>The field at the end of each stage "
        "and the input, to one scale.</figcaption></figure>"
    )


def _effective(measured: EffectiveField, background: NDArray[np.uint8] | None) -> str:
    return (
        "<h2>Effective receptive field</h2>"
        f'<figure class="fv-erf">{draw_effective(measured, background)}<figcaption>Colour: how '
        "strongly the unit depends on the pixel (gradient, averaged). Solid: the effective field "
        "(Luo et al. 2016). Dashed: the theoretical one.</figcaption></figure>"
        f"<pre>{text_block(render_effective_text(measured))}</pre>"
    )


def _legend(table: Inspection) -> list[str]:
    seen = [row.receptive_field for row in table.ops]
    notes = [
        "Memory is what each operation newly allocates: a view or in-place result needs none. "
        "Kept is what autograd holds for the backward pass, counted where it is first held."
    ]
    if any(any(s.is_global) and any(f is not None for f in s.fields) for s in seen):
        notes.append(
            "A field such as 67+ is 67 px around the unit, and the whole image besides, through "
            "a pooled branch (squeeze-and-excitation) or attention."
        )
    if any(s.status == "unavailable" for s in seen):
        notes.append("A field of ? is unavailable; point at it for the reason.")
    return notes


@cache
def _style() -> str:
    from importlib.resources import files

    return (files("foveal.inspection") / "inspection.css").read_text("utf-8")

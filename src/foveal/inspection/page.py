"""The table as one HTML page that needs neither network nor script, and as a fragment of one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from html import escape
from typing import TYPE_CHECKING

from foveal.draw.page import html_page
from foveal.graph import Quantity
from foveal.inspection import wording
from foveal.inspection.as_text import field_sentence, size_text
from foveal.inspection.comparison import Comparison, render_comparison_text
from foveal.inspection.drawing import colour, draw_fields, draw_shares, draw_stages
from foveal.inspection.effective import EffectiveField
from foveal.inspection.effective_picture import draw_effective
from foveal.inspection.effective_text import render_effective_text
from foveal.inspection.inspection import Inspection, OpRow, Stage
from foveal.text import count_noun, printable

_OP_HEADER = (
    "layer", "operation", "output", "at any size", "parameters", "MACs", "memory", "kept",
    "field", "stride", "start",
)  # fmt: skip
_STAGE_HEADER = (
    "stage", "output", "parameters", "MACs", "memory", "kept", "field", "stride",
    "start",
)  # fmt: skip
_BAR_PX = 40  # of a share of one; the style sheet leaves this much room
_WITH_BARS = frozenset({"parameters", "MACs", "memory"})


def safe(value: str) -> str:
    """Returns hostile safe, safe between tags and in attributes."""
    return escape(printable(value), quote=True)


def stage_table(table: Inspection) -> str:
    """Returns the stages with their shares."""
    rows = "".join(_stage_row(stage, index) for index, stage in enumerate(table.stages))
    totals = table.totals
    foot = (
        "total", "", f"{totals.parameters:,}", _exact(totals.macs),
        _bytes(totals.activation_bytes), _bytes(totals.kept_bytes),
        "" if totals.receptive_field is None else wording.field_text(totals.receptive_field),
        "" if totals.receptive_field is None else wording.stride_text(totals.receptive_field),
        "" if totals.receptive_field is None else wording.start_text(totals.receptive_field),
    )  # fmt: skip
    # A heading stands over its numbers, not over the bars beside them.
    header = "".join(
        f'<th class="fv-b">{name}</th>' if name in _WITH_BARS else f"<th>{name}</th>"
        for name in _STAGE_HEADER
    )
    return (
        f'<div class="fv-scroll"><table><thead><tr>{header}</tr></thead>'
        f"<tbody>{rows}</tbody><tfoot>{_cells(foot, 'td')}</tfoot></table></div>"
    )


def _stage_row(stage: Stage, index: int) -> str:
    key = (
        f'<span class="fv-key" style="background:{colour(index)}">{index + 1}</span>'
        f"{safe(stage.name)}"
    )
    seen = stage.receptive_field
    memory = wording.short_bytes(stage.activation_bytes)
    return (
        f'<tr><td class="fv-name">{key}</td>'
        f"<td>{safe(wording.shape_text(stage.output_shape))}</td>"
        f"<td>{_with_bar(f'{stage.parameters:,}', stage.share_of_parameters, index)}</td>"
        f"<td>{_with_bar(_exact(stage.macs), stage.share_of_macs, index)}</td>"
        f"<td>{_with_bar(memory, stage.share_of_memory, index)}</td>"
        f"<td>{_bytes(stage.kept_bytes)}</td>"
        f"<td{_why(seen.reason)}>{wording.field_text(seen)}</td>"
        f"<td>{wording.stride_text(seen)}</td><td>{wording.start_text(seen)}</td></tr>"
    )


def _with_bar(value: str, part: float | None, index: int) -> str:
    if not part:
        return f'{value} <span class="fv-share"></span><span class="fv-track"></span>'
    width = f"{_BAR_PX * part:.1f}px"
    bar = f'<span class="fv-bar" style="width:{width};background:{colour(index)}"></span>'
    number = f'<span class="fv-soft fv-share">{wording.share(part)}</span>'
    return f'{value} {number}<span class="fv-track">{bar}</span>'


def op_tables(table: Inspection) -> str:
    """Returns every operation, folded by stage."""
    return "".join(_stage_details(table, stage, index) for index, stage in enumerate(table.stages))


def _stage_details(table: Inspection, stage: Stage, index: int) -> str:
    rows = table.ops[stage.first : stage.last + 1]
    body = "".join(_op_row(table, row) for row in rows)
    header = _cells(_OP_HEADER, "th")
    return (
        f'<details><summary><span class="fv-key" style="background:{colour(index)}">{index + 1}'
        f"</span>{safe(stage.name)} "
        f'<span class="fv-soft">{count_noun(len(rows), "operation")}</span></summary>'
        f'<div class="fv-scroll"><table><thead>{header}</thead><tbody>{body}</tbody></table></div>'
        "</details>"
    )


def _op_row(table: Inspection, row: OpRow) -> str:
    seen = row.receptive_field
    symbolic = None
    if table.sizes is not None and table.sizes.shapes:
        symbolic = table.sizes.shapes[row.op.index]
    parameters = f"{row.parameters:,}" if row.parameters else wording.NONE
    if row.parameters and not row.trainable_parameters:
        parameters += " frozen"
    if row.shared_with is not None:
        parameters = f"shared with {safe(row.shared_with)}"
    memory = wording.short_bytes(row.activation_bytes) if row.activation_bytes else wording.NONE
    kept = _bytes(row.kept_bytes) if row.kept_bytes.value else wording.NONE
    return (
        f'<tr><td class="fv-name">{safe(row.name)}</td>'
        f'<td class="fv-l">{safe(wording.op_text(row.op))}</td>'
        f"<td>{safe(wording.shape_text(row.output_shape))}</td>"
        f"<td>{safe(wording.shape_text(symbolic)) if symbolic else wording.NONE}</td>"
        f"<td>{parameters}</td>"
        f"<td>{wording.NONE if row.macs == Quantity(0) else _exact(row.macs)}</td>"
        f"<td>{memory}</td><td>{kept}</td>"
        f"<td{_why(seen.reason)}>{wording.field_text(seen)}</td>"
        f"<td>{wording.stride_text(seen)}</td><td>{wording.start_text(seen)}</td></tr>"
    )


def _exact(quantity: Quantity[int]) -> str:
    if quantity.value is None:
        return f"<span{_why(quantity.reason)}>{wording.UNKNOWN}</span>"
    mark = "≥\u202f" if quantity.status == "partial" else ""
    return f"<span{_why(quantity.reason)}>{mark}{quantity.value:,}</span>"


def _bytes(quantity: Quantity[int]) -> str:
    return f"<span{_why(quantity.reason)}>{wording.bytes_text(quantity)}</span>"


def _why(reason: str | None) -> str:
    return "" if reason is None else f' title="{safe(reason)}"'


def _cells(values: Sequence[str], tag: str) -> str:
    return "<tr>" + "".join(f"<{tag}>{value}</{tag}>" for value in values) + "</tr>"


if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def render_inspection_html(
    table: Inspection,
    *,
    effective: EffectiveField | None = None,
    background: NDArray[np.uint8] | None = None,
    comparison: Comparison | None = None,
) -> str:
    """Returns a self-contained page, light or dark as the reader's system is.

    Args:
        table: What is shown.
        effective: The effective receptive field, drawn if given.
        background: The image beneath it, ``[H, W]`` or ``[H, W, 3]``.
        comparison: Against another network, which is then shown beneath.
    """
    body = _body(table, effective, background)
    if comparison is not None:
        body += (
            "<h2>Against the second network</h2>"
            f"<pre>{text_block(render_comparison_text(comparison))}</pre>"
            f"{_body(comparison.second, None, None)}"
        )
    return html_page(
        title=f"{table.name}, inspected",
        body=f'<main class="fv-inner">{body}</main>',
        style=_style(),
        body_class="fv",
    )


def render_inspection_fragment(table: Inspection) -> str:
    """Returns the same without the frame of a page, for notebooks."""
    return (
        f'<div class="fv"><style>{_style()}</style><div class="fv-inner">{_body(table)}</div></div>'
    )


def text_block(block: str) -> str:
    """Returns lines of our own safe, each made safe."""
    return "\n".join(safe(line) for line in block.splitlines())


def _body(
    table: Inspection,
    effective: EffectiveField | None = None,
    background: NDArray[np.uint8] | None = None,
) -> str:
    inputs = ", ".join(wording.shape_text(item.shape) for item in table.inputs)
    parts = [
        f"<h1>{safe(table.name)}</h1>",
        f'<p class="fv-soft">{safe(table.model_type)}, input {safe(inputs)}, {table.mode} mode</p>',
    ]
    if table.status != "complete":
        parts.append(f'<p class="fv-warn">{table.status}: {safe(table.reason or "")}</p>')
    parts.append(_cards(table))
    if table.sizes is not None:
        parts.append(f"<p>{safe(' '.join(size_text(table.sizes).split()))}</p>")
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
    parts += [f'<p class="fv-soft">{safe(note)}</p>' for note in (*table.notes, *_legend(table))]
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
            f"<div><dt>{safe(name)}</dt><dd>{safe(value)}<small>{safe(more)}</small></dd></div>"
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

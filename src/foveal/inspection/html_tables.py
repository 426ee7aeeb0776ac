"""The tables of the page: by stage, and every operation."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from foveal.graph import Quantity
from foveal.inspection import wording
from foveal.inspection.drawing import colour
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


def text(value: str) -> str:
    """Returns hostile text, safe between tags and in attributes."""
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
        f"{text(stage.name)}"
    )
    seen = stage.receptive_field
    memory = wording.short_bytes(stage.activation_bytes)
    return (
        f'<tr><td class="fv-name">{key}</td>'
        f"<td>{text(wording.shape_text(stage.output_shape))}</td>"
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
        f"</span>{text(stage.name)} "
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
        parameters = f"shared with {text(row.shared_with)}"
    memory = wording.short_bytes(row.activation_bytes) if row.activation_bytes else wording.NONE
    kept = _bytes(row.kept_bytes) if row.kept_bytes.value else wording.NONE
    return (
        f'<tr><td class="fv-name">{text(row.name)}</td>'
        f'<td class="fv-l">{text(wording.op_text(row.op))}</td>'
        f"<td>{text(wording.shape_text(row.output_shape))}</td>"
        f"<td>{text(wording.shape_text(symbolic)) if symbolic else wording.NONE}</td>"
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
    return "" if reason is None else f' title="{text(reason)}"'


def _cells(values: Sequence[str], tag: str) -> str:
    return "<tr>" + "".join(f"<{tag}>{value}</{tag}>" for value in values) + "</tr>"

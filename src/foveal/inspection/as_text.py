"""The table on 80 columns of a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from foveal.draw.text_layout import (
    COLUMNS,
    Style,
    display_width,
    pad,
    plain,
    shorten_end,
    shorten_middle,
    wrap,
)
from foveal.graph import Quantity
from foveal.inspection import wording
from foveal.inspection.blocks import Block, Line, fold_blocks
from foveal.inspection.inspection import Inspection, OpRow
from foveal.inspection.sizes import SizeLaw
from foveal.text import printable

By = Literal["op", "stage"]

_OP_HEADER = ("layer", "operation", "output", "params", "MACs", "bytes", "field", "stride", "start")
_STAGE_HEADER = (
    "stage", "output", "params", "", "MACs", "", "bytes", "kept", "field", "stride", "start",
)  # fmt: skip
_MAX_NAME = 17
_LEAST_NAME, _LEAST_OP = 12, 12
# Which columns go first where 80 are not enough: start, bytes, stride; start, kept, bytes.
_OP_DROPPED = (8, 5, 7)
_STAGE_DROPPED = (10, 7, 6)


def render_inspection_text(table: Inspection, *, by: By = "op", style: Style = plain) -> str:
    """Returns the table: heading, rows by operation or by stage, totals, what to know."""
    body = _by_op(table, style) if by == "op" else _by_stage(table, style)
    parts = [_heading(table, style), body, _totals(table, style)]
    if table.sizes is not None:
        parts.append(size_text(table.sizes))
    parts += [wrap(note) for note in (*_legend(table, by), *table.notes)]
    return "\n\n".join(part for part in parts if part)


def _heading(table: Inspection, style: Style) -> str:
    dtypes = {item.dtype for item in table.inputs}
    inputs = ", ".join(
        " ".join((wording.shape_text(item.shape), item.dtype if len(dtypes) > 1 else "")).strip()
        for item in table.inputs
    )
    name = printable(table.name)
    first = style(shorten_middle(name, COLUMNS), "heading")
    kind = printable(table.model_type)
    dtype = f" {dtypes.pop()}" if len(dtypes) == 1 else ""
    second = f"{kind}, input {inputs}{dtype}, {table.mode} mode"
    lines = [first, style(wrap(second), "quiet")]
    if table.status != "complete":
        lines.append(style(wrap(f"{table.status.upper()}: {table.reason}"), "warning"))
    return "\n".join(lines)


# --- by operation -------------------------------------------------------------------------


def _by_op(table: Inspection, style: Style) -> str:
    blocks = fold_blocks(table)
    rows: list[tuple[str, ...] | str] = []
    for block in blocks:
        indent = ""
        if block.names:
            rows.append(_block_title(block))
            indent = "  "
        common = _common_component(block)
        rows += [_line(line, block, indent, common) for line in block.lines]
    cells = [row for row in rows if isinstance(row, tuple)]
    kept = _columns_that_fit([_OP_HEADER, *cells], _OP_DROPPED, least=_LEAST_NAME + _LEAST_OP)
    widths = _op_widths([[row[k] for k in kept] for row in (_OP_HEADER, *cells)])
    lines = [style(_op_cells([_OP_HEADER[k] for k in kept], widths), "quiet")]
    for row in rows:
        if isinstance(row, str):
            lines.append(style(row, "heading"))
        else:
            lines.append(_op_cells([row[k] for k in kept], widths))
    return "\n".join(lines)


def _block_title(block: Block) -> str:
    names = block.names
    if len(names) == 1:
        return shorten_middle(names[0], COLUMNS)
    stem = names[0].rpartition(".")[0]
    last_stem, _, last = names[-1].rpartition(".")
    shown = f"{names[0]}–{last}" if stem == last_stem else f"{names[0]} – {names[-1]}"
    return f"{shorten_middle(shown, COLUMNS - 20)}   × {block.count}, each"


def _common_component(block: Block) -> str:
    """Returns what all names with a dot begin with, as in ``block.0``, ``block.1``, ``add``."""
    dotted = [line.name for line in block.lines if "." in line.name]
    common = ""
    while len(dotted) > 1:
        heads = {name.partition(".")[0] for name in dotted}
        if len(heads) > 1 or any("." not in name for name in dotted):
            break
        common += f"{heads.pop()}."
        dotted = [name.partition(".")[2] for name in dotted]
    return common if block.names else ""


def _line(line: Line, block: Block, indent: str, common: str) -> tuple[str, ...]:
    last = line.rows[-1]
    seen, in_last_copy = last.receptive_field, line.last_copy[-1].receptive_field
    field = wording.field_text(seen)
    if block.count > 1 and wording.field_text(in_last_copy) != field:
        field = f"{field.rstrip('+')}–{wording.field_text(in_last_copy)}"
    start = wording.start_text(in_last_copy)
    parameters = wording.short_count(line.parameters) if line.parameters else wording.NONE
    if line.main.shared_with is not None:
        parameters = "shared"
    elif line.parameters and not any(row.trainable_parameters for row in line.rows):
        parameters += "*"
    return (
        indent + (line.name.removeprefix(common) or line.main.name),
        wording.line_text(line),
        wording.shape_text(last.output_shape),
        parameters,
        _or_none(line.macs),
        wording.short_count(line.activation_bytes) if line.activation_bytes else wording.NONE,
        field,
        wording.stride_text(seen),
        start,
    )


def _or_none(quantity: Quantity[int]) -> str:
    return wording.NONE if quantity == Quantity(0) else wording.count_text(quantity)


def _columns_that_fit(
    rows: Sequence[Sequence[str]], droppable: Sequence[int], *, least: int, num_texts: int = 2
) -> list[int]:
    """Returns the columns that leave ``least`` for the first ones; the page has all of them."""
    kept = list(range(len(rows[0])))
    for dropped in (None, *droppable):
        kept = [k for k in kept if k != dropped]
        numbers = sum(max(display_width(row[k]) for row in rows) for k in kept[num_texts:])
        if numbers + len(kept) - 1 + least <= COLUMNS:
            break
    return kept


def _op_widths(rows: Sequence[Sequence[str]]) -> list[int]:
    """Numbers get what they need; what is left is shared by name and operation."""
    widths = [max(display_width(row[k]) for row in rows) for k in range(len(rows[0]))]
    room = COLUMNS - sum(widths[2:]) - (len(widths) - 1)
    if widths[0] + widths[1] > room:
        name = min(widths[0], _MAX_NAME, max(_LEAST_NAME, room - widths[1]))
        widths[0], widths[1] = name, max(6, room - name)
    return widths


def _op_cells(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [
        pad(_shorten_start(row[0], widths[0]), widths[0]),
        pad(shorten_end(row[1], widths[1]), widths[1]),
        *(pad(cell, width, right=True) for cell, width in zip(row[2:], widths[2:], strict=True)),
    ]
    return " ".join(cells).rstrip()


def _shorten_start(name: str, columns: int) -> str:
    """Returns a name whose end shows: that is where siblings differ."""
    text = printable(name)
    if display_width(text) <= columns:
        return text
    indent = text[: len(text) - len(text.lstrip())]
    return f"{indent}…{text[len(indent) - columns + 1 :]}"


# --- by stage -----------------------------------------------------------------------------


def _by_stage(table: Inspection, style: Style) -> str:
    rows = [
        (
            printable(stage.name),
            wording.shape_text(stage.output_shape),
            wording.short_count(stage.parameters) if stage.parameters else wording.NONE,
            wording.share(stage.share_of_parameters),
            _or_none(stage.macs),
            wording.share(stage.share_of_macs),
            _size(stage.activation_bytes),
            ("≥" if stage.kept_bytes.status == "partial" else "")
            + _size(stage.kept_bytes.value or 0),
            wording.field_text(stage.receptive_field),
            wording.stride_text(stage.receptive_field),
            wording.start_text(stage.receptive_field),
        )
        for stage in table.stages
    ]
    everything = [_STAGE_HEADER, *rows]
    kept = _columns_that_fit(everything, _STAGE_DROPPED, least=_LEAST_NAME, num_texts=1)
    widths = [max(display_width(row[k]) for row in everything) for k in kept]
    widths[0] = min(widths[0], COLUMNS - sum(widths[1:]) - (len(kept) - 1))
    lines = []
    for index, row in enumerate(everything):
        text = " ".join(
            pad(shorten_middle(row[k], width), width, right=k > 0)
            for k, width in zip(kept, widths, strict=True)
        ).rstrip()
        lines.append(style(text, "quiet") if index == 0 else text)
    return "\n".join(lines)


def _size(value: int) -> str:
    return wording.short_count(value) if value else wording.NONE


# --- beneath ------------------------------------------------------------------------------


def _totals(table: Inspection, style: Style) -> str:
    totals = table.totals
    frozen = totals.parameters - totals.trainable_parameters
    parameters = f"{totals.parameters:,}  ({wording.short_bytes(totals.parameter_bytes)})"
    if frozen:
        parameters += f", {totals.trainable_parameters:,} trainable, {frozen:,} frozen*"
    macs = totals.macs
    pairs = [
        ("parameters", parameters),
        (
            "MACs",
            f"{'at least ' if macs.status == 'partial' else ''}{macs.value:,}"
            if macs.value is not None
            else f"unavailable: {macs.reason}",
        ),
        (
            "memory",
            f"{wording.bytes_text(totals.activation_bytes)} of activations, "
            f"{wording.bytes_text(totals.peak_bytes)} alive at once; training keeps "
            f"{wording.bytes_text(totals.kept_bytes)}",
        ),
        ("receptive field", field_sentence(table)),
    ]
    reasons = [
        f"{name}: {quantity.reason}"
        for name, quantity in (("MACs", macs), ("training keeps", totals.kept_bytes))
        if quantity.status == "partial" and table.status == "complete"
    ]
    pairs += [("lower bounds", "; ".join(reasons))] if reasons else []
    return "\n".join(
        style(pad(name, 17), "quiet") + wrap(text, indent=" " * 17, first=" " * 17).lstrip()
        for name, text in pairs
    )


def field_sentence(table: Inspection) -> str:
    """Returns the network's receptive field in words."""
    totals = table.totals
    seen = totals.receptive_field
    if seen is None:
        return "none: no operation has positions"
    name = printable(totals.receptive_field_of or "")
    if seen.status == "unavailable":
        return f"unavailable at {name}: {seen.reason}"
    if all(size is None for size in seen.size):
        return f"the whole image, at {name}"
    size, stride = wording.axes_text(seen.size), wording.stride_text(seen)
    text = f"{size} px at {name}, stride {stride}, start {wording.start_text(seen)}"
    if any(seen.is_global):
        text += "; besides that it sees the whole image"
    return text


def size_text(law: SizeLaw) -> str:
    """Returns what holds at other sizes."""
    if law.status == "unavailable":
        return wrap(f"Other sizes: no law was found, because {law.reason}.")
    divisor = law.divisor or 1
    scope = "Any H, W" if divisor == 1 else f"Any H, W divisible by {divisor}"
    parts = [scope + (f", from {law.smallest} on" if law.smallest else "")]
    if law.macs is not None:
        parts.append(f": {law.macs} MACs")
    parts.append(f" (traced at {len(law.verified_on)} sizes).")
    rounding = {
        "up": " At other sizes maps are rounded up.",
        "down": " At other sizes maps are rounded down.",
        "up or down": " Other sizes work too, some maps rounded up, some down.",
        "not possible": " It refuses other sizes.",
        None: "",
    }[law.other_sizes]
    return wrap("".join(parts) + rounding)


def _legend(table: Inspection, by: By) -> list[str]:
    seen = [row.receptive_field for row in table.ops]
    notes = []
    if by == "op" and any(block.count > 1 for block in fold_blocks(table)):
        notes.append(
            "Folded blocks: the numbers are those of one copy; the field goes from the first "
            "copy to the last, whose start is shown."
        )
    if any(any(s.is_global) and any(f is not None for f in s.fields) for s in seen):
        notes.append(
            "67+ as a field: 67 px around the unit, and besides that the whole image through "
            "a pooled branch (squeeze-and-excitation) or attention."
        )
    unknown = _first_unknown(table.ops)
    if unknown is not None:
        notes.append(
            f"? as a field, from {printable(unknown.name)} on: "
            f"{printable(unknown.receptive_field.reason or '')}."
        )
    return notes


def _first_unknown(rows: Sequence[OpRow]) -> OpRow | None:
    return next((row for row in rows if row.receptive_field.status == "unavailable"), None)

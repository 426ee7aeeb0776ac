"""The network drawn as stages to scale, and its receptive fields."""

from __future__ import annotations

from collections.abc import Sequence

from foveal.draw.svg import element, words
from foveal.inspection import wording
from foveal.inspection.inspection import Inspection, Stage

_WIDTH = 960.0
_TALL = 190.0
_GAP = 6.0
_LEAST_WIDTH = 16.0
_LEAST_HEIGHT = 3.0
_NUM_COLOURS = 8


def colour(index: int) -> str:
    """Returns the CSS colour of the stage at ``index``."""
    return f"var(--c{index % _NUM_COLOURS})"


def draw_stages(table: Inspection) -> str:
    """Returns the stages side by side: height is the map's height, width the share of MACs."""
    stages = table.stages
    shares = [stage.share_of_macs or 0.0 for stage in stages]
    tallest = _input_height(table)
    room = _WIDTH - 44 - _GAP * len(stages)
    free = max(0.0, room - _LEAST_WIDTH * len(stages))
    widths = [_LEAST_WIDTH + free * share for share in shares]
    parts = [_input_mark(table)]
    x, base = 44.0 + _GAP, _TALL + 14
    for index, (stage, width) in enumerate(zip(stages, widths, strict=True)):
        height = _LEAST_HEIGHT
        if stage.resolution is not None and tallest:
            height = max(height, _TALL * stage.resolution[0] / tallest)
        parts.append(_stage(stage, index, x, base, width, height))
        x += width + _GAP
    title = f"{len(stages)} stages of {table.name}, drawn to scale"
    return _svg(parts, _WIDTH, base + 54, title)


def _input_height(table: Inspection) -> int:
    heights = [stage.resolution[0] for stage in table.stages if stage.resolution]
    shape = table.inputs[0].shape if table.inputs else ()
    own = [shape[2]] if len(shape) > 3 else []
    return max([*heights, *own], default=0)


def _input_mark(table: Inspection) -> str:
    shape = table.inputs[0].shape if table.inputs else ()
    if len(shape) < 4:
        return ""
    height = _TALL * shape[2] / _input_height(table)
    base = _TALL + 14
    box = element(
        "rect",
        x=1,
        y=base - height,
        width=34,
        height=height,
        fill="none",
        stroke="var(--soft)",
        stroke_dasharray="3 3",
    )
    return (
        box
        + words("input", x=18, y=base + 16, text_anchor="middle", class_="fv-s")
        + words(
            f"{shape[2]}×{shape[3]}" if shape[2] != shape[3] else f"{shape[2]}²",
            x=18,
            y=base + 32,
            text_anchor="middle",
            class_="fv-s",
        )
    )


def _stage(stage: Stage, index: int, x: float, base: float, width: float, height: float) -> str:
    tip = (
        f"{stage.name}: {wording.shape_text(stage.output_shape)}, "
        f"{wording.count_text(stage.macs)} MACs, {stage.parameters:,} parameters"
    )
    box = element(
        "rect",
        words(tip).replace("<text>", "<title>").replace("</text>", "</title>"),
        x=x,
        y=base - height,
        width=width,
        height=height,
        fill=colour(index),
        rx=1,
    )
    middle = x + width / 2
    labels = [words(str(index + 1), x=middle, y=base + 16, text_anchor="middle")]
    room = int(width / 6.8)
    if len(stage.name) <= room:
        labels.append(words(stage.name, x=middle, y=base + 32, text_anchor="middle", class_="fv-s"))
    size = wording.shape_text(stage.output_shape)
    if len(size) <= room:
        labels.append(words(size, x=middle, y=base + 47, text_anchor="middle", class_="fv-s"))
    share = wording.share(stage.share_of_macs)
    if height > 22 and width > 34:
        labels.append(
            words(share, x=middle, y=base - height / 2 + 4, text_anchor="middle", class_="fv-in")
        )
    return box + "".join(labels)


def draw_shares(table: Inspection) -> str:
    """Returns three bars: where parameters, MACs and activations are."""
    kinds = (
        ("parameters", [stage.share_of_parameters for stage in table.stages]),
        ("MACs", [stage.share_of_macs for stage in table.stages]),
        ("activations", [stage.share_of_memory for stage in table.stages]),
    )
    parts = []
    for row, (name, shares) in enumerate(kinds):
        y = 8 + row * 44
        parts.append(words(name, x=0, y=y + 18))
        parts.append(_bar(shares, x=86, y=y, width=474, height=28))
    return _svg(parts, 560, 8 + 3 * 44, "Shares of the stages")


def _bar(shares: Sequence[float | None], *, x: float, y: float, width: float, height: float) -> str:
    parts = []
    for index, value in enumerate(shares):
        wide = width * (value or 0.0)
        if wide < 0.25:
            continue
        parts.append(
            element("rect", x=x, y=y, width=max(0.4, wide - 1), height=height, fill=colour(index))
        )
        if wide > 34:
            text = f"{index + 1}: {wording.share(value)}" if wide > 56 else str(index + 1)
            parts.append(
                words(
                    text, x=x + wide / 2, y=y + height / 2 + 4, text_anchor="middle", class_="fv-in"
                )
            )
        x += wide
    return "".join(parts)


def draw_fields(table: Inspection) -> str:
    """Returns the input and the field of a unit in the middle of each stage, to one scale."""
    shape = table.inputs[0].shape if table.inputs else ()
    if len(shape) != 4:
        return ""
    boxes: list[tuple[int, int, int]] = []
    for index, stage in enumerate(table.stages):
        size = stage.receptive_field.size
        if len(size) == 2 and size[0] is not None and size[1] is not None:
            boxes.append((index, size[0], size[1]))
    if not boxes:
        return ""
    height, width = shape[2:]
    most = max(height, width, *(max(box[1:]) for box in boxes))
    side, margin = 300.0, 14.0
    scale = (side - 2 * margin) / most
    middle = side / 2
    parts = [
        element(
            "rect",
            x=middle - width * scale / 2,
            y=middle - height * scale / 2,
            width=width * scale,
            height=height * scale,
            fill="var(--raised)",
            stroke="var(--soft)",
            stroke_dasharray="3 3",
        )
    ]
    for index, tall, wide in reversed(boxes):
        parts.append(
            element(
                "rect",
                x=middle - wide * scale / 2,
                y=middle - tall * scale / 2,
                width=wide * scale,
                height=tall * scale,
                fill="none",
                stroke=colour(index),
                stroke_width=2,
            )
        )
    for row, (index, tall, wide) in enumerate(boxes):
        y = 30.0 + 20 * row
        parts.append(element("rect", x=side + 8, y=y - 9, width=12, height=12, fill=colour(index)))
        text = f"{index + 1}: {wording.axes_text((tall, wide))} px"
        if any(table.stages[index].receptive_field.is_global):
            text += " and the whole image"
        parts.append(words(text, x=side + 26, y=y + 1))
    y = 30.0 + 20 * len(boxes)
    parts.append(
        element(
            "rect",
            x=side + 8,
            y=y - 9,
            width=12,
            height=12,
            fill="none",
            stroke="var(--soft)",
            stroke_dasharray="3 3",
        )
    )
    parts.append(words(f"input {height}×{width}", x=side + 26, y=y + 1, class_="fv-s"))
    return _svg(parts, 500, max(side, y + 20), "Receptive fields of the stages, to scale")


def _svg(parts: Sequence[str], width: float, height: float, title: str) -> str:
    name = words(title).replace("<text>", "<title>").replace("</text>", "</title>")
    return element(
        "svg",
        name,
        *parts,
        viewBox=f"0 0 {width:g} {height:g}",
        role="img",
        xmlns="http://www.w3.org/2000/svg",
    )

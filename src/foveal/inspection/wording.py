"""Shapes, counts and settings as a reader meets them, the same in text and HTML."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, cast

from foveal.draw.numbers import UNKNOWN as UNKNOWN
from foveal.draw.numbers import percent
from foveal.draw.numbers import short_bytes as short_bytes
from foveal.draw.numbers import short_count as short_count
from foveal.graph import Op, Quantity, ReceptiveField
from foveal.inspection.blocks import Line

NONE = "·"

_SHORT = {
    "batch_norm": "bn",
    "layer_norm": "ln",
    "group_norm": "gn",
    "instance_norm": "in",
    "dropout": "drop",
    "leaky_relu": "lrelu",
    "hardswish": "hswish",
    "sigmoid": "sigm",
    "hardsigmoid": "hsigm",
    "local_response_norm": "lrn",
    "normalize": "norm",
    "rms_norm": "rms",
}
_MOVING = frozenset({"permute", "reshape", "copy", "flatten"})


def count_text(quantity: Quantity[int]) -> str:
    """Returns a count; a lower bound begins with ≥."""
    mark = "≥" if quantity.status == "partial" else ""
    return mark + short_count(quantity.value)


def bytes_text(quantity: Quantity[int]) -> str:
    """Returns a size; a lower bound begins with ≥."""
    mark = "≥" if quantity.status == "partial" else ""
    return mark + short_bytes(quantity.value)


def share(value: float | None) -> str:
    """Returns a share in per cent, short.

    >>> share(0.254), share(0.0004), share(0.0), share(None)
    ('25%', '<0.1%', '·', '·')
    """
    if not value:
        return NONE
    return percent(value)


def shape_text(shape: Sequence[int | str]) -> str:
    """Returns a shape without a batch of one.

    >>> shape_text((1, 64, 56, 56)), shape_text((8, 10)), shape_text((1, 1000))
    ('64×56×56', '8×10', '1000')
    """
    sizes = list(shape)
    if len(sizes) > 1 and sizes[0] in (1, "N"):
        sizes = sizes[1:]
    return "×".join(str(size) for size in sizes)


def axes_text(values: Sequence[int | Fraction | None], *, missing: str = UNKNOWN) -> str:
    """Returns one number where all axes agree, else one for each.

    >>> axes_text((7, 7)), axes_text((7, 3)), axes_text((Fraction(1, 2), Fraction(1, 2)))
    ('7', '7×3', '1/2')
    """
    words = [missing if value is None else str(value).replace("-", "−") for value in values]
    if not words:
        return missing
    return words[0] if len(set(words)) == 1 else "×".join(words)


def field_text(seen: ReceptiveField) -> str:
    """Returns the size of a receptive field: ``43``, ``all``, ``67+`` (and all), ``?``."""
    if seen.status == "unavailable":
        return UNKNOWN
    if all(size is None for size in seen.size):
        return "all" if any(seen.is_global) else UNKNOWN
    return axes_text(seen.size, missing="all") + ("+" if any(seen.is_global) else "")


def stride_text(seen: ReceptiveField) -> str:
    """Returns the effective stride, ``·`` where there are no positions."""
    return axes_text(seen.effective_stride, missing=NONE) if seen.axes else NONE


def start_text(seen: ReceptiveField) -> str:
    """Returns where the first unit's field begins, ``·`` where there are no positions."""
    return axes_text(seen.start, missing=NONE) if seen.axes else NONE


def line_text(line: Line) -> str:
    """Returns what a line does: ``conv 3×3/2 bn relu``."""
    followers = [_word(row.op) for row in line.rows[1:] if row.kind not in _MOVING]
    return " ".join([op_text(line.main.op), *followers])


def op_text(op: Op) -> str:
    """Returns what one operation does, with the settings that matter."""
    attributes = op.attributes
    if op.kind in {"conv", "conv_transpose"}:
        return _convolution(op)
    if op.kind in {"max_pool", "avg_pool"}:
        return f"{op.kind[:3]} {_kernel(attributes['kernel'])}{_per(attributes['stride'])}"
    if op.kind in {"adaptive_pool", "global_pool"}:
        how = str(attributes.get("function", "avg"))
        if op.kind == "global_pool":
            return f"{how} whole map"
        return f"{how} to {_kernel(attributes['output_size'])}"
    if op.kind == "interpolate":
        return f"{attributes.get('mode')} to {_kernel(attributes['output_size'])}"
    return {"concat": "concatenate", "linear": "linear"}.get(op.kind, _word(op))


def _word(op: Op) -> str:
    return _SHORT.get(op.kind) or _SHORT.get(op.function, op.function)


def _convolution(op: Op) -> str:
    attributes = op.attributes
    groups = cast(int, attributes["groups"])
    is_depthwise = groups == attributes["in_channels"] and groups > 1
    word = "convT" if op.kind == "conv_transpose" else "dw" if is_depthwise else "conv"
    text = f"{word} {_kernel(attributes['kernel'])}{_per(attributes['stride'])}"
    dilation = cast("tuple[int, ...]", attributes["dilation"])
    if any(step > 1 for step in dilation):
        text += f" d{axes_text(dilation)}"
    if groups > 1 and not is_depthwise:
        text += f" g{groups}"
    return text


def _kernel(value: Any) -> str:
    return "×".join(str(size) for size in value)


def _per(stride: Any) -> str:
    return "" if all(step == 1 for step in stride) else f"/{axes_text(stride)}"

"""Drills of topic 2: how large the result is."""

from __future__ import annotations

from foveal.arithmetic import transposed_convolution_size
from foveal.learn.drills.chance import Chance
from foveal.learn.drills.layers import (
    Conv,
    Layer,
    Map,
    Pool,
    shape_mistakes,
    shape_traps,
    tells_apart,
)
from foveal.learn.drills.sheet import Sheet, Wrong
from foveal.learn.drills.template import PLAIN, Template
from foveal.learn.drills.window import Window
from foveal.learn.exercise import Value
from foveal.learn.formula import evaluate

CONVENTION = "Write shapes as C×H×W, without the batch axis."
_SIZE_RULE = (
    "Along each axis the output has floor((H + 2p − d(k − 1) − 1) / s) + 1 positions: the padded "
    "input, less the span of the kernel, in moves of s, and one more for the position where the "
    "kernel begins. The two axes never influence each other."
)


def draw_conv(chance: Chance, in_channels: int, trap: str) -> Conv:
    """Returns a convolution of the usual kinds; the trap may be dilation or non-square."""
    kernel = chance.pick((3, 3, 5, 7))
    stride = 2 if trap == "floor" else chance.pick((1, 1, 2, 2, 3))
    dilation = chance.pick((2, 3)) if trap == "dilation" else 1
    padding = chance.pick((0, 1, 1, 2, 3))
    out_channels = chance.pick([c for c in (8, 16, 24, 32, 48, 64, 96, 128) if c != in_channels])
    wide, wide_padding = kernel, padding
    if trap == "non-square" and chance.below(2):
        wide = chance.pick([k for k in (1, 3, 5, 7) if k != kernel])
        wide_padding = chance.pick((0, 1, 2, 3))
    return Conv(
        in_channels,
        out_channels,
        (kernel, wide),
        (stride, stride),
        (padding, wide_padding),
        (dilation, dilation),
    )


def draw_input(chance: Chance, channels: int, trap: str) -> Map:
    """Returns the shape of an input map."""
    height = chance.pick((28, 32, 40, 48, 56, 64, 96, 100, 112, 128, 160, 192, 224))
    height += chance.pick((0, 0, 1, 3)) if trap == "floor" else chance.pick((0, 0, 0, 1))
    width = height
    if trap == "non-square":
        width = chance.pick([w for w in (32, 48, 60, 64, 80, 96, 120, 128, 160) if w != height])
    return channels, height, width


def run_code(layers: list[tuple[str, Layer]], given: Map) -> str:
    """Returns PyTorch that prints the shape after each layer."""
    lines = ["import torch", "from torch import nn", ""]
    lines.append(f"x = torch.zeros(1, {given[0]}, {given[1]}, {given[2]})")
    for _, layer in layers:
        lines += [f"x = {layer.code}(x)", "print(x.shape)"]
    return "\n".join(lines)


def fill_shapes(sheet: Sheet, layers: list[tuple[str, Layer]], given: Map) -> None:
    """Adds a blank for the shape after each layer; the input is called ``x``."""
    sheet.given["x"] = given
    source, shape = "x", given
    for key, layer in layers:
        result = layer.shape(shape)
        sheet.traps |= shape_traps(layer, shape)
        sheet.blank(
            key,
            f"after `{key}`",
            result,
            layer.shape_formula(source),
            wrong=shape_mistakes(layer, source, shape),
        )
        source, shape = key, result


def _fitting(layer: Layer, given: Map, traps: frozenset[str], *, among: tuple[str, ...]) -> bool:
    """Returns whether the layer fits, has exactly these traps and tells its mistakes apart."""
    if not all(w.fits(size) for w, size in zip(layer.windows, given[1:], strict=True)):
        return False
    if min(layer.shape(given)[1:]) < 4:
        return False
    return shape_traps(layer, given) & frozenset(among) == traps and tells_apart(layer, given)


_SHAPE_TRAPS = ("floor", "dilation")


def _convolution_shape(chance: Chance, level: int, trap: str) -> Sheet | None:
    given = shape = draw_input(chance, chance.pick((1, 3, 3, 16, 32)), trap)
    layers: list[tuple[str, Layer]] = []
    # The trap may be in any of the layers, the others are plain.
    trapped = chance.below(level)
    for number in range(level):
        here = trap if number == trapped or trap == "non-square" else PLAIN
        wanted = frozenset((here,)) & frozenset(_SHAPE_TRAPS)
        for _ in range(40):
            conv = draw_conv(chance, shape[0], here)
            if _fitting(conv, shape, wanted, among=_SHAPE_TRAPS):
                break
        else:
            return None
        layers.append((f"conv{number + 1}" if level > 1 else "conv", conv))
        shape = conv.shape(shape)
    sheet = Sheet()
    fill_shapes(sheet, layers, given)
    code = "\n".join(f"{name} = {layer.code}" for name, layer in layers)
    size = "×".join(map(str, given))
    asked = (
        "What is the shape of the result?"
        if level == 1
        else "What is the shape after each layer, one after the other?"
    )
    sheet.question = f"A map of {size} goes through\n\n```\n{code}\n```\n\n{asked} {CONVENTION}"
    sheet.hint = "Take the height first: how many positions has the kernel along that axis?"
    sheet.proof = run_code(layers, given)
    sheet.reasons = _SIZE_RULE
    return sheet


def _pooling_size(chance: Chance, level: int, trap: str) -> Sheet | None:
    sheet = Sheet()
    size = chance.pick((28, 32, 55, 56, 57, 64, 75, 111, 112, 113, 147, 149, 224))
    start, source = size, "h"
    sheet.given["h"] = size
    lines, proof = [], [f"x = torch.zeros(1, 8, {size}, {size})"]
    trapped = chance.below(level)
    for number in range(level):
        here = trap if number == trapped else PLAIN
        for _ in range(40):
            window = _draw_pooling(chance, here)
            wanted = frozenset((here,)) & {"floor", "ceil"}
            if size >= 2 * window.kernel and _by_formula(window, size) == window.size(size):
                pool = Pool(window)
                if window.traps(size) == wanted and tells_apart(pool, (8, size, size)):
                    break
        else:
            return None
        pool = Pool(window, chance.pick(("Max", "Avg")))
        result = window.size(size)
        sheet.traps |= window.traps(size)
        key = f"pool{number + 1}" if level > 1 else "pool"
        codes = ["no-floor" if code == "rounded-up" else code for code in window.mistakes(size)]
        sheet.blank(
            key,
            f"height after `{key}`",
            result,
            window.formula(source),
            wrong=[Wrong(code, window.formula(source, code)) for code in codes],
        )
        lines.append(f"{key} = {pool.code}")
        proof += [f"x = {pool.code}(x)", "print(x.shape[2])"]
        source, size = key, result
    code = "\n".join(lines)
    sheet.question = (
        f"A square map of height and width {start} goes through\n\n```\n{code}\n```\n\n"
        + ("How high is the result?" if level == 1 else "How high is the map after each layer?")
        + " The stride of a pooling is its kernel size unless it is given."
    )
    sheet.hint = "Pooling slides a window just as a convolution does; mind how it rounds."
    sheet.proof = "\n".join(["import torch", "from torch import nn", "", *proof])
    sheet.reasons = _SIZE_RULE + " ceil_mode=True rounds up: a window may hang over the edge."
    return sheet


def _draw_pooling(chance: Chance, trap: str) -> Window:
    kernel, stride, padding = chance.pick(
        ((2, 2, 0), (3, 2, 0), (3, 2, 1), (3, 3, 0), (2, 1, 0), (5, 2, 2), (5, 3, 0))
    )
    return Window(kernel, stride, padding, rounding="ceil" if trap == "ceil" else "floor")


def _by_formula(window: Window, size: int) -> Value:
    """Returns the size without PyTorch's exception: it drops a window of padding alone."""
    return evaluate(window.formula(str(size)))


def _transposed_size(chance: Chance, level: int, trap: str) -> Sheet | None:
    sheet = Sheet()
    size = chance.pick((4, 5, 7, 8, 10, 14, 16, 28))
    start, source = size, "h"
    sheet.given["h"] = size
    lines, proof = [], [f"x = torch.zeros(1, 8, {size}, {size})"]
    for number in range(level):
        kernel, stride, padding = chance.pick(
            ((2, 2, 0), (4, 2, 1), (3, 2, 1), (4, 4, 0), (5, 3, 1), (3, 2, 0), (6, 2, 2), (5, 2, 2))
        )
        extra = 1 if trap == "output-padding" and number == level - 1 else 0
        result = transposed_convolution_size(
            size, kernel=kernel, stride=stride, padding=padding, output_padding=extra
        )
        if extra:
            sheet.traps |= {"output-padding"}
        key = f"up{number + 1}" if level > 1 else "up"
        more = f" + {extra}" if extra else ""
        less = f" - 2*{padding}" if padding else ""
        wrong = [
            Wrong("size-times-stride", f"{source}*{stride}{more}"),
            Wrong(
                "as-convolution",
                Window(kernel, stride, padding).formula(source),
            ),
        ]
        if padding:
            wrong += [
                Wrong(
                    "padding-enlarges", f"({source} - 1)*{stride} + 2*{padding} + {kernel}{more}"
                ),
                Wrong("padding-once", f"({source} - 1)*{stride} - {padding} + {kernel}{more}"),
            ]
        if extra:
            wrong.append(
                Wrong("output-padding-forgotten", f"({source} - 1)*{stride}{less} + {kernel}")
            )
        if kernel - 2 * padding == stride:  # then the size is exactly multiplied
            wrong = wrong[1:]
        sheet.blank(
            key,
            f"height after `{key}`",
            result,
            f"({source} - 1)*{stride}{less} + {kernel}{more}",
            wrong=wrong,
        )
        options = f", padding={padding}" if padding else ""
        options += f", output_padding={extra}" if extra else ""
        line = f"nn.ConvTranspose2d(8, 8, kernel_size={kernel}, stride={stride}{options})"
        lines.append(f"{key} = {line}")
        proof += [f"x = {line}(x)", "print(x.shape[2])"]
        source, size = key, result
    code = "\n".join(lines)
    sheet.question = (
        f"A square map of height and width {start} is enlarged by\n\n```\n{code}\n```\n\n"
        + ("How high is the result?" if level == 1 else "How high is the map after each layer?")
    )
    sheet.hint = "Each input value lays down a whole kernel; neighbours lie one stride apart."
    sheet.proof = "\n".join(["import torch", "from torch import nn", "", *proof])
    sheet.reasons = (
        "A transposed convolution gives (H − 1)·s − 2p + k (+ output_padding): the size that a "
        "convolution with the same settings would turn back into H."
    )
    return sheet


TEMPLATES = (
    Template(
        "convolution-shape",
        "Output shape of convolutions",
        2,
        "output-size",
        _convolution_shape,
        traps=(PLAIN, "floor", "dilation", "non-square"),
    ),
    Template(
        "pooling-size",
        "Output size of pooling",
        2,
        "pooling-size",
        _pooling_size,
        traps=(PLAIN, "floor", "ceil"),
        also_topics=(8,),
    ),
    Template(
        "transposed-size",
        "Output size of a transposed convolution",
        2,
        "transposed-size",
        _transposed_size,
        traps=(PLAIN, "output-padding"),
    ),
)

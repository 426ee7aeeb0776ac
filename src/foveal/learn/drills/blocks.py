"""Drills of topic 20: residual blocks."""

from __future__ import annotations

from foveal.learn.drills.chance import Chance
from foveal.learn.drills.counting import IMPORTS, count_proof, draw_width, fill_total, square
from foveal.learn.drills.layers import Conv, Map
from foveal.learn.drills.sheet import Sheet, Wrong
from foveal.learn.drills.template import Template

_BLOCK_RULE = (
    "A basic block (ResNet-18, 34) is two 3×3; a bottleneck block (ResNet-50 and deeper) is 1×1, "
    "3×3, 1×1 with four times the width at its end. Each convolution has no bias and a batch norm; "
    "the addition comes before the last ReLU. Where size or channels change, the shortcut is a 1×1 "
    "convolution with its own batch norm; elsewhere it is the identity."
)


def _conv(c_in: int, c_out: int, kernel: int, stride: int = 1) -> Conv:
    return Conv(
        c_in, c_out, square(kernel), square(stride), padding=square(kernel // 2), bias=False
    )


def _block(
    sheet: Sheet, layers: list[tuple[str, Conv]], shortcut: Conv | None, end: int, level: int
) -> None:
    """Adds the blanks of a block: its convolutions, shortcut, batch norms, all together."""
    for name, conv in layers:
        sheet.blank(
            name,
            f"weights of `{name}`",
            conv.weights,
            conv.parameter_formula(),
            wrong=conv.parameter_mistakes(),
        )
    c_in = layers[0][1].in_channels
    names = [name for name, _ in layers]
    if level > 1:
        sheet.blank(
            "shortcut",
            "weights of the shortcut's convolution (0 if it has none)",
            0 if shortcut is None else shortcut.weights,
            "0" if shortcut is None else shortcut.parameter_formula(),
            wrong=(
                [Wrong("shortcut-counted", f"{c_in}*{end}")]
                if shortcut is None
                else [
                    Wrong("shortcut-forgotten", "0"),
                    Wrong("shortcut-with-kernel", f"{end}*{c_in}*3*3"),
                ]
            ),
            told="Nothing changes its shape, so it is the identity:" if shortcut is None else "",
        )
        names.append("shortcut")
    if level > 2:
        widths = [conv.out_channels for _, conv in layers]
        widths += [] if shortcut is None else [end]
        every = " + ".join(map(str, widths))
        sheet.blank(
            "norms",
            "learned parameters of all batch norms",
            2 * sum(widths),
            f"2*({every})",
            wrong=[
                Wrong("running-statistics", f"4*({every})"),
                Wrong("scale-only", every),
            ],
        )
        names.append("norms")
        wrong = [("norms-forgotten", " + ".join(names[:-1]))]
        if shortcut is not None:
            wrong.append(("shortcut-forgotten", " + ".join([*names[:-2], "norms"])))
        fill_total(sheet, names, wrong, "the whole block")


def _block_proof(layers: list[tuple[str, Conv]], shortcut: Conv | None, level: int) -> str:
    proof = count_proof([(name, conv.code) for name, conv in layers], with_total=False)
    convs = ", ".join(name for name, _ in layers)
    norms = [conv.out_channels for _, conv in layers]
    if level > 1:
        line = "nn.Identity()" if shortcut is None else shortcut.code
        proof += f"\nshortcut = {line}\nprint(count(shortcut))\n"
        norms += [] if shortcut is None else [shortcut.out_channels]
    if level > 2:
        proof += (
            f"norms = nn.ModuleList([nn.BatchNorm2d(c) for c in {norms}])\nprint(count(norms))\n"
        )
        proof += f"print(sum(map(count, [{convs}, shortcut, norms])))\n"
    return proof


def _asked(level: int) -> str:
    return {
        1: "How many weights has each of its convolutions?",
        2: "How many weights has each of its convolutions, and how many has the shortcut?",
        3: "How many weights have the convolutions and the shortcut, how many learned parameters "
        "have the batch norms, and how many has the block?",
    }[level]


def _basic_block(chance: Chance, level: int, trap: str) -> Sheet:
    width = 2 * draw_width(chance, most=256)
    c_in = width // 2 if trap == "shortcut" else width
    stride = 2 if trap == "shortcut" else 1
    layers = [("conv1", _conv(c_in, width, 3, stride)), ("conv2", _conv(width, width, 3))]
    shortcut = _conv(c_in, width, 1, stride) if trap == "shortcut" else None
    sheet = Sheet(traps=frozenset((trap,)))
    _block(sheet, layers, shortcut, width, level)
    sheet.question = (
        f"A basic block of a ResNet takes {c_in} channels and gives {width}, with stride {stride}. "
        "Its convolutions have no bias, and a batch norm follows each, also in the shortcut if "
        f"that has a convolution. {_asked(level)}"
    )
    sheet.hint = "Two 3×3 convolutions. Does the shortcut have to change the shape?"
    sheet.proof = _block_proof(layers, shortcut, level)
    sheet.reasons = _BLOCK_RULE
    return sheet


def _bottleneck_block(chance: Chance, level: int, trap: str) -> Sheet:
    width = draw_width(chance)
    end = 4 * width
    # The first block of a later stage comes from the stage before, which ends at 2 · width.
    c_in, stride = (2 * width, 2) if trap == "shortcut" else (end, 1)
    layers = [
        ("reduce", _conv(c_in, width, 1)),
        ("conv", _conv(width, width, 3, stride)),
        ("expand", _conv(width, end, 1)),
    ]
    shortcut = _conv(c_in, end, 1, stride) if trap == "shortcut" else None
    sheet = Sheet(traps=frozenset((trap,)))
    _block(sheet, layers, shortcut, end, level)
    sheet.question = (
        f"A bottleneck block of a ResNet takes {c_in} channels, works at a width of {width} and "
        f"gives four times that, {end}, with stride {stride}. Its convolutions (1×1 `reduce`, 3×3 "
        "`conv`, 1×1 `expand`) have no bias, and a batch norm follows each, also in the shortcut "
        f"if that has a convolution. {_asked(level)}"
    )
    sheet.hint = "Write the channels between the layers down first: in, width, width, four times."
    sheet.proof = _block_proof(layers, shortcut, level)
    sheet.reasons = _BLOCK_RULE
    return sheet


def _shortcut_code(chance: Chance, level: int, trap: str) -> Sheet:
    """What the shortcut must be, so that the addition works."""
    c_in = draw_width(chance, most=256)
    width = c_in * 2
    bottleneck = trap == "bottleneck"
    end = 4 * width if bottleneck else width
    side = chance.pick((14, 28, 32, 56))
    stride = 2
    given: Map = (c_in, side, side)
    out: Map = (end, side // 2, side // 2)
    sheet = Sheet(traps=frozenset((trap,)), given={"x": given})
    size = "floor((x[1] + 2*1 - 3)/2) + 1"
    wrong = [
        Wrong("stride-ignored", f"({end}, x[1], x[2])"),
        Wrong("channels-kept", f"(x[0], {size}, {size})"),
    ]
    if bottleneck:
        wrong.append(Wrong("expansion-forgotten", f"({width}, {size}, {size})"))
    sheet.blank("main", "shape of F(x)", out, f"({end}, {size}, {size})", wrong=wrong)
    blanks = ["[1]", "[2]", "2"]
    sheet.blank(
        "in",
        "blank [1]",
        c_in,
        "x[0]",
        wrong=[Wrong("channels-of-next", "main[0]")],
        told="It reads x itself:",
    )
    if level > 1:
        wrong = [Wrong("channels-of-image", "x[0]")]
        wrong += [Wrong("expansion-forgotten", f"{width}")] if bottleneck else []
        sheet.blank("out", "blank [2]", end, "main[0]", wrong=wrong, told="The channels of F(x):")
    else:
        blanks[1] = f"{end}"
    if level > 2:
        blanks[2] = "[3]"
        sheet.blank(
            "stride",
            "blank [3]",
            stride,
            "x[1]/main[1]",
            wrong=[Wrong("stride-ignored", "1"), Wrong("ratio-turned", "main[1]/x[1]")],
            told="As much as F makes the map smaller:",
        )
    if bottleneck:
        main = [_conv(c_in, width, 1), _conv(width, width, 3, 2), _conv(width, end, 1)]
    else:
        main = [_conv(c_in, width, 3, 2), _conv(width, width, 3)]
    listing = "\n".join(f"    {conv.code}," for conv in main)
    call = f"nn.Conv2d({blanks[0]}, {blanks[1]}, kernel_size=1, stride={blanks[2]}, bias=False)"
    sheet.question = (
        f"x has the shape {'×'.join(map(str, given))}; batch norms and ReLUs are left out.\n\n"
        f"```\nF = nn.Sequential(\n{listing}\n)\nshortcut = {call}\ny = F(x) + shortcut(x)\n```\n\n"
        "What is the shape of F(x), and what must stand in the "
        + ("blank?" if level == 1 else "blanks?")
    )
    sheet.hint = "Both summands must have the same shape."
    sheet.proof = (
        f"{IMPORTS}\nx = torch.zeros(1, {c_in}, {side}, {side})\nF = nn.Sequential(\n{listing}\n)\n"
        "y = F(x)\nprint(y.shape)\n"
        f"fits = [(c, d, s) for s in (1, 2, 3) for c, d in [(x.shape[1], y.shape[1])]\n"
        "        if nn.Conv2d(c, d, 1, stride=s)(x).shape == y.shape]\n"
        f"print(fits[0][0])\n"
        + ("print(fits[0][1])\n" if level > 1 else "")
        + ("print(fits[0][2])\n" if level > 2 else "")
    )
    sheet.reasons = _BLOCK_RULE
    return sheet


TEMPLATES = (
    Template(
        "basic-block",
        "Parameters of a basic block",
        20,
        "residual-block",
        _basic_block,
        traps=("identity", "shortcut"),
    ),
    Template(
        "bottleneck-block",
        "Parameters of a bottleneck block",
        20,
        "residual-block",
        _bottleneck_block,
        traps=("identity", "shortcut"),
        also_topics=(17,),
    ),
    Template(
        "shortcut-code",
        "The shortcut that makes the addition work",
        20,
        "shortcut",
        _shortcut_code,
        traps=("basic", "bottleneck"),
        also_topics=(6,),
        direction="backwards",
    ),
)

"""Drills of topics 18 and 20: residual blocks and classifier heads."""

from __future__ import annotations

from foveal.arithmetic import linear_parameters
from foveal.learn.drills.chance import Chance
from foveal.learn.drills.layers import Conv, Map
from foveal.learn.drills.parameters import (
    COUNT,
    IMPORTS,
    count_proof,
    draw_width,
    fill_total,
    square,
)
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


_HEAD_RULE = (
    "Flattening gives the linear layer one weight for each place; global average pooling gives it "
    "one for each channel. VGG-16 has about 124 of its 138 million parameters in its three linear "
    "layers. The average also frees the network from one image size, and gives class activation "
    "maps."
)


def _vgg_head(chance: Chance, level: int, trap: str) -> Sheet:
    channels, side = chance.pick((128, 256, 384, 512)), chance.pick((4, 5, 6, 7))
    hidden = chance.pick((512, 1024, 2048, 4096))
    classes = chance.pick((10, 20, 100, 200, 1000))
    features = channels * side * side
    sheet = Sheet(traps=frozenset((trap,)), given={"x": (channels, side, side)})
    rows = [("fc1", "x[0]*x[1]*x[2]", features, hidden)]
    if trap == "three-layers":
        rows += [("fc2", f"{hidden}", hidden, hidden)]
    rows += [("fc3" if trap == "three-layers" else "fc2", f"{hidden}", hidden, classes)]
    for name, inner, count, outer in rows:
        wrong = [Wrong("bias-forgotten", f"{inner}*{outer}")]
        if name == "fc1":
            wrong.append(Wrong("places-forgotten", f"x[0]*{outer} + {outer}"))
            wrong.append(Wrong("one-side-only", f"x[0]*x[1]*{outer} + {outer}"))
        sheet.blank(
            name,
            f"parameters of `{name}`",
            linear_parameters(count, outer),
            f"{inner}*{outer} + {outer}",
            wrong=wrong,
        )
    names = [name for name, *_ in rows]
    if level > 1:
        fill_total(
            sheet,
            names,
            [
                ("first-layer-forgotten", " + ".join(names[1:])),
                ("last-layer-forgotten", " + ".join(names[:-1])),
            ],
        )
    if level > 2:
        small = linear_parameters(channels, classes)
        sheet.blank(
            "gap",
            "parameters of a head with global average pooling and one linear layer",
            small,
            f"{channels}*{classes} + {classes}",
            wrong=[
                Wrong("bias-forgotten", f"{channels}*{classes}"),
                Wrong("average-ignored", f"x[0]*x[1]*x[2]*{classes} + {classes}"),
            ],
        )
    lines = [(name, f"nn.Linear({count}, {outer})") for name, _, count, outer in rows]
    shown = "\n".join(
        f"{name} = nn.Linear({'____' if name == 'fc1' else count}, {outer})"
        for name, _, count, outer in rows
    )
    sheet.question = (
        f"A VGG-like head. A map of {channels}×{side}×{side} is flattened, then\n\n"
        f"```\n{shown}\n```\n\nHow many parameters has each layer"
        + (", and how many have all?" if level > 1 else "?")
        + (
            " How many has `nn.AdaptiveAvgPool2d(1)`, `nn.Flatten()` and one linear layer to the "
            f"{classes} classes in their place?"
            if level > 2
            else ""
        )
    )
    sheet.hint = "What goes into the first linear layer: every value of the map."
    proof = count_proof(lines, with_total=level > 1)
    if level > 2:
        proof += f"\nprint(count(nn.Linear({channels}, {classes})))\n"
    flat = f"x = torch.zeros(1, {channels}, {side}, {side}).flatten(1)\n"
    sheet.proof = proof.replace("fc1 = nn.Linear(", flat + "fc1 = nn.Linear(", 1).replace(
        f"nn.Linear({features},", "nn.Linear(x.shape[1],", 1
    )
    sheet.reasons = _HEAD_RULE
    return sheet


def _gap_head(chance: Chance, level: int, trap: str) -> Sheet:
    channels, side = chance.pick((64, 128, 256, 320, 512, 1024)), chance.pick((4, 6, 7, 8))
    classes = chance.pick((2, 3, 5, 10, 100))
    larger = side + chance.pick((1, 2, 3, 4))
    sheet = Sheet(traps=frozenset((trap,)), given={"x": (channels, side, side)})
    is_gap = trap == "average"
    sheet.blank(
        "head",
        "parameters of the linear layer",
        linear_parameters(channels if is_gap else channels * side * side, classes),
        f"x[0]*{classes} + {classes}" if is_gap else f"x[0]*x[1]*x[2]*{classes} + {classes}",
        wrong=[
            Wrong("bias-forgotten", f"x[0]*{classes}" if is_gap else f"x[0]*x[1]*x[2]*{classes}"),
            Wrong("average-ignored", f"x[0]*x[1]*x[2]*{classes} + {classes}")
            if is_gap
            else Wrong("places-forgotten", f"x[0]*{classes} + {classes}"),
        ],
    )
    if level > 1:
        wrong = [Wrong("average-ignored", f"{channels}*{larger}*{larger}")]
        if not is_gap:
            wrong = [
                Wrong("places-forgotten", f"{channels}"),
                Wrong("size-fixed", "x[0]*x[1]*x[2]"),
            ]
        sheet.blank(
            "features",
            f"in_features for larger images, whose map is {channels}×{larger}×{larger}",
            channels if is_gap else channels * larger * larger,
            f"{channels}" if is_gap else f"{channels}*{larger}*{larger}",
            wrong=wrong,
        )
    if level > 2:
        sheet.boolean(
            "runs",
            "the network, as it was trained, takes the larger images too",
            is_gap,
            "size-fixed" if is_gap else "size-free",
            told="The average gives one value for each channel, whatever the size."
            if is_gap
            else "The linear layer expects the number of values that it was built for.",
        )
    before = "nn.AdaptiveAvgPool2d(1), nn.Flatten()" if is_gap else "nn.Flatten()"
    sheet.question = (
        f"The last map is {channels}×{side}×{side}. The head is {before} and a linear layer to "
        f"{classes} classes. How many parameters has the linear layer?"
        + (
            f" Larger images give a map of {channels}×{larger}×{larger}: which in_features would "
            "the layer need for them?"
            if level > 1
            else ""
        )
        + (" Does the trained network take them (true or false)?" if level > 2 else "")
    )
    sheet.hint = "What is left of the map when it reaches the linear layer?"
    pool = "nn.AdaptiveAvgPool2d(1), " if is_gap else ""
    proof = (
        f"{IMPORTS}\n{COUNT}\nbefore = nn.Sequential({pool}nn.Flatten())\n"
        f"x = before(torch.zeros(1, {channels}, {side}, {side}))\n"
        f"head = nn.Linear(x.shape[1], {classes})\nprint(count(head))\n"
    )
    if level > 1:
        proof += (
            f"larger = before(torch.zeros(1, {channels}, {larger}, {larger}))\n"
            "print(larger.shape[1])\n"
        )
    if level > 2:
        proof += "try:\n    head(larger)\n    print(True)\nexcept RuntimeError:\n    print(False)\n"
    sheet.proof = proof
    sheet.reasons = _HEAD_RULE
    return sheet


TEMPLATES = (
    Template(
        "vgg-head",
        "The linear layers of a VGG",
        18,
        "classifier-head",
        _vgg_head,
        traps=("two-layers", "three-layers"),
    ),
    Template(
        "pooled-head",
        "A head with and without global average pooling",
        18,
        "global-average-pooling",
        _gap_head,
        traps=("average", "flatten"),
    ),
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

"""Drills of topic 4: how many numbers a layer learns."""

from __future__ import annotations

from foveal.arithmetic import linear_parameters, normalisation_parameters
from foveal.learn.drills.chance import Chance
from foveal.learn.drills.counting import COUNT, IMPORTS, fill_total, square
from foveal.learn.drills.layers import Conv
from foveal.learn.drills.sheet import Sheet, Wrong
from foveal.learn.drills.template import PLAIN, Template

_WIDTHS = (16, 24, 32, 48, 64, 96, 128, 192, 256)
_RULE = (
    "Each output channel has one kernel, and each kernel reaches through all input channels: "
    "C_out·C_in·k·k weights, and one bias for each output channel."
)


def _draw(chance: Chance, in_channels: int, trap: str) -> Conv:
    kernel = chance.pick((3, 3, 5, 7))
    other = chance.pick([k for k in (1, 3, 5) if k != kernel]) if trap == "non-square" else kernel
    return Conv(
        in_channels,
        chance.pick([w for w in _WIDTHS if w != in_channels]),
        (kernel, other),
        bias=trap != "no-bias",
    )


def _convolution_parameters(chance: Chance, level: int, trap: str) -> Sheet:
    sheet = Sheet(traps=frozenset((trap,)))
    channels = chance.pick((1, 3, *_WIDTHS))
    side = chance.pick((28, 32, 56, 112))
    lines, names = [], []
    for number in range(level):
        conv = _draw(chance, channels, trap)
        name = f"conv{number + 1}" if level > 1 else "conv"
        wrong = list(conv.parameter_mistakes())
        if level == 1:
            own = conv.parameter_formula()
            wrong.append(Wrong("area-counted", f"({own})*{side}*{side}"))
        sheet.blank(
            name, f"parameters of `{name}`", conv.parameters, conv.parameter_formula(), wrong=wrong
        )
        lines.append(f"{name} = {conv.code}")
        names.append(name)
        channels = conv.out_channels
    if level > 1:
        fill_total(sheet, names, [("one-layer-only", names[-1])])
    code = "\n".join(lines)
    asked = (
        f"The layer is applied to a map of {side}×{side}. How many parameters does it have?"
        if level == 1
        else "How many parameters has each layer, and how many have they together?"
    )
    sheet.question = f"```\n{code}\n```\n\n{asked} Weights and biases count."
    sheet.hint = "How many numbers has one kernel? How many kernels are there? Is there a bias?"
    prints = "".join(f"print(count({name}))\n" for name in names)
    more = f"print({' + '.join(f'count({name})' for name in names)})" if level > 1 else ""
    sheet.proof = f"{IMPORTS}\n{COUNT}\n{code}\n{prints}{more}"
    sheet.reasons = (
        _RULE + " The size of the map does not matter: every position shares the weights."
    )
    return sheet


def _block_parameters(chance: Chance, level: int, trap: str) -> Sheet:
    sheet = Sheet(traps=frozenset((trap,)))
    channels = chance.pick((3, 16, 32, 64))
    lines: list[str] = []
    names: list[str] = []
    for number in range(level):
        kernel = chance.pick((1, 3, 3, 5, 7))
        out = chance.pick([w for w in _WIDTHS if w != channels])
        conv = Conv(channels, out, square(kernel), bias=trap == "useless-bias")
        end = f"{number + 1}" if level > 1 else ""
        sheet.blank(
            f"conv{end}",
            f"parameters of `conv{end}`",
            conv.parameters,
            conv.parameter_formula(),
            wrong=conv.parameter_mistakes(),
        )
        sheet.blank(
            f"bn{end}",
            f"parameters of `bn{end}`",
            normalisation_parameters(out),
            f"2*{out}",
            wrong=[
                Wrong("running-statistics", f"4*{out}"),
                Wrong("scale-only", f"{out}"),
            ],
        )
        lines += [f"conv{end} = {conv.code}", f"bn{end} = nn.BatchNorm2d({out})"]
        names += [f"conv{end}", f"bn{end}"]
        channels = out
    if level > 1:
        convs = " + ".join(name for name in names if name.startswith("conv"))
        fill_total(sheet, names, [("norms-forgotten", convs)])
    code = "\n".join(lines)
    sheet.question = (
        f"A block of convolutions, each with its batch norm (and a ReLU):\n\n```\n{code}\n```\n\n"
        "How many **learned** parameters has each line"
        + (", and how many have they together?" if level > 1 else "?")
    )
    sheet.hint = "Batch norm stores four numbers a channel. Which of them does training learn?"
    prints = "".join(f"print(count({name}))\n" for name in names)
    more = f"print({' + '.join(f'count({name})' for name in names)})" if level > 1 else ""
    sheet.proof = f"{IMPORTS}\n{COUNT}\n{code}\n{prints}{more}"
    sheet.reasons = (
        "Batch norm learns a scale γ and a shift β for each channel. Its running mean and variance "
        "are buffers: they are measured, not learned. A convolution before batch norm needs no "
        "bias, since the mean that is subtracted takes it away again."
    )
    return sheet


def _flatten_features(chance: Chance, level: int, trap: str) -> Sheet | None:
    """The input of the first linear layer; the most frequent error of beginners."""
    channels = chance.pick((16, 32, 64, 128, 256))
    side = chance.pick((4, 6, 7, 8, 12, 14, 16))
    wide = chance.pick([w for w in (4, 5, 6, 8, 10) if w != side]) if trap == "non-square" else side
    classes = chance.pick((2, 5, 10, 20, 100))
    sheet = Sheet(traps=frozenset((trap,)))
    lines = ["nn.Flatten()", f"nn.Linear(____, {classes})"]
    start = (channels, side, wide)
    if level > 1:
        if side % 2 or wide % 2:
            return None
        lines.insert(0, "nn.MaxPool2d(2)")
        pooled = (channels, side // 2, wide // 2)
        sheet.given["x"] = start
        sheet.blank(
            "pool",
            "shape after the pooling",
            pooled,
            "(x[0], floor((x[1] - 2)/2) + 1, floor((x[2] - 2)/2) + 1)",
            wrong=[Wrong("pool-forgotten", "x")],
        )
    else:
        sheet.given["pool"] = start
    c, h, w = (channels, side // 2, wide // 2) if level > 1 else start
    wrong = [Wrong("positions-forgotten", "pool[0]"), Wrong("one-side-only", "pool[0]*pool[1]")]
    if level > 1:
        wrong.append(Wrong("pool-forgotten", f"{channels}*{side}*{wide}"))
    sheet.blank(
        "features", "in_features (the blank)", c * h * w, "pool[0]*pool[1]*pool[2]", wrong=wrong
    )
    if level > 2:
        sheet.blank(
            "parameters",
            "parameters of the linear layer",
            linear_parameters(c * h * w, classes),
            f"features*{classes} + {classes}",
            wrong=[
                Wrong("bias-forgotten", f"features*{classes}"),
                Wrong("bias-per-input", f"(features + 1)*{classes} + features"),
            ],
        )
    code = ",\n    ".join(lines)
    asked = "What must stand in the blank, `in_features`?"
    if level > 1:
        asked = "What is the shape before flattening, and what must stand in the blank?"
    if level > 2:
        asked += " How many parameters has the linear layer then?"
    sheet.question = (
        f"A map of {channels}×{side}×{wide} enters this head:\n\n```\nhead = nn.Sequential(\n"
        f"    {code},\n)\n```\n\n{asked}"
    )
    sheet.hint = "Flattening throws nothing away. How many numbers has the map?"
    shape = f"1, {channels}, {side}, {wide}"
    proof = f"{IMPORTS}\nx = torch.zeros({shape})\n"
    if level > 1:
        proof += "x = nn.MaxPool2d(2)(x)\nprint(x.shape)\n"
    proof += "x = nn.Flatten()(x)\nprint(x.shape[1])\n"
    if level > 2:
        proof += f"layer = nn.Linear(x.shape[1], {classes})\n"
        proof += "print(sum(p.numel() for p in layer.parameters()))"
    sheet.proof = proof
    sheet.reasons = (
        "A linear layer has one weight for each input number and output: it must know C·H·W, and "
        "that ties the network to one image size. Global average pooling frees it."
    )
    return sheet


def _setting_from_parameters(chance: Chance, level: int, trap: str) -> Sheet:
    """Backwards: the count is known, a setting is not."""
    c_in, c_out = chance.several((8, 16, 24, 32, 48, 64, 96), 2)
    kernel = chance.pick((3, 5, 7))
    conv = Conv(c_in, c_out, square(kernel), bias=trap == "bias")
    n = conv.parameters
    sheet = Sheet(traps=frozenset((trap,)))
    text = {"in": f"{c_in}", "out": f"{c_out}", "k": f"{kernel}"}
    one = " + 1" if conv.bias else ""
    if level == 1:
        text["out"] = "____"
        per = c_in * kernel**2 + conv.bias
        sheet.step(f"One kernel has {c_in}·{kernel}·{kernel}{one} = {per} numbers.", per)
        sheet.blank(
            "out",
            "out_channels",
            c_out,
            f"{n}/({c_in}*{kernel}^2{one})",
            wrong=[
                Wrong("in-channels-forgotten", f"{n}/({kernel}^2{one})", 0),
                Wrong("kernel-side-once", f"{n}/({c_in}*{kernel}{one})", 0),
            ],
        )
        search = f"for n in range(1, 257):\n    layer = {_call(text, 'n', conv)}"
    elif level == 2:
        text["in"] = "____"
        weights = conv.weights
        sheet.step(_weights_told(conv), weights)
        sheet.step(
            f"Each input channel has {c_out}·{kernel}·{kernel} = {c_out * kernel**2:,} weights.",
            c_out * kernel**2,
        )
        left = f"({n} - {c_out})" if conv.bias else f"{n}"
        sheet.blank(
            "in",
            "in_channels",
            c_in,
            f"{left}/({c_out}*{kernel}^2)",
            wrong=[
                Wrong("out-channels-forgotten", f"{left}/{kernel}^2", 1),
                Wrong("kernel-side-once", f"{left}/({c_out}*{kernel})", 1),
            ],
        )
        search = f"for n in range(1, 257):\n    layer = {_call(text, 'n', conv)}"
    else:
        text["k"] = "____"
        sheet.step(_weights_told(conv), conv.weights)
        sheet.step(
            f"There are {c_out}·{c_in} = {c_out * c_in:,} slices, one for each pair of channels.",
            c_out * c_in,
        )
        sheet.step(f"Each slice has {kernel**2} weights: the kernel's area.", kernel**2)
        left = f"({n} - {c_out})" if conv.bias else f"{n}"
        sheet.blank(
            "k",
            "kernel_size",
            kernel,
            f"sqrt({left}/({c_out}*{c_in}))",
            wrong=[
                Wrong("root-not-taken", f"{left}/({c_out}*{c_in})"),
                Wrong("out-channels-forgotten", f"sqrt({left}/{c_in})", 1),
            ],
        )
        search = f"for n in range(1, 12):\n    layer = {_call(text, 'n', conv)}"
    sheet.question = (
        f"This layer has {n:,} parameters"
        + (", biases included.\n\n" if conv.bias else ".\n\n")
        + f"```\n{_call(text, '____', conv)}\n```\n\nWhat stands in the blank?"
    )
    sheet.hint = "Write the count as a formula with the unknown in it, then solve it."
    sheet.proof = f"{IMPORTS}\n{COUNT}\n{search}\n    if count(layer) == {n}:\n        print(n)\n"
    sheet.reasons = _RULE
    return sheet


def _weights_told(conv: Conv) -> str:
    if not conv.bias:
        return f"There is no bias: all {conv.weights:,} parameters are weights."
    return f"Without the {conv.out_channels} biases there are {conv.weights:,} weights."


def _call(text: dict[str, str], name: str, conv: Conv) -> str:
    """Returns the layer's line with ``name`` in the blank."""
    filled = {key: name if value == "____" else value for key, value in text.items()}
    bias = "" if conv.bias else ", bias=False"
    return f"nn.Conv2d({filled['in']}, {filled['out']}, kernel_size={filled['k']}{bias})"


TEMPLATES = (
    Template(
        "convolution-parameters",
        "Parameters of convolutions",
        4,
        "parameter-count",
        _convolution_parameters,
        traps=(PLAIN, "no-bias", "non-square"),
    ),
    Template(
        "block-parameters",
        "Parameters of convolution and batch norm",
        4,
        "batch-norm-count",
        _block_parameters,
        traps=(PLAIN, "useless-bias"),
        also_topics=(11, 27),
    ),
    Template(
        "flatten-features",
        "Input of the first linear layer",
        4,
        "flatten",
        _flatten_features,
        traps=(PLAIN, "non-square"),
        also_topics=(18, 19),
    ),
    Template(
        "setting-from-parameters",
        "A setting from the number of parameters",
        4,
        "parameter-count",
        _setting_from_parameters,
        traps=("bias", "no-bias"),
        direction="backwards",
    ),
)

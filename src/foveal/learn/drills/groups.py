"""Drills of topic 23: groups."""

from __future__ import annotations

from foveal.learn.drills.chance import Chance
from foveal.learn.drills.counting import COUNT, IMPORTS, square
from foveal.learn.drills.layers import Conv
from foveal.learn.drills.sheet import Sheet, Wrong
from foveal.learn.drills.template import Template

_RULE = (
    "With g groups the channels are cut into g parts that never meet: each kernel reads C_in / g "
    "channels, so there are C_out·(C_in / g)·k·k weights. g = C_in is depthwise. AlexNet used "
    "g = 2 because its two halves lived on two GPUs."
)


def _draw(chance: Chance, trap: str) -> Conv:
    c_in = chance.pick((16, 24, 32, 48, 64, 96, 128))
    if trap == "depthwise":
        times = chance.pick((1, 2, 2, 3))
        groups, c_out = c_in, c_in * times
    else:
        groups = chance.pick((2, 3, 4, 8))
        c_out = chance.pick([c for c in (16, 24, 32, 48, 64, 96, 128, 192) if c != c_in])
    kernel = chance.pick((3, 3, 5, 7))
    return Conv(c_in, c_out, square(kernel), groups=groups, bias=chance.below(2) == 0)


def _valid(conv: Conv) -> bool:
    return conv.in_channels % conv.groups == 0 and conv.out_channels % conv.groups == 0


def _grouped_parameters(chance: Chance, level: int, trap: str) -> Sheet | None:
    sheet = Sheet(traps=frozenset((trap,)))
    conv = _draw(chance, trap)
    if not _valid(conv):
        return None
    dense = Conv(conv.in_channels, conv.out_channels, conv.kernel, bias=conv.bias)
    entries = [("grouped", conv)] if level == 1 else [("dense", dense), ("grouped", conv)]
    for name, layer in entries:
        sheet.blank(
            name,
            f"parameters of `{name}`",
            layer.parameters,
            layer.parameter_formula(),
            wrong=layer.parameter_mistakes(),
        )
    if level > 2:
        sheet.blank(
            "times",
            "weights of `dense` over weights of `grouped`, biases left out",
            conv.groups,
            f"{dense.weights}/{conv.weights}",
            wrong=[Wrong("groups-twice", f"{conv.groups}^2")],
            unit="times",
        )
    code = "\n".join(f"{name} = {layer.code}" for name, layer in entries)
    asked = "How many parameters does it have?"
    if level > 1:
        asked = "How many parameters has each?"
    if level > 2:
        asked += " How many times more weights has the dense one?"
    sheet.question = f"```\n{code}\n```\n\n{asked}"
    sheet.hint = "How many input channels does one kernel see?"
    prints = "".join(f"print(count({name}))\n" for name, _ in entries)
    more = "print(dense.weight.numel() / grouped.weight.numel())" if level > 2 else ""
    sheet.proof = f"{IMPORTS}\n{COUNT}\n{code}\n{prints}{more}"
    sheet.reasons = _RULE
    return sheet


def _weight_shape(chance: Chance, level: int, trap: str) -> Sheet | None:
    sheet = Sheet(traps=frozenset((trap,)))
    lines = []
    for number in range(level):
        conv = _draw(chance, trap)
        if not _valid(conv) or conv.in_channels // conv.groups == conv.kernel[0]:
            return None
        c_in, c_out, g, k = conv.in_channels, conv.out_channels, conv.groups, conv.kernel[0]
        name = f"conv{number + 1}" if level > 1 else "conv"
        wrong = [
            Wrong("groups-ignored", f"({c_out}, {c_in}, {k}, {k})"),
            Wrong("groups-twice", f"({c_out}/{g}, {c_in}/{g}, {k}, {k})"),
        ]
        if c_out != c_in // g:
            wrong.append(Wrong("weight-turned", f"({c_in}/{g}, {c_out}, {k}, {k})"))
        sheet.blank(
            name,
            f"`{name}.weight.shape`",
            (c_out, c_in // g, k, k),
            f"({c_out}, {c_in}/{g}, {k}, {k})",
            wrong=wrong,
        )
        lines.append(f"{name} = {conv.code}")
    code = "\n".join(lines)
    sheet.question = f"```\n{code}\n```\n\nWhat is the shape of each weight tensor (four sizes)?"
    sheet.hint = "The first axis counts the kernels; the second what one kernel sees."
    prints = "".join(f"print({line.split()[0]}.weight.shape)\n" for line in lines)
    sheet.proof = f"{IMPORTS}\n{code}\n{prints}"
    sheet.reasons = (
        "PyTorch stores a kernel for each output channel: C_out × C_in/g × k × k. " + _RULE
    )
    return sheet


def _groups_backwards(chance: Chance, level: int, trap: str) -> Sheet | None:
    sheet = Sheet(traps=frozenset((trap,)))
    conv = _draw(chance, trap)
    if not _valid(conv):
        return None
    c_in, c_out, g, k = conv.in_channels, conv.out_channels, conv.groups, conv.kernel[0]
    conv = Conv(c_in, c_out, conv.kernel, groups=g, bias=level > 1)
    n = conv.parameters
    left = f"({n} - {c_out})" if conv.bias else f"{n}"
    if level > 1:
        sheet.step(f"Without the {c_out} biases there are {conv.weights:,} weights.", conv.weights)
    dense = c_out * c_in * k * k
    sheet.step(f"Without groups there would be {c_out}·{c_in}·{k}·{k} = {dense:,} weights.", dense)
    wrong = [Wrong("groups-of-channels", f"{left}/({c_out}*{k}^2)")]
    if c_out != c_in:
        wrong.append(Wrong("out-channels-forgotten", f"{left}/({c_in}*{k}^2)"))
    sheet.blank("groups", "groups", g, f"{dense}/{left}", wrong=wrong)
    if level > 2:
        sheet.blank(
            "seen",
            "input channels that one kernel sees",
            c_in // g,
            f"{c_in}/groups",
            wrong=[
                Wrong("groups-ignored", f"{c_in}"),
                *([] if g == c_in else [Wrong("groups-of-channels", "groups")]),
            ],
        )
    bias = "" if conv.bias else ", bias=False"
    call = f"nn.Conv2d({c_in}, {c_out}, kernel_size={k}, groups=____{bias})"
    sheet.question = (
        f"This layer has {n:,} parameters" + (", biases included" if conv.bias else "") + ".\n\n"
        f"```\n{call}\n```\n\nWhat stands in the blank?"
        + (" And how many input channels does each of its kernels see?" if level > 2 else "")
    )
    sheet.hint = "Compare with the same layer without groups."
    more = "        print(layer.weight.shape[1])\n" if level > 2 else ""
    sheet.proof = (
        f"{IMPORTS}\n{COUNT}\nfor g in range(1, {c_in} + 1):\n"
        f"    if {c_in} % g or {c_out} % g:\n        continue\n"
        f"    layer = {call.replace('____', 'g')}\n"
        f"    if count(layer) == {n}:\n        print(g)\n{more}"
    )
    sheet.reasons = _RULE
    return sheet


TEMPLATES = (
    Template(
        "grouped-parameters",
        "Parameters of grouped convolutions",
        23,
        "groups",
        _grouped_parameters,
        traps=("groups", "depthwise"),
    ),
    Template(
        "weight-shape",
        "Shape of the weights of a grouped convolution",
        23,
        "weight-shape",
        _weight_shape,
        traps=("groups", "depthwise"),
        also_topics=(4,),
    ),
    Template(
        "groups-from-parameters",
        "Groups from the number of parameters",
        23,
        "groups",
        _groups_backwards,
        traps=("groups", "depthwise"),
        direction="backwards",
    ),
)

"""Drills of topic 4: how much a layer multiplies."""

from __future__ import annotations

from dataclasses import replace

from foveal.learn.drills.chance import Chance
from foveal.learn.drills.counting import IMPORTS, fill_total, square
from foveal.learn.drills.layers import Conv
from foveal.learn.drills.sheet import Sheet, Wrong
from foveal.learn.drills.template import PLAIN, Template


def _macs(chance: Chance, level: int, trap: str) -> Sheet | None:
    sheet = Sheet(traps=frozenset((trap,)))
    channels = chance.pick((3, 16, 32, 64))
    side = chance.pick((14, 28, 32, 56))
    given = shape = (channels, side, side)
    lines, names, proof = [], [], []
    trapped = chance.below(level)
    for number in range(level):
        here = trap if number == trapped else PLAIN
        kernel = chance.pick((1, 3, 3, 5))
        groups = chance.pick([g for g in (2, 4, 8) if shape[0] % g == 0] or [1])
        conv = Conv(
            shape[0],
            chance.pick([w for w in (16, 32, 64, 96, 128) if w != shape[0]]),
            square(kernel),
            stride=(2, 2) if here == "stride" else (1, 1),
            padding=square(kernel // 2),
            groups=groups if here == "groups" else 1,
        )
        if here == "groups" and groups == 1:
            return None
        high, wide = conv.shape(shape)[1:]
        weights = replace(conv, bias=False).parameter_formula()
        name = f"conv{number + 1}" if level > 1 else "conv"
        wrong = [
            Wrong("area-forgotten", weights),
            Wrong("flops-for-macs", f"2*{weights}*{high}*{wide}"),
            Wrong("in-channels-forgotten", f"{conv.out_channels}*{kernel}*{kernel}*{high}*{wide}"),
        ]
        if conv.stride != (1, 1):
            wrong.append(Wrong("input-area", f"{weights}*{shape[1]}*{shape[2]}"))
        if conv.groups > 1:
            dense = f"{conv.out_channels}*{conv.in_channels}*{kernel}*{kernel}"
            wrong.append(Wrong("groups-ignored", f"{dense}*{high}*{wide}"))
        sheet.blank(
            name,
            f"MACs of `{name}`",
            conv.macs(shape),
            f"{weights}*{high}*{wide}",
            wrong=wrong,
            told=f"`{name}` gives {high}×{wide} positions:" if conv.stride != (1, 1) else "",
        )
        lines.append(f"{name} = {conv.code}")
        names.append(name)
        proof.append(f"x = measure({conv.code}, x)")
        shape = conv.shape(shape)
    if level > 1:
        fill_total(sheet, names, [("one-layer-only", names[-1])])
    code = "\n".join(lines)
    sheet.question = (
        f"One image, a map of {'×'.join(map(str, given))}, goes through\n\n```\n{code}\n```\n\n"
        "How many multiply-accumulates (MACs) does "
        + ("it take?" if level == 1 else "each layer take, and how many do all?")
        + " One MAC is a multiplication with its addition; leave the bias out."
    )
    sheet.hint = (
        "How many weights does one output value read, and how many output values are there?"
    )
    total_line = "\nprint(sum(found))" if level > 1 else ""
    sheet.proof = (
        f"{IMPORTS}from torch.utils.flop_counter import FlopCounterMode\n\nfound = []\n\n"
        "def measure(layer, x):\n    with FlopCounterMode(display=False) as counter:\n"
        "        x = layer(x)\n    found.append(counter.get_total_flops() // 2)\n"
        "    print(found[-1])\n    return x\n\n"
        f"x = torch.zeros(1, {given[0]}, {given[1]}, {given[2]})\n" + "\n".join(proof) + total_line
    )
    sheet.reasons = (
        "Every output value takes (C_in / g)·k·k multiplications. There are C_out·H·W output "
        "values, where H and W are those of the **output**: a stride of 2 makes a layer about "
        "four times cheaper."
    )
    return sheet


TEMPLATES = (
    Template(
        "convolution-macs",
        "Multiply-accumulates of convolutions",
        4,
        "macs",
        _macs,
        traps=(PLAIN, "stride", "groups"),
        also_topics=(7, 9, 23),
    ),
)

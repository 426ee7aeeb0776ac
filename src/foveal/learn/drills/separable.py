"""Drills of topic 9: depthwise separable convolutions."""

from __future__ import annotations

from foveal.learn.drills.chance import Chance
from foveal.learn.drills.counting import COUNT, IMPORTS, count_proof, fill_total, square
from foveal.learn.drills.layers import Conv
from foveal.learn.drills.sheet import Sheet, Wrong
from foveal.learn.drills.template import PLAIN, Template

_RULE = (
    "Depthwise: one k×k kernel for each channel, C_in·k². Pointwise: a 1×1 convolution mixes the "
    "channels, C_in·C_out. Together they cost 1/C_out + 1/k² of the ordinary convolution."
)
_WIDTHS = (16, 24, 32, 48, 64, 96, 128, 192, 256)


def _draw(chance: Chance, trap: str) -> tuple[int, int, int]:
    c_in = chance.pick(_WIDTHS)
    c_out = chance.pick([c for c in _WIDTHS if c != c_in])
    return c_in, c_out, chance.pick((5, 7) if trap == "large-kernel" else (3,))


def _parts(c_in: int, c_out: int, k: int) -> tuple[Conv, Conv, Conv]:
    depthwise = Conv(c_in, c_in, square(k), padding=square(k // 2), groups=c_in, bias=False)
    pointwise = Conv(c_in, c_out, square(1), bias=False)
    dense = Conv(c_in, c_out, square(k), padding=square(k // 2), bias=False)
    return depthwise, pointwise, dense


def _separable_parameters(chance: Chance, level: int, trap: str) -> Sheet:
    c_in, c_out, k = _draw(chance, trap)
    depthwise, pointwise, dense = _parts(c_in, c_out, k)
    sheet = Sheet(traps=frozenset((trap,)) - {PLAIN})
    sheet.blank(
        "depthwise",
        "weights of `depthwise`",
        depthwise.weights,
        f"{c_in}*{k}*{k}",
        wrong=[
            Wrong("depthwise-as-dense", f"{c_in}*{c_in}*{k}*{k}"),
            Wrong("kernel-side-once", f"{c_in}*{k}"),
        ],
    )
    sheet.blank(
        "pointwise",
        "weights of `pointwise`",
        pointwise.weights,
        f"{c_out}*{c_in}",
        wrong=[
            Wrong("in-channels-forgotten", f"{c_out}"),
            Wrong("pointwise-with-kernel", f"{c_out}*{c_in}*{k}*{k}"),
        ],
    )
    names = ["depthwise", "pointwise"]
    if level > 1:
        fill_total(
            sheet,
            names,
            [("pointwise-forgotten", "depthwise"), ("depthwise-forgotten", "pointwise")],
            "the two together",
        )
    lines = [("depthwise", depthwise.code), ("pointwise", pointwise.code)]
    if level > 2:
        sheet.blank(
            "dense",
            f"weights of one ordinary {k}×{k} convolution {c_in} → {c_out}",
            dense.weights,
            f"{c_out}*{c_in}*{k}*{k}",
            wrong=[
                Wrong("in-channels-forgotten", f"{c_out}*{k}*{k}"),
                Wrong("kernel-side-once", f"{c_out}*{c_in}*{k}"),
            ],
        )
        sheet.blank(
            "times",
            "how many times fewer (to one decimal)",
            dense.weights / (depthwise.weights + pointwise.weights),
            "dense/total",
            kind="number",
            tolerance=0.06,
            unit="times",
            wrong=[
                Wrong("ratio-turned", "total/dense"),
                Wrong("pointwise-forgotten", "dense/depthwise"),
            ],
        )
    code = "\n".join(f"{name} = {line}" for name, line in lines)
    sheet.question = (
        f"A depthwise separable convolution:\n\n```\n{code}\n```\n\nHow many weights has each part"
        + (", and how many have both?" if level > 1 else "?")
        + (" How many times fewer is that than one ordinary convolution?" if level > 2 else "")
    )
    sheet.hint = "In the depthwise part each kernel sees a single channel."
    sheet.proof = count_proof(lines, with_total=level > 1, dense=dense.code if level > 2 else None)
    sheet.reasons = _RULE
    return sheet


def _separable_ratio(chance: Chance, level: int, trap: str) -> Sheet:
    c_in, c_out, k = _draw(chance, trap)
    depthwise, pointwise, dense = _parts(c_in, c_out, k)
    side = chance.pick((14, 28, 56))
    sheet = Sheet(traps=frozenset((trap,)) - {PLAIN})
    ratio = (depthwise.weights + pointwise.weights) / dense.weights
    sheet.blank(
        "ratio",
        "separable over ordinary (as a fraction or to three decimals)",
        ratio,
        f"1/{c_out} + 1/{k}^2",
        kind="number",
        tolerance=0.0006,
        wrong=[
            Wrong("only-kernel-term", f"1/{k}^2"),
            Wrong("one-side-term", f"1/{c_out} + 1/{k}"),
            Wrong("ratio-turned", f"1/(1/{c_out} + 1/{k}^2)"),
        ],
    )
    if level > 1:
        sheet.blank(
            "times",
            "how many times fewer (to one decimal)",
            1 / ratio,
            "1/ratio",
            kind="number",
            tolerance=0.06,
            unit="times",
            wrong=[Wrong("ratio-turned", "ratio"), Wrong("only-kernel-term", f"{k}^2")],
        )
    macs = depthwise.macs((c_in, side, side)) + pointwise.macs((c_in, side, side))
    if level > 2:
        sheet.blank(
            "macs",
            f"MACs of the separable one on {side}×{side}",
            macs,
            f"({c_in}*{k}*{k} + {c_in}*{c_out})*{side}*{side}",
            wrong=[
                Wrong("area-forgotten", f"{c_in}*{k}*{k} + {c_in}*{c_out}"),
                Wrong("pointwise-forgotten", f"{c_in}*{k}*{k}*{side}*{side}"),
                Wrong("depthwise-forgotten", f"{c_in}*{c_out}*{side}*{side}"),
            ],
        )
    sheet.question = (
        f"An ordinary {k}×{k} convolution {c_in} → {c_out} without bias is replaced by a depthwise "
        f"{k}×{k} and a pointwise 1×1 convolution. Which share of the weights is left?"
        + (" How many times fewer are they?" if level > 1 else "")
        + (
            f" How many MACs does the separable one take on a map of {side}×{side}, "
            "the size kept by padding?"
            if level > 2
            else ""
        )
    )
    sheet.hint = "Divide (C_in·k² + C_in·C_out) by C_in·C_out·k²: what cancels?"
    proof = (
        f"{IMPORTS}\n{COUNT}\nsmall = nn.Sequential(\n"
        f"    {depthwise.code},\n    {pointwise.code},\n)\n"
        f"dense = {dense.code}\nprint(count(small) / count(dense))\n"
    )
    if level > 1:
        proof += "print(count(dense) / count(small))\n"
    if level > 2:
        proof += (
            "from torch.utils.flop_counter import FlopCounterMode\n"
            "with FlopCounterMode(display=False) as counter:\n"
            f"    small(torch.zeros(1, {c_in}, {side}, {side}))\n"
            "print(counter.get_total_flops() // 2)\n"
        )
    sheet.proof = proof
    sheet.reasons = _RULE + " MACs fall by the same factor; measured time often falls by less."
    return sheet


def _separable_code(chance: Chance, level: int, trap: str) -> Sheet:
    """Code to be completed."""
    c_in, c_out, k = _draw(chance, trap)
    sheet = Sheet(traps=frozenset((trap,)) - {PLAIN})
    sheet.blank(
        "groups",
        "blank [1], groups",
        c_in,
        f"{c_in}",
        wrong=[Wrong("no-groups", "1"), Wrong("kernel-as-groups", f"{k}")],
        told="One group for each channel:",
    )
    sheet.blank(
        "pointwise",
        "blank [2], kernel_size of the pointwise part",
        1,
        "1",
        wrong=[Wrong("pointwise-with-kernel", f"{k}")],
        told="It mixes the channels of one position:",
    )
    first, second, kernel, padding = f"{c_in}", f"{c_in}", "[2]", f"{k // 2}"
    if level > 1:
        padding = "[3]"
        sheet.blank(
            "padding",
            "blank [3], padding that keeps the size",
            k // 2,
            f"({k} - 1)/2",
            wrong=[Wrong("full-padding", f"{k} - 1"), Wrong("padding-forgotten", "0")],
        )
    if level > 2:
        first, second = "[4]", "[5]"
        sheet.blank(
            "middle",
            "blank [4], out_channels of the depthwise part",
            c_in,
            f"{c_in}",
            wrong=[Wrong("out-channels-early", f"{c_out}"), Wrong("no-groups", "1")],
            told="Depthwise keeps the channels:",
        )
        sheet.blank(
            "inner",
            "blank [5], in_channels of the pointwise part",
            c_in,
            "middle",
            wrong=[Wrong("out-channels-early", f"{c_out}")],
            told="What comes in is what went out before:",
        )
    code = (
        f"nn.Conv2d({c_in}, {first}, kernel_size={k}, padding={padding}, groups=[1])\n"
        f"nn.Conv2d({second}, {c_out}, kernel_size={kernel})"
    )
    sheet.question = (
        f"Complete this depthwise separable convolution {c_in} → {c_out}; a map keeps its size.\n\n"
        f"```\n{code}\n```\n\nWhat stands in the blanks?"
    )
    sheet.hint = "The first layer keeps the channels apart, the second mixes them."
    proof = (
        f"{IMPORTS}\nx = torch.zeros(1, {c_in}, 16, 16)\n\n"
        "# Every kernel sees one channel only if the second axis of the weights is 1.\n"
        f"for groups in range(1, {c_in} + 1):\n    if {c_in} % groups == 0:\n"
        f"        layer = nn.Conv2d({c_in}, {c_in}, {k}, groups=groups)\n"
        "        if layer.weight.shape[1] == 1:\n            print(groups)\n"
        "# Only a kernel of 1 keeps the size without padding.\n"
        f"for kernel in range(1, 9):\n"
        f"    if nn.Conv2d({c_in}, {c_out}, kernel)(x).shape[2:] == x.shape[2:]:\n"
        "        print(kernel)\n"
    )
    if level > 1:
        proof += (
            "for padding in range(9):\n"
            f"    layer = nn.Conv2d({c_in}, {c_in}, {k}, padding=padding)\n"
            "    if layer(x).shape == x.shape:\n        print(padding)\n"
        )
    if level > 2:
        proof += (
            f"layer = nn.Conv2d({c_in}, {c_in}, {k}, padding={k // 2}, groups={c_in})\n"
            "print(layer.out_channels)\nprint(layer(x).shape[1])\n"
        )
    sheet.proof = proof
    sheet.reasons = _RULE
    return sheet


TEMPLATES = (
    Template(
        "separable-parameters",
        "Parameters of a depthwise separable convolution",
        9,
        "separable",
        _separable_parameters,
        traps=(PLAIN, "large-kernel"),
        also_topics=(23, 7),
    ),
    Template(
        "separable-ratio",
        "What a depthwise separable convolution saves",
        9,
        "separable-ratio",
        _separable_ratio,
        traps=(PLAIN, "large-kernel"),
    ),
    Template(
        "separable-code",
        "A depthwise separable convolution in code",
        9,
        "separable-code",
        _separable_code,
        traps=(PLAIN, "large-kernel"),
        also_topics=(23,),
    ),
)

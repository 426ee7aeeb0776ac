"""Drills of topic 7: 1×1 convolutions."""

from __future__ import annotations

from foveal.learn.drills.chance import Chance
from foveal.learn.drills.counting import IMPORTS, count_proof, same_conv
from foveal.learn.drills.sheet import Sheet, Wrong, bracketed
from foveal.learn.drills.template import PLAIN, Template


def _pointwise_reduction(chance: Chance, level: int, trap: str) -> Sheet:
    """Inception's trick: reduce with 1×1 before a large kernel."""
    c_in = chance.pick((96, 128, 192, 256, 480))
    mid = chance.pick((16, 24, 32, 48))
    c_out = chance.pick([c for c in (32, 48, 64, 96, 128) if c != mid])
    kernel = 5 if trap == "large-kernel" else 3
    side = chance.pick((14, 28))
    first, second = same_conv(c_in, mid, 1), same_conv(mid, c_out, kernel)
    direct = same_conv(c_in, c_out, kernel)
    given = (c_in, side, side)
    sheet = Sheet(traps=frozenset((trap,)) - {PLAIN})
    sheet.blank(
        "reduce",
        "weights of `reduce`",
        first.weights,
        first.parameter_formula(),
        wrong=[
            Wrong("in-channels-forgotten", f"{mid}"),
            Wrong("pointwise-with-kernel", f"{mid}*{c_in}*{kernel}*{kernel}"),
        ],
    )
    sheet.blank(
        "conv",
        "weights of `conv`",
        second.weights,
        second.parameter_formula(),
        wrong=[
            Wrong("in-channels-forgotten", f"{c_out}*{kernel}*{kernel}"),
            Wrong("reduction-ignored", f"{c_out}*{c_in}*{kernel}*{kernel}"),
        ],
    )
    if level > 1:
        sheet.blank(
            "direct",
            f"weights of the {kernel}×{kernel} without reduction",
            direct.weights,
            direct.parameter_formula(),
            wrong=[
                Wrong("in-channels-forgotten", f"{c_out}*{kernel}*{kernel}"),
                Wrong("kernel-side-once", f"{c_out}*{c_in}*{kernel}"),
            ],
        )
    if level > 2:
        saved = direct.macs(given) - first.macs(given) - second.macs((mid, side, side))
        sheet.blank(
            "saved",
            f"MACs saved on a map of {side}×{side}",
            saved,
            f"(direct - reduce - conv)*{side}*{side}",
            wrong=[
                Wrong("area-forgotten", "direct - reduce - conv"),
                Wrong("first-layer-forgotten", f"(direct - conv)*{side}*{side}"),
            ],
        )
    lines = [("reduce", first.code), ("conv", second.code)]
    code = "\n".join(f"{name} = {line}" for name, line in lines)
    sheet.question = (
        f"An Inception branch, on a map of {c_in}×{side}×{side}:\n\n```\n{code}\n```\n\n"
        "How many weights has each layer?"
        + (f" How many would `{direct.code}` have, without the reduction?" if level > 1 else "")
        + (" How many MACs does the reduction save for one image?" if level > 2 else "")
    )
    sheet.hint = "A 1×1 convolution is a linear map over the channels of each position."
    proof = count_proof(lines, with_total=False)
    if level > 1:
        proof += f"\ndirect = {direct.code}\nprint(count(direct))\n"
    if level > 2:
        proof += (
            "from torch.utils.flop_counter import FlopCounterMode\n\n"
            "def macs(net):\n    with FlopCounterMode(display=False) as counter:\n"
            f"        net(torch.zeros(1, {c_in}, {side}, {side}))\n"
            "    return counter.get_total_flops() // 2\n\n"
            "print(macs(direct) - macs(nn.Sequential(reduce, conv)))\n"
        )
    sheet.proof = proof
    sheet.reasons = (
        "A 1×1 convolution changes the number of channels at the price of C_in·C_out weights. "
        "Reducing first makes the large kernel work on few channels; Inception and bottlenecks "
        "rest on it, and a nonlinearity after it adds power (Network in Network)."
    )
    return sheet


def _products(weights: list[int], values: list[int]) -> str:
    pairs = zip(weights, values, strict=True)
    return " + ".join(f"{bracketed(w)}*{bracketed(v)}" for w, v in pairs)


def _pointwise_by_hand(chance: Chance, level: int, trap: str) -> Sheet | None:
    """A 1×1 convolution at one position is a matrix times a vector."""
    c_in = 2 if level == 1 else 3
    c_out = level
    x = [chance.between(-4, 5) for _ in range(c_in)]
    weights = [[chance.between(-3, 3) for _ in range(c_in)] for _ in range(c_out)]
    bias = [chance.between(-3, 3) if trap == "bias" else 0 for _ in range(c_out)]
    if trap == "bias" and 0 in bias:
        return None
    sheet = Sheet(traps=frozenset((trap,)) - {PLAIN})
    for number, (row, shift) in enumerate(zip(weights, bias, strict=True)):
        products = _products(row, x)
        own = f"{products} + {bracketed(shift)}" if shift else products
        answer = sum(w * v for w, v in zip(row, x, strict=True)) + shift
        wrong = [Wrong("channels-not-weighted", " + ".join(map(bracketed, [*x, shift])))]
        wrong += [Wrong("bias-forgotten", products)] if shift else []
        if c_out == c_in:
            column = [each[number] for each in weights]
            turned = _products(column, x)
            wrong.append(Wrong("weight-turned", f"{turned} + {bracketed(shift)}"))
        sheet.blank(
            f"y{number}",
            f"y[{number}]",
            answer,
            own,
            wrong=wrong,
            kind="number",
            tolerance=0.001,
        )
    sheet.question = (
        f"`nn.Conv2d({c_in}, {c_out}, kernel_size=1)` is applied. At one position the input's "
        f"channels are {x}. The weights, one row for each output channel, are\n\n```\n"
        + "\n".join(str(row) for row in weights)
        + "\n```\n\n"
        + (f"and the biases {bias}. " if trap == "bias" else "and there is no bias. ")
        + (
            "What comes out at that position?"
            if c_out == 1
            else "What comes out, channel by channel?"
        )
    )
    sheet.hint = "Each output channel is one row of weights times the channels of that position."
    sheet.proof = (
        f"{IMPORTS}\nconv = nn.Conv2d({c_in}, {c_out}, kernel_size=1)\nwith torch.no_grad():\n"
        f"    conv.weight.copy_(torch.tensor({weights})[:, :, None, None])\n"
        f"    conv.bias.copy_(torch.tensor({bias}))\n"
        f"x = torch.tensor({x}, dtype=torch.float32).reshape(1, {c_in}, 1, 1)\n"
        "for value in conv(x).flatten().tolist():\n    print(round(value))\n"
    )
    sheet.reasons = (
        "A 1×1 convolution reads one position and all its channels: a linear layer that every "
        "position shares."
    )
    return sheet


TEMPLATES = (
    Template(
        "pointwise-reduction",
        "Reducing channels before a large kernel",
        7,
        "pointwise",
        _pointwise_reduction,
        traps=(PLAIN, "large-kernel"),
    ),
    Template(
        "pointwise-by-hand",
        "A 1×1 convolution by hand",
        7,
        "pointwise-values",
        _pointwise_by_hand,
        traps=(PLAIN, "bias"),
        proof="numbers",
    ),
)

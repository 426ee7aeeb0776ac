"""Drills of topics 27 and 11: batch norm in evaluation is a fixed linear map."""

from __future__ import annotations

from fractions import Fraction

from foveal.learn.drills.chance import Chance
from foveal.learn.drills.counting import IMPORTS
from foveal.learn.drills.sheet import Sheet, Wrong
from foveal.learn.drills.template import PLAIN, Template

_RULE = (
    "In evaluation y = γ·(x − μ)/√(σ² + ε) + β with stored μ and σ²: a line with the slope "
    "γ/√(σ² + ε) and the offset β − slope·μ. So it can be folded into the convolution before it."
)
# Large enough that nobody takes it for nothing, and the root is still whole.
_EPSILON = Fraction(1, 100)


def _draw(chance: Chance) -> tuple[Fraction, Fraction, Fraction, Fraction]:
    """Returns γ, β, μ and the root of σ² + ε."""
    gamma = Fraction(chance.pick((-4, -3, -2, 2, 3, 4, 5, 6)), chance.pick((1, 2)))
    beta = Fraction(chance.pick((-6, -5, -3, -2, -1, 1, 2, 3, 4, 5)), 2)
    mean = Fraction(chance.pick((-6, -5, -4, -3, -2, 2, 3, 4, 5, 6)), 2)
    return gamma, beta, mean, Fraction(chance.pick((1, 2, 4, 5)), chance.pick((1, 2)))


def _text(number: Fraction) -> str:
    """Returns the number with a point, exact; negative ones in brackets."""
    text = f"{float(number):g}"
    return f"({text})" if number < 0 else text


def _line(chance: Chance, level: int, trap: str) -> Sheet | None:
    gamma, beta, mean, root = _draw(chance)
    variance = root**2 - _EPSILON
    if gamma == root or root == 1 or mean == beta:
        return None
    slope, offset = gamma / root, beta - gamma / root * mean
    sheet = Sheet(traps=frozenset((trap,)) - {PLAIN})
    g, b, m = _text(gamma), _text(beta), _text(mean)
    spread = f"({float(variance):g} + {float(_EPSILON):g})"
    sheet.blank(
        "slope",
        "slope",
        float(slope),
        f"{g}/sqrt{spread}",
        kind="number",
        tolerance=0.006,
        wrong=[
            Wrong("variance-for-deviation", f"{g}/{spread}"),
            Wrong("scale-forgotten", f"1/sqrt{spread}"),
        ],
    )
    if level > 1:
        sheet.blank(
            "offset",
            "offset",
            float(offset),
            f"{b} - slope*{m}",
            kind="number",
            tolerance=0.006,
            wrong=[
                Wrong("mean-not-scaled", f"{b} - {m}"),
                Wrong("mean-added", f"{b} + slope*{m}"),
                Wrong("shift-forgotten", f"0 - slope*{m}"),
            ],
        )
    if level > 2:
        x = Fraction(chance.pick((-4, -3, -2, 2, 3, 4, 6)))
        sheet.blank(
            "y",
            f"y for x = {int(x)}",
            float(slope * x + offset),
            f"slope*{_text(x)} + offset",
            kind="number",
            tolerance=0.012,
            wrong=[
                Wrong("shift-forgotten", f"slope*{_text(x)}"),
                Wrong("batch-statistics", b),
            ],
        )
    asked = ["slope"] + (["offset"] if level > 1 else [])
    sheet.question = (
        "A batch norm in **evaluation** has, for one channel,\n\n```\n"
        f"weight γ = {float(gamma):g}      running_mean μ = {float(mean):g}\n"
        f"bias   β = {float(beta):g}      running_var σ² = {float(variance):g}      "
        f"eps = {float(_EPSILON):g}\n```\n\n"
        f"It is the line y = slope·x + offset. What {'is' if level == 1 else 'are'} the "
        f"{' and the '.join(asked)}?"
        + (f" What does it make of x = {int(x)}, the only value of its batch?" if level > 2 else "")
        + " Two decimals are enough."
    )
    sheet.hint = "Multiply y = γ·(x − μ)/√(σ² + ε) + β out."
    proof = (
        f"{IMPORTS}\nbn = nn.BatchNorm1d(1, eps={float(_EPSILON):g}).eval()\n"
        f"bn.weight.data.fill_({float(gamma):g})\nbn.bias.data.fill_({float(beta):g})\n"
        f"bn.running_mean.fill_({float(mean):g})\nbn.running_var.fill_({float(variance):.10g})\n\n"
        "def y(x):\n    return bn(torch.tensor([[float(x)]])).item()\n\nprint(y(1) - y(0))\n"
    )
    proof += "print(y(0))\n" if level > 1 else ""
    proof += f"print(y({int(x)}))\n" if level > 2 else ""
    sheet.proof = proof
    sheet.reasons = _RULE + " It does not matter what else is in the batch."
    return sheet


def _fold(chance: Chance, level: int, trap: str) -> Sheet | None:
    gamma, beta, mean, root = _draw(chance)
    variance = root**2 - _EPSILON
    weight = Fraction(chance.pick((-3, -2, 2, 3, 4)), 1)
    bias = Fraction(chance.pick((-3, -2, 1, 2, 3)), 1) if trap == "bias" else Fraction(0)
    slope = gamma / root
    if abs(slope) == 1 or root == 1:
        return None
    sheet = Sheet(traps=frozenset((trap,)) - {PLAIN})
    g, b, m, w, c = (_text(number) for number in (gamma, beta, mean, weight, bias))
    spread = f"({float(variance):g} + {float(_EPSILON):g})"
    if level > 1:
        sheet.blank(
            "slope",
            "scale of the channel, γ/√(σ² + ε)",
            float(slope),
            f"{g}/sqrt{spread}",
            kind="number",
            tolerance=0.006,
            wrong=[Wrong("variance-for-deviation", f"{g}/{spread}")],
        )
    else:
        sheet.given["slope"] = float(slope)
    sheet.blank(
        "weight",
        "folded weight",
        float(weight * slope),
        f"{w}*slope" if level > 1 else f"{w}*{g}/sqrt{spread}",
        kind="number",
        tolerance=0.012,
        wrong=[
            Wrong("variance-for-deviation", f"{w}*{g}/{spread}"),
            Wrong("scale-forgotten", f"{w}/sqrt{spread}"),
        ],
    )
    if level > 2:
        sheet.blank(
            "bias",
            "folded bias",
            float((bias - mean) * slope + beta),
            f"({c} - {m})*slope + {b}",
            kind="number",
            tolerance=0.03,
            wrong=[
                Wrong("shift-forgotten", f"({c} - {m})*slope"),
                Wrong("mean-not-scaled", f"{c}*slope - {m} + {b}"),
                *([Wrong("bias-not-folded", f"{c} - {m}*slope + {b}")] if bias else []),
                Wrong("mean-added", f"({c} + {m})*slope + {b}"),
            ],
        )
    call = (
        "nn.Conv2d(1, 1, kernel_size=1)" if bias else "nn.Conv2d(1, 1, kernel_size=1, bias=False)"
    )
    sheet.question = (
        f"A convolution `{call}` with the weight {float(weight):g}"
        + (f" and the bias {float(bias):g}" if bias else "")
        + " is followed by a batch norm in evaluation:\n\n```\n"
        f"weight γ = {float(gamma):g}      running_mean μ = {float(mean):g}\n"
        f"bias   β = {float(beta):g}      running_var σ² = {float(variance):g}      "
        f"eps = {float(_EPSILON):g}\n```\n\n"
        "Both are replaced by a single convolution with a bias. "
        + {
            1: "What is its weight?",
            2: "By what is the channel scaled, and what is the new weight?",
            3: "By what is the channel scaled, and what are the new weight and the new bias?",
        }[level]
        + " Two decimals are enough."
    )
    sheet.hint = "Put w·x + b in the place of x in batch norm's line and multiply out."
    filled = f"conv.weight.data.fill_({float(weight):g})\n"
    filled += f"conv.bias.data.fill_({float(bias):g})\n" if bias else ""
    prints = "print((y(1) - y(0)) / conv.weight.item())\n" if level > 1 else ""
    prints += "print(y(1) - y(0))\n"
    prints += "print(y(0))\n" if level > 2 else ""
    sheet.proof = (
        f"{IMPORTS}\nconv = {call}\n{filled}"
        f"bn = nn.BatchNorm2d(1, eps={float(_EPSILON):g}).eval()\n"
        f"bn.weight.data.fill_({float(gamma):g})\nbn.bias.data.fill_({float(beta):g})\n"
        f"bn.running_mean.fill_({float(mean):g})\nbn.running_var.fill_({float(variance):.10g})\n\n"
        "def y(x):\n    return bn(conv(torch.full((1, 1, 1, 1), float(x)))).item()\n\n" + prints
    )
    sheet.reasons = _RULE
    return sheet


TEMPLATES = (
    Template(
        "batch-norm-line",
        "Batch norm in evaluation is a line",
        27,
        "batch-norm-line",
        _line,
        traps=(PLAIN,),
        proof="numbers",
    ),
    Template(
        "fold-batch-norm",
        "Folding batch norm into a convolution",
        27,
        "fold-batch-norm",
        _fold,
        traps=(PLAIN, "bias"),
        also_topics=(11,),
        proof="numbers",
    ),
)

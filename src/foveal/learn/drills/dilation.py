"""Drills of topic 12: dilation and gridding."""

from __future__ import annotations

from math import gcd

from foveal.arithmetic import effective_kernel
from foveal.learn.drills.chance import Chance
from foveal.learn.drills.diagrams import field_through
from foveal.learn.drills.field_layers import ANY_CHANNELS, FIELD_CODE, code, fields_after, listed
from foveal.learn.drills.sheet import Sheet, Wrong
from foveal.learn.drills.template import PLAIN, Template
from foveal.learn.drills.window import Window

_RULE = (
    "Dilation d puts d − 1 holes between neighbouring taps: the kernel spans k + (k − 1)(d − 1) "
    "positions, with no more parameters and no loss of resolution."
)
GRIDDING = (
    "If all rates share a divisor above 1, every path lands on a grid of that step, and the pixels "
    "between are never read: gridding. No pixel is left out if the first rate is 1 and no later "
    "rate is larger than the field before it. With kernels of 3 the rates 1, 2, 5 are right: the "
    "fields are 3, 7, 17, and 2 ≤ 3, 5 ≤ 7. The rates 1, 9 leave holes, because 9 > 3."
)


def _effective_kernel(chance: Chance, level: int, trap: str) -> Sheet:
    sheet = Sheet(traps=frozenset((trap,)))
    lines, proof = [], []
    for number in range(level):
        kernel, dilation = chance.pick((2, 3, 3, 5, 7)), chance.pick((2, 3, 4, 5, 6, 8))
        span = effective_kernel(kernel, dilation)
        name = f"conv{number + 1}" if level > 1 else "conv"
        if trap == "forwards":
            sheet.blank(
                name,
                f"span of `{name}`",
                span,
                f"{dilation}*({kernel} - 1) + 1",
                wrong=[
                    Wrong("dilated-kernel", f"{dilation}*{kernel}"),
                    Wrong("dilation-ignored", f"{kernel}"),
                    Wrong("end-not-counted", f"{dilation}*({kernel} - 1)"),
                ],
                unit="positions",
            )
            lines.append(f"{name} = {code(Window(kernel, dilation=dilation))}")
        else:
            sheet.blank(
                name,
                f"dilation of `{name}`",
                dilation,
                f"({span} - 1)/({kernel} - 1)",
                wrong=[
                    Wrong("dilated-kernel", f"{span}/{kernel}"),
                    Wrong("full-kernel", f"({span} - 1)/{kernel}"),
                    Wrong("dilation-off-by-one", f"({span} - {kernel})/({kernel} - 1)"),
                ],
            )
            line = code(Window(kernel, dilation=dilation))
            lines.append(
                f"{name} = {line.replace(f'dilation={dilation}', 'dilation=____')}  # spans {span}"
            )
        line = code(Window(kernel, dilation=dilation), axes=1)
        if trap == "forwards":
            proof.append(f"print(length({line}))")
        else:
            trial = line.replace(f"dilation={dilation}", "dilation=d")
            proof.append(f"print(*[d for d in range(1, 20) if length({trial}) == {span}])")
    listing = "\n".join(lines)
    asked = (
        "How many positions does the kernel span along one axis, holes included?"
        if trap == "forwards"
        else "Which dilation makes the kernel span that many positions along one axis?"
    )
    sheet.question = f"```\n{listing}\n```\n\n{asked} {ANY_CHANNELS}"
    sheet.hint = "Draw the taps of the kernel on a line. How many gaps are between them?"
    sheet.proof = FIELD_CODE + "\n" + "\n".join(proof)
    sheet.reasons = _RULE
    return sheet


def _gridding(chance: Chance, level: int, trap: str) -> Sheet | None:
    """How many pixels a stack of dilated layers truly reads."""
    count = chance.between(2, 3)
    if trap == "gridding":
        rate = chance.pick((2, 3, 4))
        rates = [rate] * count if chance.below(2) else [rate, rate * 2, rate * chance.pick((2, 4))]
    else:
        rates = [1, *(chance.pick((1, 2, 3, 4, 5)) for _ in range(count))]
    rates = rates[: count + 1] if trap == "gridding" else rates
    kernel = chance.pick((3, 3, 5))
    windows = [Window(kernel, dilation=rate) for rate in rates]
    field = fields_after(windows)[-1]
    has_holes = field.pixels_seen < field.size
    step = gcd(*rates)
    if has_holes != (trap == "gridding") or (field.size - 1) // step + 1 != field.pixels_seen:
        return None
    sheet = Sheet(traps=frozenset((trap,)) - {PLAIN})
    total = " + ".join(f"{kernel - 1}*{rate}" for rate in rates)
    sheet.blank(
        "span",
        "positions that the field spans",
        field.size,
        f"1 + {total}",
        wrong=[
            Wrong("full-kernel", "1 + " + " + ".join(f"{kernel}*{rate}" for rate in rates)),
            Wrong("dilation-ignored", f"1 + {kernel - 1}*{len(rates)}"),
        ],
        unit="pixels",
    )
    if level > 1:
        _reached(sheet, windows[-1])
    wrong = [Wrong("taps-multiplied", f"{kernel}^{len(rates)}")]
    if has_holes:
        wrong.append(Wrong("holes-counted", "span"))
    else:
        wrong.append(Wrong("dilation-ignored", f"1 + {kernel - 1}*{len(rates)}"))
    sheet.blank(
        "seen",
        "pixels that a unit truly sees",
        field.pixels_seen,
        f"(span - 1)/{step} + 1" if has_holes else "span",
        wrong=wrong,
        unit="pixels",
        told=(
            f"Every rate is a multiple of {step}, so just one position in {step} is read:"
            if has_holes
            else "Followed back to the input, the taps leave no position out:"
        ),
    )
    if level > 2:
        missed = [Wrong("read-for-missed", "seen")]
        if has_holes:
            missed.append(Wrong("one-gap-only", f"{step - 1}"))
        elif rates[-1] > 1:
            missed.append(Wrong("last-holes-missed", f"({kernel} - 1)*({rates[-1]} - 1)"))
        sheet.blank(
            "missed",
            "pixels inside the field that are never read",
            field.size - field.pixels_seen,
            "span - seen",
            wrong=missed,
            unit="pixels",
        )
    names = [f"conv{n + 1}" for n in range(len(windows))]
    listing = "\n".join(f"{n} = {code(w)}" for n, w in zip(names, windows, strict=True))
    sheet.question = (
        f"One after the other, stride 1:\n\n```\n{listing}\n```\n\n"
        "Along one axis: how many pixels does the receptive field of one unit span, and how many "
        "of them are truly read"
        + ("? " if level < 3 else "? How many inside it are never read? ")
        + ANY_CHANNELS
    )
    sheet.hint = "Which positions does the last layer read? And which does each of those read?"
    more = "\nprint(length(*net) - len(field(*net)))" if level > 2 else ""
    sheet.proof = (
        f"{FIELD_CODE}\n{listed(windows)}print(length(*net))\nprint(len(field(*net))){more}"
    )
    sheet.reasons = f"{GRIDDING} {_RULE}"
    sheet.solution_figure = field_through(list(zip(names, windows, strict=True)))
    return sheet


def _reached(sheet: Sheet, last: Window) -> None:
    """Adds a step that says what the last layer reads."""
    half = last.kernel // 2
    positions = ", ".join(str(last.dilation * tap) for tap in range(-half, half + 1))
    sheet.step(
        f"The last layer reads the positions {positions} of the map before it.".replace("-", "−")
    )


TEMPLATES = (
    Template(
        "effective-kernel",
        "The span of a dilated kernel",
        12,
        "effective-kernel",
        _effective_kernel,
        traps=("forwards", "backwards"),
        proof="numbers",
    ),
    Template(
        "gridding",
        "What a stack of dilated layers reads",
        12,
        "gridding",
        _gridding,
        traps=(PLAIN, "gridding"),
        also_topics=(15,),
        proof="numbers",
    ),
)

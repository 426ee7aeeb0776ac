"""Drills of topic 17: the bottleneck."""

from __future__ import annotations

from foveal.learn.drills.chance import Chance
from foveal.learn.drills.counting import (
    COUNT,
    IMPORTS,
    count_proof,
    draw_width,
    fill_total,
    same_conv,
)
from foveal.learn.drills.sheet import Sheet, Wrong
from foveal.learn.drills.template import PLAIN, Template

_BOTTLENECK = (
    "A bottleneck reduces the channels with a 1×1 convolution, filters with a 3×3 at the reduced "
    "width, and expands with another 1×1. The expensive 3×3 then works on few channels: with 256 "
    "and 64 channels 69,632 weights in place of 589,824."
)


def _bottleneck_parameters(chance: Chance, level: int, trap: str) -> Sheet:
    wide = 2 * draw_width(chance, most=384)
    narrow = wide // (chance.pick((2, 8)) if trap == "other-ratio" else 4)
    kernel = chance.pick((3, 3, 5))
    layers = [
        ("reduce", same_conv(wide, narrow, 1)),
        ("conv", same_conv(narrow, narrow, kernel)),
        ("expand", same_conv(narrow, wide, 1)),
    ]
    sheet = Sheet(traps=frozenset((trap,)) - {PLAIN})
    for name, conv in layers:
        wrong = [Wrong("in-channels-forgotten", conv.parameter_formula("in-channels-forgotten"))]
        if name == "conv":
            wrong.append(Wrong("middle-at-full-width", f"{wide}*{wide}*{kernel}*{kernel}"))
            wrong.append(Wrong("kernel-side-once", conv.parameter_formula("kernel-side-once")))
        else:
            wrong.append(Wrong("pointwise-with-kernel", f"{wide}*{narrow}*{kernel}*{kernel}"))
        sheet.blank(
            name, f"weights of `{name}`", conv.weights, conv.parameter_formula(), wrong=wrong
        )
    if level > 1:
        fill_total(
            sheet,
            ["reduce", "conv", "expand"],
            [
                ("last-layer-forgotten", "reduce + conv"),
                ("one-layer-only", "conv"),
            ],
        )
    dense = same_conv(wide, wide, kernel)
    if level > 2:
        sheet.blank(
            "dense",
            f"weights of one {kernel}×{kernel} convolution at full width",
            dense.weights,
            dense.parameter_formula(),
            wrong=[
                Wrong("in-channels-forgotten", dense.parameter_formula("in-channels-forgotten")),
                Wrong("kernel-side-once", dense.parameter_formula("kernel-side-once")),
            ],
        )
        total = sum(conv.weights for _, conv in layers)
        sheet.blank(
            "times",
            "how many times fewer the bottleneck has (to one decimal)",
            dense.weights / total,
            "dense/total",
            kind="number",
            tolerance=0.06,
            unit="times",
            wrong=[
                Wrong("ratio-turned", "total/dense"),
                Wrong("one-layer-only", "dense/conv"),
            ],
        )
    lines = [(name, conv.code) for name, conv in layers]
    code = "\n".join(f"{name} = {line}" for name, line in lines)
    sheet.question = (
        f"A bottleneck:\n\n```\n{code}\n```\n\nHow many weights has each layer"
        + (", and how many have all three?" if level > 1 else "?")
        + (
            f" How many times fewer is that than one {kernel}×{kernel} convolution "
            f"{wide} → {wide} without bias?"
            if level > 2
            else ""
        )
    )
    sheet.hint = "Take them one by one: input channels times output channels times kernel area."
    sheet.proof = count_proof(lines, with_total=level > 1, dense=dense.code if level > 2 else None)
    sheet.reasons = _BOTTLENECK
    return sheet


def _bottleneck_width(chance: Chance, level: int, trap: str) -> Sheet:
    """Backwards: the weights are known, the reduced width is not."""
    narrow = draw_width(chance, most=192)
    times = chance.pick((2, 3, 8)) if trap == "other-ratio" else 4
    wide = narrow * times
    sheet = Sheet(traps=frozenset((trap,)) - {PLAIN})
    names = {1: "the 1×1 that reduces", 2: "the 3×3 in the middle", 3: "all three layers together"}
    reduce, middle = wide * narrow, 9 * narrow * narrow
    if level == 1:
        n = reduce
        sheet.blank(
            "width",
            "reduced width",
            narrow,
            f"{n}/{wide}",
            wrong=[
                Wrong("pointwise-with-kernel", f"{n}/({wide}*9)"),
                Wrong("area-root", f"sqrt({n})"),
            ],
            unit="channels",
        )
    elif level == 2:
        n = middle
        sheet.step(f"{n:,} / 9 = {n // 9:,} pairs of channels, width times width.", n // 9)
        sheet.blank(
            "width",
            "reduced width",
            narrow,
            f"sqrt({n}/9)",
            wrong=[
                Wrong("middle-at-full-width", f"{n}/(9*{wide})"),
                Wrong("root-not-taken", f"{n}/9"),
                Wrong("kernel-side-once", f"sqrt({n}/3)"),
            ],
            unit="channels",
        )
    else:
        n = 2 * reduce + middle
        sheet.step("The two 1×1 have 2·C·w weights, the 3×3 has 9·w².")
        sheet.step(f"So 9w² + 2·{wide}·w = {n:,}.", n)
        root = f"(sqrt({wide}^2 + 9*{n}) - {wide})/9"
        sheet.blank(
            "width",
            "reduced width",
            narrow,
            root,
            wrong=[
                Wrong("last-layer-forgotten", f"(sqrt({wide}^2 + 36*{n}) - {wide})/18", 0),
                Wrong("kernel-side-once", f"(sqrt({wide}^2 + 3*{n}) - {wide})/3", 0),
                Wrong("one-layer-only", f"sqrt({n}/9)", 0),
            ],
            unit="channels",
        )
    sheet.question = (
        f"A bottleneck (1×1, 3×3, 1×1, no biases) takes {wide} channels and gives {wide} back. "
        f"{names[level][:1].upper()}{names[level][1:]} {'have' if level == 3 else 'has'} {n:,} "
        "weights. To how many channels does it reduce?"
    )
    sheet.hint = "Call the reduced width w and write the weights as a formula of w."
    counted = {
        1: f"nn.Conv2d({wide}, w, 1, bias=False)",
        2: "nn.Conv2d(w, w, 3, bias=False)",
        3: f"nn.Sequential(\n        nn.Conv2d({wide}, w, 1, bias=False),\n"
        "        nn.Conv2d(w, w, 3, bias=False),\n"
        f"        nn.Conv2d(w, {wide}, 1, bias=False),\n    )",
    }[level]
    sheet.proof = (
        f"{IMPORTS}\n{COUNT}\nfor w in range(1, 200):\n    block = {counted}\n"
        f"    if count(block) == {n}:\n        print(w)\n"
    )
    sheet.reasons = _BOTTLENECK
    return sheet


TEMPLATES = (
    Template(
        "bottleneck-parameters",
        "Weights of a bottleneck",
        17,
        "bottleneck",
        _bottleneck_parameters,
        traps=(PLAIN, "other-ratio"),
        also_topics=(7, 20),
    ),
    Template(
        "bottleneck-width",
        "The width of a bottleneck from its weights",
        17,
        "bottleneck",
        _bottleneck_width,
        traps=(PLAIN, "other-ratio"),
        direction="backwards",
    ),
)

"""Drills of topic 5: several small kernels or one large."""

from __future__ import annotations

from foveal.learn.drills.chance import Chance
from foveal.learn.drills.counting import COUNT, draw_width, same_conv
from foveal.learn.drills.field_layers import FIELD_CODE, fields_after
from foveal.learn.drills.sheet import Sheet, Wrong
from foveal.learn.drills.template import PLAIN, Template
from foveal.learn.drills.window import Window


def _stack_or_large(chance: Chance, level: int, trap: str) -> Sheet:
    """Several small kernels against a large one."""
    kernel = 5 if trap == "kernel-of-5" else 3
    depth = chance.pick((2, 3, 4)) if kernel == 3 else chance.pick((2, 3))
    channels = draw_width(chance, most=192)
    large = depth * (kernel - 1) + 1
    small_conv, large_conv = (
        same_conv(channels, channels, kernel),
        same_conv(channels, channels, large),
    )
    sheet = Sheet(traps=frozenset((trap,)) - {PLAIN})
    sheet.blank(
        "field",
        "receptive field of the stack",
        fields_after([Window(kernel)] * depth)[-1].size,
        f"1 + {depth}*({kernel} - 1)",
        wrong=[
            Wrong("full-kernel", f"{depth}*{kernel}"),
            Wrong("kernels-multiplied", f"{kernel}^{depth}"),
            Wrong("field-as-last-kernel", f"{kernel}"),
        ],
        unit="pixels",
    )
    sheet.blank(
        "stack",
        "weights of the stack",
        depth * small_conv.weights,
        f"{depth}*{channels}*{channels}*{kernel}*{kernel}",
        wrong=[
            Wrong("one-layer-only", f"{channels}*{channels}*{kernel}*{kernel}"),
            Wrong("in-channels-forgotten", f"{depth}*{channels}*{kernel}*{kernel}"),
        ],
    )
    if level > 1:
        sheet.blank(
            "large",
            "weights of the single layer with that field",
            large_conv.weights,
            f"{channels}*{channels}*field*field",
            wrong=[
                Wrong("kernel-side-once", f"{channels}*{channels}*field"),
                Wrong("in-channels-forgotten", f"{channels}*field*field"),
            ],
        )
    if level > 2:
        sheet.blank(
            "times",
            "weights of the large one over those of the stack (to two decimals)",
            large_conv.weights / (depth * small_conv.weights),
            "large/stack",
            kind="number",
            tolerance=0.006,
            unit="times",
            wrong=[
                Wrong("ratio-turned", "stack/large"),
                Wrong("one-layer-only", f"large/stack*{depth}"),
            ],
        )
    sheet.question = (
        f"{depth} convolutions {kernel}×{kernel}, stride 1, {channels} → {channels} channels, no "
        "bias, one after the other. How large is their receptive field along one axis, and how "
        "many weights have they together?"
        + (
            " How many weights has a **single** square convolution of the same channels and field?"
            if level > 1
            else ""
        )
        + (" How many times more is that?" if level > 2 else "")
    )
    sheet.hint = f"Each {kernel}×{kernel} adds {kernel - 1} to the field."
    proof = (
        f"{FIELD_CODE}\n{COUNT}\n"
        f"print(length(*[nn.Conv1d(1, 1, {kernel}, bias=False) for _ in range({depth})]))\n"
        f"stack = nn.Sequential(*[{small_conv.code} for _ in range({depth})])\n"
        "print(count(stack))\n"
    )
    if level > 1:
        proof += f"large = {large_conv.code}\nprint(count(large))\n"
    if level > 2:
        proof += "print(count(large) / count(stack))\n"
    sheet.proof = proof
    sheet.reasons = (
        "Three 3×3 see 7×7 pixels with 27·C² weights; one 7×7 needs 49·C². The stack also has a "
        "nonlinearity after each layer, three in place of one. That was VGG's idea."
    )
    return sheet


TEMPLATES = (
    Template(
        "stack-or-large",
        "Several small kernels or one large",
        5,
        "small-kernels",
        _stack_or_large,
        traps=(PLAIN, "kernel-of-5"),
        also_topics=(15,),
        proof="numbers",
    ),
)

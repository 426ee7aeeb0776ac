"""Drills backwards from a size or a span: which padding, stride, kernel or dilation."""

from __future__ import annotations

from foveal.arithmetic import convolution_size, effective_kernel
from foveal.learn.drills.chance import Chance
from foveal.learn.drills.counting import IMPORTS
from foveal.learn.drills.sheet import Sheet, Wrong
from foveal.learn.drills.template import PLAIN, Template


def _same_padding(chance: Chance, level: int, trap: str) -> Sheet:
    """Which padding keeps the size."""
    side = chance.pick((28, 32, 56, 64, 112, 224))
    sheet = Sheet(traps=frozenset((trap,)) - {PLAIN})
    lines, proof = [], []
    for number in range(level):
        kernel = chance.pick((3, 5, 7, 9, 11))
        dilation = chance.pick((2, 3, 4)) if trap == "dilation" else 1
        span = effective_kernel(kernel, dilation)
        name = f"conv{number + 1}" if level > 1 else "conv"
        wrong = [
            Wrong("full-padding", f"{dilation}*({kernel} - 1)"),
            Wrong("dilation-ignored", f"({kernel} - 1)/2")
            if dilation > 1
            else Wrong("kernel-as-padding", f"floor({kernel}/2) + 1"),
        ]
        sheet.blank(
            name,
            f"padding of `{name}`",
            (span - 1) // 2,
            f"{dilation}*({kernel} - 1)/2" if dilation > 1 else f"({kernel} - 1)/2",
            wrong=wrong,
        )
        more = f", dilation={dilation}" if dilation > 1 else ""
        lines.append(f"{name} = nn.Conv2d(16, 16, kernel_size={kernel}, padding=____{more})")
        proof.append(f"print(keeps({kernel}, {dilation}))")
    code = "\n".join(lines)
    sheet.question = (
        f"A map of {side}×{side} is to stay {side}×{side}.\n\n```\n{code}\n```\n\n"
        "Which padding, the same on every side, keeps the size? The stride is 1."
    )
    sheet.hint = "By how much does the layer shrink the map without padding?"
    sheet.proof = (
        f"{IMPORTS}\ndef keeps(kernel, dilation):\n    x = torch.zeros(1, 16, {side}, {side})\n"
        "    for p in range(60):\n"
        "        layer = nn.Conv2d(16, 16, kernel, padding=p, dilation=dilation)\n"
        f"        if {side} + 2 * p > dilation * (kernel - 1) and layer(x).shape == x.shape:\n"
        "            return p\n\n" + "\n".join(proof)
    )
    sheet.reasons = (
        "Without padding an axis loses d(k − 1) positions. Half of that goes to each side, so "
        "p = d(k − 1) / 2, for odd kernels."
    )
    return sheet


def _setting_for_size(chance: Chance, level: int, trap: str) -> Sheet | None:
    """Which kernel, stride or padding turns one size into another."""
    # Odd sizes, so that an odd kernel fills the map in moves of 2.
    size = chance.pick((27, 29, 31, 33, 39, 45, 49, 57, 63, 65, 75, 97, 111, 113, 129, 149, 225))
    size *= 2 if level == 3 else 1
    sheet = Sheet(traps=frozenset((trap,)))
    kernel, padding = chance.pick((3, 5, 7, 9)), chance.pick((0, 1, 2, 3))
    stride = 1 if level == 1 else 2
    if trap == "stride":
        stride = chance.pick((2, 3, 4))
    start, before = size, ""
    if level == 3:
        before = "first = nn.MaxPool2d(2)\n"
        size = size // 2
        sheet.step(f"After the pooling the map is {size}×{size}.", size)
    if size + 2 * padding < kernel:
        return None
    out = convolution_size(size, kernel=kernel, stride=stride, padding=padding)
    settings = {"kernel": kernel, "stride": stride, "padding": padding}
    if trap == "padding":
        if padding == 0 or (size + 2 * padding - kernel) % stride:
            return None
        need = (out - 1) * stride + kernel
        sheet.step(f"{out} windows span ({out} − 1)·{stride} + {kernel} = {need} positions.", need)
        wrong = [
            Wrong("full-padding", f"{need} - {size}"),
            Wrong("no-plus-one", f"({out}*{stride} + {kernel} - {size})/2", len(sheet.steps) - 1),
        ]
        answer, formula = padding, f"({need} - {size})/2"
    elif trap == "kernel":
        if (size + 2 * padding - kernel) % stride:
            return None
        room = size + 2 * padding
        sheet.step(f"The padded map has {size} + 2·{padding} = {room} positions.", room)
        moves = f"({out} - 1)*{stride}" if stride > 1 else f"({out} - 1)"
        wrong = [Wrong("no-plus-one", f"{room} - {out}*{stride}")]
        if padding:
            wrong.append(Wrong("padding-once", f"{size} + {padding} - {moves}", 0 + (level == 3)))
        answer, formula = kernel, f"{room} - {moves}"
    else:
        room = size + 2 * padding - kernel
        if room % stride or out < 3:
            return None
        sheet.step(
            f"The window can move by {size} + 2·{padding} − {kernel} = {room} positions.", room
        )
        wrong = [
            Wrong("no-plus-one", f"{room}/{out}"),
            Wrong("size-by-size", f"{start}/{out}"),
        ]
        answer, formula = stride, f"{room}/({out} - 1)"
    fits = [
        value
        for value in range(1 if trap != "padding" else 0, 16)
        if _gives({**settings, trap: value}, size, out) and (trap != "kernel" or value % 2)
    ]
    if fits != [answer]:
        return None
    sheet.blank("blank", f"{trap}_size" if trap == "kernel" else trap, answer, formula, wrong=wrong)
    if level > 1:
        sheet.step(f"Check: floor(({size} + 2·{padding} − {kernel}) / {stride}) + 1 = {out}.", out)
    shown = {key: "____" if key == trap else str(value) for key, value in settings.items()}
    call = f"kernel_size={shown['kernel']}"
    call += f", stride={shown['stride']}" if shown["stride"] != "1" else ""
    call += f", padding={shown['padding']}" if shown["padding"] != "0" else ""
    line = f"nn.Conv2d(16, 16, {call})"
    sheet.question = (
        f"This turns a map of {start}×{start} into one of {out}×{out}:\n\n"
        f"```\n{before}conv = {line}\n```\n\nWhat stands in the blank?"
        + (" The kernel is odd." if trap == "kernel" else "")
    )
    sheet.hint = "Put what is known into floor((H + 2p − k) / s) + 1 and solve for the blank."
    tested = line.replace("____", "n")
    odd = ", 2" if trap == "kernel" else ""
    pool = "x = nn.MaxPool2d(2)(x)\n" if level == 3 else ""
    sheet.proof = (
        f"{IMPORTS}\nx = torch.zeros(1, 16, {start}, {start})\n{pool}"
        f"for n in range({0 if trap == 'padding' else 1}, 16{odd}):\n"
        f"    layer = {tested}\n"
        f"    if layer.kernel_size[0] <= x.shape[2] + 2 * layer.padding[0]:\n"
        f"        if layer(x).shape[2] == {out}:\n            print(n)\n"
    )
    sheet.reasons = (
        f"{out} positions are {out} windows and {out - 1} moves between them. The first window and "
        "the moves together must fill the padded map."
    )
    return sheet


def _gives(settings: dict[str, int], size: int, out: int) -> bool:
    if size + 2 * settings["padding"] < settings["kernel"]:
        return False
    return convolution_size(size, **settings) == out


TEMPLATES = (
    Template(
        "same-padding",
        "The padding that keeps the size",
        2,
        "padding",
        _same_padding,
        traps=(PLAIN, "dilation"),
        also_topics=(12,),
        direction="backwards",
    ),
    Template(
        "setting-for-size",
        "The setting that gives a size",
        2,
        "output-size",
        _setting_for_size,
        traps=("padding", "kernel", "stride"),
        direction="backwards",
    ),
)

"""Layers along one axis and the receptive field that they give: truth, formulas, code."""

from __future__ import annotations

from collections.abc import Sequence

from foveal.arithmetic import AxisField
from foveal.learn.drills.chance import Chance
from foveal.learn.drills.sheet import Wrong
from foveal.learn.drills.window import Window

RULE = (
    "r = r_before + (k − 1)·d·(product of the strides before). A layer's own stride does not "
    "widen its own field; it makes every later step longer."
)


ANY_CHANNELS = "C stands for any number of channels."


# Every weight is 1, so nothing cancels: the gradient is not zero just where the unit looks.
FIELD_CODE = """\
import torch
from torch import nn

def field(*layers):
    net = nn.Sequential(*layers)
    for weight in net.parameters():
        nn.init.ones_(weight)
    x = torch.zeros(1, 1, 400, requires_grad=True)
    (gradient,) = torch.autograd.grad(net(x)[0, 0, 0], x)
    return gradient[0, 0].nonzero().flatten()

def length(*layers):
    seen = field(*layers)
    return int(seen[-1] - seen[0]) + 1
"""


def code(window: Window, *, axes: int = 2) -> str:
    """Returns the layer's line of PyTorch; one channel and no bias along one axis."""
    parts = ["C, C"] if axes == 2 else ["1, 1"]
    parts.append(f"kernel_size={window.kernel}")
    parts += [f"stride={window.stride}"] if window.stride > 1 else []
    parts += [f"dilation={window.dilation}"] if window.dilation > 1 else []
    parts += ["bias=False"] if axes == 1 else []
    return f"nn.Conv{axes}d({', '.join(parts)})"


def listed(windows: Sequence[Window], name: str = "net") -> str:
    """Returns lines that make a list of the layers along one axis."""
    return "\n".join([f"{name} = [", *(f"    {code(w, axes=1)}," for w in windows), "]\n"])


def fields_after(windows: Sequence[Window]) -> list[AxisField]:
    """Returns the field after each layer, by the engine."""
    found = [AxisField.of_input()]
    for w in windows:
        found.append(
            found[-1].through_convolution(kernel=w.kernel, stride=w.stride, dilation=w.dilation)
        )
    return found[1:]


def grown(before: str, window: Window, jump: int, mistake: str = "") -> str:
    """Returns the field after a layer as a formula; ``jump`` is the product of strides before."""
    steps = f"{window.kernel}" if mistake == "full-kernel" else f"({window.kernel} - 1)"
    spread = f"*{window.dilation}" if window.dilation > 1 and mistake != "dilation-ignored" else ""
    jumps = {"own-stride": jump * window.stride, "strides-ignored": 1}.get(mistake, jump)
    times = f"*{jumps}" if jumps > 1 else ""
    return f"{before} + {steps}{spread}{times}"


def growth_mistakes(before: str, windows: Sequence[Window]) -> list[Wrong]:
    """Returns the mistakes for the last of the windows."""
    window = windows[-1]
    strides = [w.stride for w in windows[:-1]]
    jump = _product(strides)
    codes = ["full-kernel"]
    codes += ["dilation-ignored"] if window.dilation > 1 else []
    codes += ["own-stride"] if window.stride > 1 else []
    codes += ["strides-ignored"] if jump > 1 else []
    wrong = [Wrong(c, grown(before, window, jump, c)) for c in codes]
    real = [stride for stride in strides if stride > 1]
    if len(real) > 1 and sum(real) != jump:
        wrong.append(Wrong("strides-added", grown(before, window, sum(real))))
    return wrong


def _product(numbers: Sequence[int]) -> int:
    result = 1
    for number in numbers:
        result *= number
    return result


def draw_windows(chance: Chance, count: int, trap: str) -> list[Window]:
    """Returns layers: all plain, or at least one before the last with a stride or dilated."""
    found = []
    for number in range(count):
        kernel = chance.pick((3, 3, 3, 5, 7)) if number == 0 else chance.pick((2, 3, 3, 5))
        stride = chance.pick((1, 2, 2)) if trap == "stride" else 1
        dilation = chance.pick((1, 2, 3)) if trap == "dilation" else 1
        found.append(Window(kernel, stride, dilation=dilation))
    return found


def traps_of(windows: Sequence[Window]) -> frozenset[str]:
    """Returns stride where one widens a later field, dilation where there is one."""
    found = set()
    if any(w.stride > 1 for w in windows[:-1]):
        found.add("stride")
    if any(w.dilation > 1 for w in windows):
        found.add("dilation")
    return frozenset(found)


LEGEND = "k is the kernel, s the stride (1 if not given), d the dilation."


def short_text(windows: Sequence[Window]) -> str:
    """Returns the layers in short, such as ``k3 s2 → k5 d2``."""
    parts = []
    for w in windows:
        text = f"k{w.kernel}"
        text += f" s{w.stride}" if w.stride > 1 else ""
        text += f" d{w.dilation}" if w.dilation > 1 else ""
        parts.append(text)
    return " → ".join(parts)

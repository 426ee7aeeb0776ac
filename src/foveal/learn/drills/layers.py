"""Layers as numbers: their line of PyTorch, their truth by the engine, their formulas.

A layer of a drill is no module. It can say how it is written in PyTorch, what
``foveal.arithmetic`` says about it, by which formula a learner finds the same, and what the
usual mistakes make of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from foveal.arithmetic import (
    convolution_macs,
    convolution_parameters,
)
from foveal.learn.drills.sheet import Wrong
from foveal.learn.drills.window import Window
from foveal.learn.exercise import Value
from foveal.learn.formula import FormulaError, evaluate

Map = tuple[int, int, int]  # channels, height, width


@dataclass(frozen=True, slots=True)
class Conv:
    """``nn.Conv2d``; settings are pairs of height and width."""

    in_channels: int
    out_channels: int
    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    bias: bool = True

    @property
    def windows(self) -> tuple[Window, Window]:
        """Height and width."""
        k, s, p, d = self.kernel, self.stride, self.padding, self.dilation
        return Window(k[0], s[0], p[0], d[0]), Window(k[1], s[1], p[1], d[1])

    @property
    def code(self) -> str:
        """The line of PyTorch; what is the default is left out."""
        parts = [f"{self.in_channels}, {self.out_channels}, kernel_size={_pair(self.kernel)}"]
        for name, value, usual in (
            ("stride", self.stride, (1, 1)),
            ("padding", self.padding, (0, 0)),
            ("dilation", self.dilation, (1, 1)),
        ):
            if value != usual:
                parts.append(f"{name}={_pair(value)}")
        if self.groups > 1:
            parts.append(f"groups={self.groups}")
        if not self.bias:
            parts.append("bias=False")
        return f"nn.Conv2d({', '.join(parts)})"

    def shape(self, given: Map) -> Map:
        """Returns C×H×W of the output."""
        high, wide = self.windows
        return self.out_channels, high.size(given[1]), wide.size(given[2])

    def shape_formula(self, source: str, mistake: str = "") -> str:
        """Returns the output shape as a formula; ``source`` is the key of an earlier blank."""
        high, wide = self.windows
        sizes = high.formula(f"{source}[1]", mistake), wide.formula(f"{source}[2]", mistake)
        return _arranged(f"{self.out_channels}", *sizes, f"{source}[0]", mistake)

    @property
    def parameters(self) -> int:
        """Weights, and biases if it has them."""
        return convolution_parameters(
            self.in_channels,
            self.out_channels,
            kernel=self.kernel,
            groups=self.groups,
            bias="bias" if self.bias else "no bias",
        )

    @property
    def weights(self) -> int:
        """Parameters without the bias."""
        return convolution_parameters(
            self.in_channels,
            self.out_channels,
            kernel=self.kernel,
            groups=self.groups,
            bias="no bias",
        )

    def macs(self, given: Map) -> int:
        """Multiply-accumulates for one image."""
        return convolution_macs(
            self.in_channels,
            self.out_channels,
            kernel=self.kernel,
            groups=self.groups,
            output_size=self.shape(given)[1:],
        )

    def parameter_formula(self, mistake: str = "") -> str:
        """Returns the count as a formula, with a mistake built in."""
        c_in, c_out, g, (kh, kw) = self.in_channels, self.out_channels, self.groups, self.kernel
        taps = f"{kh}*{kw}"
        inner, outer = f"{c_in}" if g == 1 else f"({c_in}/{g})", f"{c_out}"
        has_bias = self.bias
        match mistake:
            case "bias-forgotten":
                has_bias = False
            case "bias-counted":
                has_bias = True
            case "bias-per-input":
                return f"{c_out}*{inner}*({taps} + 1)"
            case "in-channels-forgotten":
                return f"{c_out}*{taps}" + (f" + {c_out}" if has_bias else "")
            case "out-channels-forgotten":
                return f"{inner}*{taps}" + (" + 1" if has_bias else "")
            case "kernel-side-once":
                taps = f"{kh}"
            case "groups-ignored":
                inner = f"{c_in}"
            case "groups-twice":
                outer = f"({c_out}/{g})"
            case "groups-of-channels":
                # "groups = channels of one group": each kernel then sees g channels.
                inner = f"{g}"
        product = f"{outer}*{inner}*{taps}"
        return f"{product} + {c_out}" if has_bias else product

    def parameter_mistakes(self) -> tuple[Wrong, ...]:
        """Returns the mistakes that a count of this layer invites."""
        codes = ["bias-forgotten"] if self.bias else ["bias-counted"]
        if self.in_channels > self.groups:  # a kernel sees more than one channel
            codes += ["bias-per-input"] if self.bias else []
            codes += ["in-channels-forgotten"]
        codes += ["kernel-side-once"] if self.kernel != (1, 1) else []
        codes += ["groups-ignored", "groups-twice"] if self.groups > 1 else []
        return tuple(Wrong(code, self.parameter_formula(code)) for code in codes)


@dataclass(frozen=True, slots=True)
class Pool:
    """``nn.MaxPool2d`` or ``nn.AvgPool2d``, square."""

    window: Window
    function: Literal["Max", "Avg"] = "Max"

    @property
    def windows(self) -> tuple[Window, Window]:
        """Height and width."""
        return self.window, self.window

    @property
    def code(self) -> str:
        """The line of PyTorch."""
        w = self.window
        parts = [f"kernel_size={w.kernel}"]
        if w.stride != w.kernel:
            parts.append(f"stride={w.stride}")
        if w.padding:
            parts.append(f"padding={w.padding}")
        if w.rounding == "ceil":
            parts.append("ceil_mode=True")
        return f"nn.{self.function}Pool2d({', '.join(parts)})"

    def shape(self, given: Map) -> Map:
        """Returns C×H×W of the output."""
        return given[0], self.window.size(given[1]), self.window.size(given[2])

    def shape_formula(self, source: str, mistake: str = "") -> str:
        """Returns the output shape as a formula; ``source`` is the key of an earlier blank."""
        sizes = [self.window.formula(f"{source}[{axis}]", mistake) for axis in (1, 2)]
        return _arranged(f"{source}[0]", sizes[0], sizes[1], f"{source}[0]", mistake)


Layer = Conv | Pool


def shape_mistakes(layer: Layer, source: str, given: Map) -> tuple[Wrong, ...]:
    """Returns the mistakes that the shape after this layer invites."""
    codes = dict.fromkeys(
        code
        for window, size in zip(layer.windows, given[1:], strict=True)
        for code in window.mistakes(size)
    )
    if isinstance(layer, Conv) and layer.in_channels != layer.out_channels:
        codes["channels-kept"] = None
    result = layer.shape(given)
    if result[1] != result[2]:
        codes["axes-swapped"] = None
    if isinstance(layer, Conv):
        codes["channels-last"] = None
    return tuple(Wrong(code, layer.shape_formula(source, code)) for code in codes)


def tells_apart(layer: Layer, given: Map) -> bool:
    """Returns whether every mistake on this layer leads to another value."""
    seen: list[Value] = [layer.shape(given)]
    for wrong in shape_mistakes(layer, "x", given):
        try:
            value = evaluate(wrong.formula, {"x": given})
        except FormulaError:
            continue
        if value in seen:
            return False
        seen.append(value)
    return True


def shape_traps(layer: Layer, given: Map) -> frozenset[str]:
    """Returns which traps hold for this layer on this input."""
    found = {
        trap
        for window, size in zip(layer.windows, given[1:], strict=True)
        for trap in window.traps(size)
    }
    if given[1] != given[2] or layer.windows[0] != layer.windows[1]:
        found.add("non-square")
    if isinstance(layer, Conv) and layer.groups > 1:
        found.add("groups")
    return frozenset(found)


def _arranged(channels: str, high: str, wide: str, given: str, mistake: str) -> str:
    if mistake == "axes-swapped":
        high, wide = wide, high
    if mistake == "channels-kept":
        channels = given
    if mistake == "channels-last":
        return f"({high}, {wide}, {channels})"
    return f"({channels}, {high}, {wide})"


def _pair(value: tuple[int, int]) -> str:
    return str(value[0]) if value[0] == value[1] else f"({value[0]}, {value[1]})"

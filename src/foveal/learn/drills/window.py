"""A kernel along one axis: its truth by the engine, its formulas and the usual mistakes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from foveal.arithmetic import (
    convolution_size,
    effective_kernel,
    pooling_size,
)
from foveal.learn.formula import evaluate


@dataclass(frozen=True, slots=True)
class Window:
    """A kernel along one axis."""

    kernel: int
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    rounding: Literal["floor", "ceil"] = "floor"

    def size(self, size: int) -> int:
        """Returns the output size; raises UsageError where the kernel does not fit."""
        if self.rounding == "ceil":
            return pooling_size(
                size,
                kernel=self.kernel,
                stride=self.stride,
                padding=self.padding,
                dilation=self.dilation,
                rounding="ceil",
            )
        return convolution_size(
            size,
            kernel=self.kernel,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
        )

    def fits(self, size: int) -> bool:
        """Returns whether the padded input is at least as long as the kernel."""
        return size + 2 * self.padding >= effective_kernel(self.kernel, self.dilation)

    def remainder(self, size: int) -> int:
        """Returns the positions left over; not 0 means that rounding matters."""
        span = effective_kernel(self.kernel, self.dilation)
        return (size + 2 * self.padding - span) % self.stride

    def formula(self, size: str, mistake: str = "") -> str:
        """Returns the output size as a formula; ``size`` is a number or a name.

        Args:
            size: The input's size.
            mistake: Code of a mistake that is built in.
        """
        k, s, p, d = self.kernel, self.stride, self.padding, self.dilation
        span = f"{d}*({k} - 1) - 1" if d > 1 else f"{k}"
        if mistake == "dilation-ignored":
            span = f"{k}"
        if mistake == "dilated-kernel":
            span = f"{d}*{k}"
        padded = f"{size} + 2*{p}" if p else size
        if mistake == "padding-once":
            padded = f"{size} + {p}"
        if mistake == "padding-forgotten":
            padded = size
        one = "" if mistake in ("no-plus-one", "one-short") else " + 1"
        if s == 1 or mistake == "stride-ignored":
            return f"{padded} - {span}{one}"
        rounding = "ceil" if (self.rounding == "ceil") != (mistake in _OTHER_ROUNDING) else "floor"
        if mistake == "no-floor":
            rounding = ""
        return f"{rounding}(({padded} - {span})/{s}){one}"

    def mistakes(self, size: int) -> tuple[str, ...]:
        """Returns the codes of the mistakes that change something for this input size.

        Where two of them lose the same one position, nobody can tell them apart: "one-short".
        """
        found = ["no-plus-one"]
        if self.rounding == "ceil" and self.remainder(size):
            found = []  # the same as rounding down
        if self.padding and self._loses_one(size, "padding-once"):
            found = ["one-short"]
            found += [] if self._loses_one(size, "padding-forgotten") else ["padding-forgotten"]
        elif self.padding:
            found += ["padding-once", "padding-forgotten"]
        if self.remainder(size):
            found.append("rounded-down" if self.rounding == "ceil" else "rounded-up")
        if self.dilation > 1:
            found += ["dilation-ignored", "dilated-kernel"]
        return tuple(found)

    def _loses_one(self, size: int, mistake: str) -> bool:
        return evaluate(self.formula(str(size), mistake)) == self.size(size) - 1

    def traps(self, size: int) -> frozenset[str]:
        """Returns which traps hold: floor, ceil, dilation."""
        return frozenset(
            name
            for name, holds in (
                ("floor", self.remainder(size) > 0 and self.rounding == "floor"),
                ("ceil", self.remainder(size) > 0 and self.rounding == "ceil"),
                ("dilation", self.dilation > 1),
            )
            if holds
        )


_OTHER_ROUNDING = ("rounded-up", "rounded-down")

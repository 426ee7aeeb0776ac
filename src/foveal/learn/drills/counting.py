"""What drills that count parameters share: blanks, sums and proofs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from foveal.learn.drills.chance import Chance
from foveal.learn.drills.layers import Conv
from foveal.learn.drills.sheet import Sheet

IMPORTS = "import torch\nfrom torch import nn\n"


COUNT = "def count(layer):\n    return sum(p.numel() for p in layer.parameters())\n"


def draw_width(chance: Chance, *, most: int = 512) -> int:
    """Returns a number of channels: now and then a power of two, else a multiple of 8."""
    powers = [width for width in (16, 32, 64, 128, 256, 512) if width <= most]
    return chance.pick(powers) if chance.below(3) == 0 else 8 * chance.between(2, most // 8)


def square(kernel: int) -> tuple[int, int]:
    """Returns the pair that PyTorch makes of one number."""
    return kernel, kernel


def same_conv(c_in: int, c_out: int, kernel: int) -> Conv:
    """Returns a convolution that keeps the size, without bias."""
    return Conv(c_in, c_out, square(kernel), padding=square(kernel // 2), bias=False)


def fill_counts(sheet: Sheet, entries: Sequence[tuple[str, Conv]]) -> None:
    """Adds a blank for the parameters of each layer."""
    for name, conv in entries:
        sheet.blank(
            name,
            f"parameters of `{name}`",
            conv.parameters,
            conv.parameter_formula(),
            wrong=conv.parameter_mistakes(),
        )


def fill_total(
    sheet: Sheet,
    names: Sequence[str],
    wrong: Iterable[tuple[str, str]],
    label: str = "all together",
) -> None:
    """Adds a blank for the sum of earlier ones."""
    total = sum(value for name in names if isinstance(value := sheet.values[name], int))
    sheet.blank("total", label, total, " + ".join(names), wrong=wrong)


def count_proof(
    lines: Sequence[tuple[str, str]], *, with_total: bool, dense: str | None = None
) -> str:
    """Returns PyTorch that prints the parameters of each named layer, and their sum.

    With ``dense``, the code of one layer that does the same, also its count and the ratio.
    """
    code = "\n".join(f"{name} = {line}" for name, line in lines)
    prints = "\n".join(f"print(count({name}))" for name, _ in lines)
    total = " + ".join(f"count({name})" for name, _ in lines)
    proof = f"{IMPORTS}\n{COUNT}\n{code}\n{prints}"
    if with_total:
        proof += f"\nprint({total})"
    if dense is not None:
        proof += f"\ndense = {dense}\nprint(count(dense))\nprint(count(dense) / ({total}))"
    return proof

"""Input shapes as people type them."""

from __future__ import annotations

import re

from foveal.errors import UsageError
from foveal.graph.graph import Shape
from foveal.text import printable

_MAX_SIZE = 1_000_000


def parse_input(spec: str) -> Shape | tuple[Shape, ...]:
    """Returns the shape, or one for each input where commas separate several.

    ``CxHxW`` is one image, four numbers have the batch first.

    >>> parse_input("3x224x224"), parse_input("8x3x64x48"), parse_input("1x32x32,3x64x64")
    ((3, 224, 224), (8, 3, 64, 48), ((1, 32, 32), (3, 64, 64)))

    Raises:
        UsageError: It cannot be read as shapes.
    """
    shapes = tuple(_parse_one(part.strip(), spec) for part in spec.split(","))
    return shapes[0] if len(shapes) == 1 else shapes


def _parse_one(text: str, spec: str) -> Shape:
    words = re.split(r"[x×X*]", text.strip("()[] "))
    sizes = tuple(int(word) for word in words if re.fullmatch(r"\s*[0-9]{1,9}\s*", word))
    if len(sizes) != len(words) or len(sizes) < 2:
        raise _refusal(spec, "it is no list of whole numbers joined by x")
    if not all(0 < size <= _MAX_SIZE for size in sizes):
        raise _refusal(spec, f"every size must be between 1 and {_MAX_SIZE:,}")
    if len(sizes) == 2:
        raise _refusal(spec, f"the channels are missing: 3x{sizes[0]}x{sizes[1]} may be meant")
    return sizes


def _refusal(spec: str, why: str) -> UsageError:
    return UsageError(
        f"The input {printable(spec)!r} cannot be read as a shape: {why}.",
        next_step="Give channels x height x width, such as --input 3x224x224; commas separate "
        "several inputs.",
    )

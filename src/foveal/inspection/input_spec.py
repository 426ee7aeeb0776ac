"""Input shapes as people type them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from foveal.errors import UsageError
from foveal.text import near_names, printable

if TYPE_CHECKING:
    from foveal.graph.inputs import InputShape

_MAX_SIZE = 1_000_000
# Two numbers as large as these are meant as height and width.
_SMALLEST_SIDE = 16
_TYPES = ("float32", "float64", "float16", "bfloat16", "int64", "int32", "uint8", "bool")
_SPELLINGS = {"float": "float32", "int": "int64", "long": "int64", "half": "float16"}


def parse_input(spec: str) -> InputShape:
    """Returns the shape, or one for each input where commas separate several.

    ``CxHxW`` is one image, four numbers have the batch first; ``CxL`` and ``CxDxHxW`` are one
    sequence and one volume for networks of that many axes. A name before ``=`` gives an input
    by name, or an entry of the dictionary that the network takes. A type after ``:`` stands
    for whole numbers and the like; the shape is then whole, the batch first.

    >>> parse_input("3x224x224"), parse_input("8x3x64x48"), parse_input("1x32x32,3x64x64")
    ((3, 224, 224), (8, 3, 64, 48), ((1, 32, 32), (3, 64, 64)))
    >>> parse_input("image=3x32x32,mask=1x32x32")
    {'image': (3, 32, 32), 'mask': (1, 32, 32)}
    >>> parse_input("2x16:int64").dtype
    torch.int64

    Raises:
        UsageError: It cannot be read as shapes.
    """
    parts = [part.strip() for part in spec.split(",")]
    names = [part.partition("=")[0].strip() if "=" in part else "" for part in parts]
    shapes = [_parse_one(part.rpartition("=")[2].strip(), spec) for part in parts]
    if not any(names):
        return shapes[0] if len(shapes) == 1 else tuple(shapes)
    if not all(names) or len(set(names)) < len(names):
        raise _refusal(spec, "where one input has a name, each needs one of its own")
    return dict(zip(names, shapes, strict=True))


def _parse_one(text: str, spec: str) -> Any:
    text, colon, dtype = text.partition(":")
    words = re.split(r"[x×X*]", text.strip().strip("()[] "))
    sizes = tuple(int(word) for word in words if re.fullmatch(r"\s*[0-9]{1,9}\s*", word))
    if len(sizes) == len(words) == 1 and not colon:
        raise _refusal(spec, f"{sizes[0]} alone says too little; a vector is 1x{sizes[0]}")
    if len(sizes) != len(words):
        raise _refusal(spec, "it is no list of whole numbers joined by x")
    if not all(0 < size <= _MAX_SIZE for size in sizes):
        raise _refusal(spec, f"every size must be between 1 and {_MAX_SIZE:,}")
    if colon:
        return _of_type(sizes, dtype.strip(), spec)
    if len(sizes) == 2 and min(sizes) >= _SMALLEST_SIDE:
        raise _refusal(spec, f"the channels are missing: 3x{sizes[0]}x{sizes[1]} may be meant")
    return sizes


def _of_type(sizes: tuple[int, ...], word: str, spec: str) -> Any:
    """Returns a tensor that has the shape and the type, and no values."""
    import torch

    name = _SPELLINGS.get(word, word)
    if name not in _TYPES:
        near = near_names(word, (*_TYPES, *_SPELLINGS)) or _TYPES
        raise _refusal(spec, f"{printable(word)!r} is no type; {', '.join(near)} are")
    return torch.empty(sizes, dtype=getattr(torch, name), device="meta")


def _refusal(spec: str, why: str) -> UsageError:
    return UsageError(
        f"The input {printable(spec)!r} cannot be read as a shape: {why}.",
        next_step="Give channels x height x width, such as --input 3x224x224; commas separate "
        "several inputs, as in --input image=3x64x64,tokens=1x16:int64.",
    )

"""Claims about values in a forward pass: ``assert torch.isfinite(x).all()``.

Tracing has no values to check a claim on. A model that works has claims that hold, so tracing
goes on as it does; where one is false, the real pass says so.
"""

from __future__ import annotations

import dis
import sys
from itertools import pairwise
from pathlib import Path
from types import CodeType, FrameType

import torch

_OWN_FOLDER = str(Path(__file__).parent)


def asserted_value() -> bool | None:
    """Returns which truth value the code that asks for one right now claims; None for a branch.

    To be called while a tensor's ``bool()`` is answered.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_OWN_FOLDER):
        frame = frame.f_back
    if frame is None:
        return None
    if frame.f_code is torch._assert.__code__:
        return True
    return _claim_at(frame.f_code, frame.f_lasti)


def _claim_at(code: CodeType, offset: int) -> bool | None:
    """Returns the value with which a jump at ``offset`` goes past ``raise AssertionError``."""
    following = [item for item in dis.get_instructions(code) if item.offset >= offset][:5]
    for jump, after in pairwise(following):
        if jump.opname.startswith("POP_JUMP"):
            raises = after.opname == "LOAD_ASSERTION_ERROR" or after.argval is AssertionError
            is_assertion = raises and after.opname != "LOAD_GLOBAL"
            return "IF_TRUE" in jump.opname if is_assertion else None
    return None

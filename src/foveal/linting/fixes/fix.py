"""A fix: frozen data, what it promises, and one function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import nn

from foveal.linting.finding import Finding

Promise = Literal["equal in eval and train", "equal in eval", "same shape"]


@dataclass(frozen=True, slots=True)
class Fix:
    """One mechanical change.

    Attributes:
        fix_id: The name that findings carry.
        title: What it does, as an imperative phrase.
        promise: What can be relied on when outputs before and after are compared, up to
            rounding. ``"same shape"`` promises no values: the new part has to be trained.
        apply: Changes the model that it is given, which is a copy of the user's.
    """

    fix_id: str
    title: str
    promise: Promise
    apply: Callable[[nn.Module, Finding], None]

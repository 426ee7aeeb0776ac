"""Why a file is set aside: a stable code and a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from foveal.images import ProblemCode as ImageProblemCode

TableProblemCode = Literal["missing_label", "repeated_row", "conflicting_rows", "small_class"]
"""What only a whole data set can get wrong."""

ProblemCode = ImageProblemCode | TableProblemCode

PROBLEM_CODES: tuple[str, ...] = tuple(
    dict.fromkeys((*get_args(ImageProblemCode), *get_args(TableProblemCode)))
)


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a file is set aside.

    Attributes:
        code: A stable word, such as ``"truncated"``.
        message: What is wrong, as a phrase, printable and without the path.
    """

    code: ProblemCode
    message: str

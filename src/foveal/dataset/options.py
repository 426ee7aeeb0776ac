"""How a data set is read where its form leaves a choice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from foveal.errors import UsageError

Links = Literal["inside", "follow"]
LabelRule = Literal["checked", "as written"]


@dataclass(frozen=True, slots=True)
class DataOptions:
    """What to read as what. Everything has a default that is said where it matters.

    Attributes:
        path_column: The column of a table that names the files.
        label_column: The column of a table that is the label.
        encoding: Of a text table that is not UTF-8, as Python names it: ``"cp949"``.
        labels: ``"checked"`` sets rows aside whose label means that there is none (``nan``,
            ``?``) and refuses lists of labels and quantities; ``"as written"`` takes every
            text as a class.
        links: ``"follow"`` also follows links in a data folder that lead out of it. Paths in
            a table are followed wherever they lead.
        class_level: The folder level that names the class, from 1.
        min_images: Classes with fewer usable images are left out, and named.
    """

    path_column: str | None = None
    label_column: str | None = None
    encoding: str | None = None
    labels: LabelRule = "checked"
    links: Links = "inside"
    class_level: int | None = None
    min_images: int = 1

    def __post_init__(self) -> None:
        for noun, value in (("class_level", self.class_level), ("min_images", self.min_images)):
            if value is not None and value < 1:
                raise UsageError(
                    f"{noun}: got {value}, expected at least 1.",
                    next_step="Count folder levels from the data folder: 1 is directly below it.",
                )
        if self.encoding is not None:
            try:
                "".encode(self.encoding)
            except LookupError as error:
                raise UsageError(
                    f"There is no encoding named '{self.encoding}'.",
                    next_step="Use a name such as cp1252, latin-1, cp949, shift_jis or gb18030.",
                ) from error

"""What a classifier reaches that sees nothing of what the pictures show, and what to say of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from foveal.draw.numbers import percent

SimpleName = Literal["colour", "border", "pattern", "file"]

# Of what the network has above chance, and how sure the rest must be above chance.
_REACHES = 0.9
_MIN_ERRORS = 4.0
_MIN_ABOVE = 0.15

NOT_LOOKED_FOR = (
    "Not looked for: a mark over the object itself, one that wanders from picture to picture, one "
    "that fewer than about half of a class’s pictures have, what stands behind the object, and "
    "whatever all classes share here but not where the classifier will be used."
)


@dataclass(frozen=True, slots=True)
class SimpleResult:
    """How far one family of simple features comes, out of fold.

    Attributes:
        name: ``"colour"``: colour and brightness of the whole picture. ``"border"``: the
            outermost part alone. ``"pattern"``: what stands at the same pixels in the outermost
            quarter. ``"file"``: sizes, format, quality and metadata.
        margin: How deep the border is, as a share of height and width; None for the others.
        num_images: Pictures judged, the same for the network.
        accuracy: Mean of the classes' recalls.
        network_accuracy: The network's on the same pictures.
        chance: One by the number of classes.
    """

    name: SimpleName
    margin: float | None
    num_images: int
    accuracy: float
    network_accuracy: float
    chance: float

    @property
    def reaches_the_network(self) -> bool:
        """Whether it has nine tenths of what the network has above chance, and surely so."""
        above, most = self.accuracy - self.chance, self.network_accuracy - self.chance
        error = math.sqrt(self.chance * (1 - self.chance) / self.num_images)
        return above >= max(_REACHES * most, _MIN_ERRORS * error, _MIN_ABOVE)


def reaching(results: Sequence[SimpleResult]) -> tuple[SimpleResult, ...]:
    """Returns what reaches the network, one a family: of several margins the narrowest."""
    found: dict[str, SimpleResult] = {}
    for one in results:
        if one.reaches_the_network:
            found.setdefault(one.name, one)
    return tuple(found.values())


def describe_simple(one: SimpleResult) -> str:
    """Returns what a family of simple features reaches, and what to do about it.

    >>> print(describe_simple(SimpleResult("file", None, 200, 0.97, 0.98, 0.5)))
    A classifier that sees only the files’ own properties (size, format, quality, metadata) reaches 97% on held-out images, the network 98% (balanced accuracy: every class counts the same). Save all classes alike, and train again: where the classes come from decides, not what they show.
    """  # noqa: E501
    what, advice = _WORDS[one.name]
    if one.margin is not None:
        what = what.format(margin=percent(one.margin))
    return (
        f"A classifier that sees only {what} reaches {percent(one.accuracy)} on held-out images, "
        f"the network {percent(one.network_accuracy)} (balanced accuracy: every class counts the "
        f"same). {advice}"
    )


def title_of(one: SimpleResult) -> str:
    """Returns the finding as a heading.

    >>> title_of(SimpleResult("border", 0.07, 200, 0.97, 0.98, 0.5))
    'The border alone tells the classes apart as well as the network does'
    """
    return f"{_TITLES[one.name]} the classes apart as well as the network does"


_TITLES: dict[SimpleName, str] = {
    "colour": "Colour and brightness of the whole picture alone tell",
    "border": "The border alone tells",
    "pattern": "A pattern at the same pixels of every picture tells",
    "file": "The file alone, without its picture, tells",
}
_WORDS: dict[SimpleName, tuple[str, str]] = {
    "colour": (
        "the colour and brightness of the whole picture, and nothing of what is where,",
        "If colour is not what sets the classes apart, look for another camera, lamp or stain by "
        "class: the figures hold only as long as it comes with the class.",
    ),
    "border": (
        "the outermost {margin} of the picture on each side",
        "If the findings lie in the middle, look for bars, frames, margins or another background: "
        "the figures hold only as long as they come with the class.",
    ),
    "pattern": (
        "the fine detail at fixed pixels in the outermost {margin} on each side",
        "Look for a watermark, a grid or a caption that comes with the class: the figures hold "
        "only as long as it does.",
    ),
    "file": (
        "the files’ own properties (size, format, quality, metadata)",
        "Save all classes alike, and train again: where the classes come from decides, not what "
        "they show.",
    ),
}

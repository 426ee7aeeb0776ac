"""One topic of the course: frozen data and one function that computes its example."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from foveal.learn.exercise import Figure

Activity = Literal["engine", "lab", "drill", "quiz"]
Chapter = Literal["Counting", "Seeing", "Blocks", "Training", "Looking inside"]


@dataclass(frozen=True, slots=True)
class Topic:
    """What there is to know about one thing, and where in Foveal it is done.

    Attributes:
        number: 1 to 27.
        title: A noun phrase in lower case.
        chapter: Which part of the map it stands in.
        fact: What is true, in a few sentences, with its formula. Simple markup: ``code``,
            **bold**, blank lines between paragraphs.
        example: Computes the example when it is shown; the same markup, and fenced blocks.
        misconceptions: What people get wrong, each answered in the same breath.
        engine: Dotted names of the functions or classes that do it in Foveal.
        activities: Where a learner meets it.
        figure: Draws the example, where a drawing helps.
        lab: Name for ``foveal lab``, or empty.
        rules: Codes of ``foveal lint`` that point here.
        paper: Where it was published, with an identifier that can be looked up.
    """

    number: int
    title: str
    chapter: Chapter
    fact: str
    example: Callable[[], str]
    misconceptions: tuple[str, ...]
    engine: tuple[str, ...]
    activities: tuple[Activity, ...]
    paper: str
    figure: Callable[[], Figure | None] = lambda: None
    lab: str = ""
    rules: tuple[str, ...] = ()

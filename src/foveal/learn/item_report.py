"""How hard each exercise was, and which mistake how often, from learners' exported answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from foveal.draw.numbers import percent, percent_span
from foveal.draw.text_layout import columns_table, wrap
from foveal.evaluation.evidence import Interval
from foveal.evaluation.intervals import wilson
from foveal.learn.mistakes import MISTAKES
from foveal.learn.progress import Review
from foveal.text import count_noun

SCHEMA = "foveal.learn.items"
VERSION = 1
_TITLES = {kind.code: kind.title for kind in MISTAKES}


@dataclass(frozen=True, slots=True)
class Item:
    """A drill at a level, or a question, over all its answers.

    Attributes:
        name: Of the drill or question.
        level: 1 to 3.
        num_learners: Files with an answer to it.
        num_answers: First answers, of all variants.
        num_right: Those that were right, with a hint or without.
        num_hinted: Those that were right after a hint.
        num_given_up: Times that the solution was looked at without an answer; no answers.
        mistakes: In how many answers each named mistake was made, most frequent first.
        num_unexplained: Wrong answers in which no mistake is known by name.
    """

    name: str
    level: int
    num_learners: int
    num_answers: int
    num_right: int
    num_hinted: int
    num_given_up: int
    mistakes: tuple[tuple[str, int], ...]
    num_unexplained: int

    @property
    def share_right(self) -> Interval:
        """Share of right first answers, with Wilson's interval; empty without answers.

        Answers of one learner are not independent, so the interval is rather too narrow.
        """
        return wilson(self.num_right, self.num_answers)

    def to_json(self) -> dict[str, Any]:
        """Returns the item as dictionaries, lists, strings and numbers."""
        share = self.share_right
        return {
            "name": self.name,
            "level": self.level,
            "num_learners": self.num_learners,
            "num_answers": self.num_answers,
            "num_right": self.num_right,
            "num_hinted": self.num_hinted,
            "num_given_up": self.num_given_up,
            "share_right": {"value": share.estimate, "low": share.low, "high": share.high},
            "mistakes": dict(self.mistakes),
            "num_unexplained": self.num_unexplained,
        }


@dataclass(frozen=True, slots=True)
class ItemReport:
    """All items, the hardest first.

    Attributes:
        items: Hardest first; those without an answer last.
        num_learners: Files.
        num_reviews: Different reviews.
        num_repeated: Reviews that another file had already.
        num_different: Reviews with the id of another one; the first was taken.
    """

    items: tuple[Item, ...]
    num_learners: int
    num_reviews: int
    num_repeated: int
    num_different: int

    def to_json(self) -> dict[str, Any]:
        """Returns the report as dictionaries, lists, strings and numbers."""
        return {
            "schema": SCHEMA,
            "version": VERSION,
            "num_learners": self.num_learners,
            "num_reviews": self.num_reviews,
            "num_repeated": self.num_repeated,
            "num_different": self.num_different,
            "items": [item.to_json() for item in self.items],
        }


def report_items(learners: Sequence[Iterable[Review]]) -> ItemReport:
    """Returns the report of some learners' reviews; a review counts once, by its id.

    Args:
        learners: The reviews of each learner.
    """
    known: dict[str, Review] = {}
    rows: dict[tuple[str, int], list[tuple[int, Review]]] = {}
    num_repeated = num_different = 0
    for learner, reviews in enumerate(learners):
        for review in reviews:
            if review.id in known:
                num_repeated += known[review.id] == review
                num_different += known[review.id] != review
                continue
            known[review.id] = review
            rows.setdefault((review.template, review.level), []).append((learner, review))
    items = sorted(
        (_item(name, level, asked) for (name, level), asked in rows.items()), key=_hardest_first
    )
    return ItemReport(tuple(items), len(learners), len(known), num_repeated, num_different)


def _item(name: str, level: int, asked: Sequence[tuple[int, Review]]) -> Item:
    answered = [review for _, review in asked if review.answer]
    wrong = [review for review in answered if review.grade == "again"]
    mistakes = Counter(code for review in answered for code in dict.fromkeys(review.mistakes))
    return Item(
        name=name,
        level=level,
        num_learners=len({learner for learner, _ in asked}),
        num_answers=len(answered),
        num_right=len(answered) - len(wrong),
        num_hinted=sum(review.grade == "hard" for review in answered),
        num_given_up=len(asked) - len(answered),
        mistakes=tuple(sorted(mistakes.items(), key=lambda pair: (-pair[1], pair[0]))),
        num_unexplained=sum(not review.mistakes for review in wrong),
    )


def _hardest_first(item: Item) -> tuple[float, int, str, int]:
    share = item.share_right.estimate
    return (2.0 if share is None else share, -item.num_answers, item.name, item.level)


def items_text(report: ItemReport, titles: Mapping[str, str] = _TITLES) -> str:
    """Returns the report at 80 columns; codes that are hostile are made printable there."""
    if not report.items:
        return "There are no answers in these files."
    head = (
        f"{count_noun(report.num_reviews, 'answer')} of "
        f"{count_noun(report.num_learners, 'learner')}, the hardest exercises first. Right are "
        "first answers, over all variants; the interval (95%) takes answers as independent."
    )
    rows = [
        (
            item.name,
            str(item.level),
            str(item.num_learners),
            str(item.num_answers),
            percent(item.share_right.estimate),
            _span(item.share_right),
            str(item.num_hinted),
            str(item.num_given_up),
        )
        for item in report.items
    ]
    header = ("exercise", "level", "people", "answers", "right", "interval", "hinted", "gave up")
    parts = [wrap(head), columns_table(header, rows)]
    for item in report.items:
        lines = [
            wrap(
                f"{code}: {titles[code]}" if code in titles else code,
                indent="         ",
                first=f"{count:>7}  ",
            )
            for code, count in item.mistakes
        ]
        if item.num_unexplained:
            lines.append(f"{item.num_unexplained:>7}  wrong in a way that has no name")
        if lines:
            parts.append("\n".join((wrap(f"{item.name}, level {item.level}"), *lines)))
    return "\n\n".join(parts)


def _span(interval: Interval) -> str:
    if interval.low is None or interval.high is None:
        return ""
    return percent_span(interval.low, interval.high, joint="–")

"""Marks kept answers again: after an upgrade the marks must be the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from foveal.errors import UsageError
from foveal.learn.drills.from_network import PREFIX as OWN
from foveal.learn.exercise import Exercise
from foveal.learn.marking import mark
from foveal.learn.progress import Review
from foveal.learn.skills import find_exercise

# Beside the answer of an open question: which points of its checklist it has, as "yny".
CHECKED = "checked"


@dataclass(frozen=True, slots=True)
class Change:
    """An answer that is marked otherwise now.

    Attributes:
        review: As it was kept.
        was_right: As it was marked.
        is_right: As it is marked now.
        mistakes: That are found in it now.
    """

    review: Review
    was_right: bool
    is_right: bool
    mistakes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rechecked:
    """What marking again gave.

    Attributes:
        num_same: Answers with the same marks.
        changes: Answers with other marks.
        gone: Reviews of exercises that this version does not have.
        num_own: Reviews of drills of the learner's own networks, which are not kept here.
        num_unanswered: Reviews without an answer: the solution was looked at.
    """

    num_same: int
    changes: tuple[Change, ...]
    gone: tuple[Review, ...]
    num_unanswered: int
    num_own: int = 0

    def to_json(self) -> dict[str, Any]:
        """Returns the result as dictionaries, lists, strings and numbers."""
        return {
            "num_same": self.num_same,
            "num_unanswered": self.num_unanswered,
            "num_own": self.num_own,
            "changes": [
                {
                    **change.review.to_json(),
                    "was_right": change.was_right,
                    "is_right": change.is_right,
                    "mistakes_now": list(change.mistakes),
                }
                for change in self.changes
            ],
            "gone": [review.to_json() for review in self.gone],
        }


def recheck(reviews: Iterable[Review]) -> Rechecked:
    """Makes each exercise again, marks the kept answer, and compares."""
    num_same = num_unanswered = num_own = 0
    changes, gone = [], []
    for review in reviews:
        if not review.answer:
            num_unanswered += 1
            continue
        if review.template.startswith(OWN):
            num_own += 1
            continue
        try:
            exercise = find_exercise(review.template, seed=review.seed, level=review.level)
        except UsageError:
            gone.append(review)
            continue
        is_right, mistakes = mark_first_answer(exercise, review.answer)
        was_right = review.grade != "again"
        if (is_right, mistakes) == (was_right, review.mistakes):
            num_same += 1
        else:
            changes.append(Change(review, was_right, is_right, mistakes))
    return Rechecked(num_same, tuple(changes), tuple(gone), num_unanswered, num_own)


def mark_first_answer(
    exercise: Exercise, answer: Mapping[str, str]
) -> tuple[bool, tuple[str, ...]]:
    """Returns whether an answer is right, and the mistakes in it.

    An open question is right where every point of its checklist was ticked.
    """
    marked = mark(exercise, answer)
    is_right = marked.is_right
    for field in exercise.fields:
        if field.kind == "open":
            is_right = is_right and answer.get(CHECKED) == "y" * len(field.checklist)
    return is_right, marked.mistakes

"""When to practise what again: FSRS over the reviews of each skill.

The reviews are all there is: where a skill stands is computed from them each time, so two
machines that have merged their reviews agree, and nothing can be out of step. Time and chance
are arguments.

Ye, Su and Cao, "A Stochastic Shortest Path Algorithm for Optimizing Spaced Repetition
Scheduling" (KDD 2022, doi:10.1145/3534678.3539081); py-fsrs 6.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from foveal.learn.progress import Grade, Review

State = Literal["new", "weak", "due", "learning", "strong"]

AGAIN_AFTER = timedelta(minutes=10)
# Remembered with this chance a week from now: strong.
_STRONG_RECALL = 0.9
_STRONG_AHEAD = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a skill stands.

    Attributes:
        skill: Its name.
        reviews: How often it was answered.
        last_grade: Of the last answer.
        streak: Right answers in a row up to now, hinted ones not counted.
        due: When to practise it again.
        recall: The chance that it is remembered now.
        recall_ahead: The chance that it is remembered in a week.
    """

    skill: str
    reviews: int
    last_grade: Grade
    streak: int
    due: datetime
    recall: float
    recall_ahead: float

    def state(self, now: datetime) -> State:
        """Returns it in one word."""
        if self.last_grade == "again":
            return "weak"
        if self.due <= now:
            return "due"
        return "strong" if self.recall_ahead >= _STRONG_RECALL else "learning"


def grade_answer(*, is_right: bool, hinted: bool) -> Grade:
    """Returns the grade of a first answer: wrong again, hinted hard, right good."""
    if not is_right:
        return "again"
    return "hard" if hinted else "good"


def standings(reviews: Iterable[Review], *, now: datetime) -> dict[str, Standing]:
    """Returns where each skill stands that was answered at least once.

    A clock may have been wrong. A review from the future counts as given when its neighbour in
    order of keeping was, so that no skill waits for a date that was never meant.

    Args:
        reviews: In the order in which they were kept.
        now: In ``timezone.utc``.
    """
    from fsrs import Card, Rating, Scheduler

    scheduler = Scheduler(
        enable_fuzzing=False,
        learning_steps=(AGAIN_AFTER,),
        relearning_steps=(AGAIN_AFTER,),
    )
    ratings = {"again": Rating.Again, "hard": Rating.Hard, "good": Rating.Good}
    cards: dict[str, Card] = {}
    counts: dict[str, tuple[int, int, Grade]] = {}
    now = now.astimezone(UTC)
    for at, review in _timed(reviews, now):
        card = cards.get(review.skill) or Card(card_id=len(cards) + 1, due=at)
        cards[review.skill], _ = scheduler.review_card(
            card, ratings[review.grade], review_datetime=at
        )
        count, streak, _last = counts.get(review.skill, (0, 0, "good"))
        streak = streak + 1 if review.grade == "good" else 0
        counts[review.skill] = (count + 1, streak, review.grade)
    return {
        skill: Standing(
            skill=skill,
            reviews=counts[skill][0],
            streak=counts[skill][1],
            last_grade=counts[skill][2],
            due=card.due,
            recall=scheduler.get_card_retrievability(card, now),
            recall_ahead=scheduler.get_card_retrievability(card, now + _STRONG_AHEAD),
        )
        for skill, card in cards.items()
    }


def _timed(reviews: Iterable[Review], now: datetime) -> list[tuple[datetime, Review]]:
    """Returns the reviews with when they were given, oldest first."""
    kept = list(reviews)
    believable = [review.at_utc for review in kept if review.at_utc <= now]
    last = believable[0] if believable else now
    timed = []
    for review in kept:
        if review.at_utc <= now:
            last = review.at_utc
        timed.append((last.astimezone(UTC), review))
    return sorted(timed, key=lambda pair: pair[0])


def due_skills(
    found: Mapping[str, Standing], *, now: datetime, topics: Mapping[str, int]
) -> tuple[str, ...]:
    """Returns the skills to practise now, those most in danger first, topics interleaved.

    Two skills of one topic follow each other only where nothing else is left: switching is
    what makes one choose the method and not repeat it.

    Args:
        found: Where the skills stand.
        now: In ``timezone.utc``.
        topics: The topic of each skill; what is not in it is left out.
    """
    waiting = sorted(
        (each for each in found.values() if each.due <= now and each.skill in topics),
        key=lambda each: (each.recall, each.due, each.skill),
    )
    ordered: list[str] = []
    while waiting:
        last = topics[ordered[-1]] if ordered else None
        chosen = next((each for each in waiting if topics[each.skill] != last), waiting[0])
        waiting.remove(chosen)
        ordered.append(chosen.skill)
    return tuple(ordered)


def summary_state(states: Sequence[State]) -> State:
    """Returns the state of a topic from those of its skills: what calls for attention first."""
    for state in ("weak", "due"):
        if state in states:
            return state
    known = [state for state in states if state != "new"]
    if not known:
        return "new"
    return "strong" if all(state == "strong" for state in states) else "learning"


def level_for(standing: Standing | None) -> int:
    """Returns the level of the next variant: one more for each right answer in a row, up to 3."""
    return 1 if standing is None else min(3, 1 + standing.streak)


def fresh_seed(chance: random.Random) -> int:
    """Returns the seed of a new variant."""
    return chance.randrange(2**31)

"""Scheduling: due when FSRS says, interleaved, whatever the clock did."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from fsrs import Card, Rating, Scheduler
from hypothesis import given as given_any
from hypothesis import strategies as st

from foveal.learn.progress import Grade, Review
from foveal.learn.review import (
    due_skills,
    fresh_seed,
    grade_answer,
    level_for,
    standings,
    summary_state,
)

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def review(
    number: int, *, skill: str = "size", grade: Grade = "good", at: datetime = NOW
) -> Review:
    return Review(f"r{number}", skill, "t", number, 1, grade, grade == "hard", {}, (), at)


@pytest.mark.parametrize(
    ("is_right", "hinted", "grade"),
    [(False, False, "again"), (False, True, "again"), (True, True, "hard"), (True, False, "good")],
)
def test_wrong_is_again_hinted_is_hard_right_is_good(
    is_right: bool, hinted: bool, grade: Grade
) -> None:
    assert grade_answer(is_right=is_right, hinted=hinted) == grade


def test_a_right_answer_waits_days_and_a_wrong_one_minutes() -> None:
    found = standings([review(1), review(2, skill="field", grade="again")], now=NOW)
    assert found["size"].due - NOW >= DAY
    assert found["field"].due - NOW == timedelta(minutes=10)


def test_the_due_date_is_that_of_fsrs_without_fuzz() -> None:
    times = [NOW - 9 * DAY, NOW - 6 * DAY, NOW - DAY]
    grades: list[Grade] = ["good", "hard", "good"]
    scheduler = Scheduler(
        enable_fuzzing=False,
        learning_steps=[timedelta(minutes=10)],
        relearning_steps=[timedelta(minutes=10)],
    )
    card = Card(card_id=1, due=times[0])
    for at, rating in zip(times, (Rating.Good, Rating.Hard, Rating.Good), strict=True):
        card, _ = scheduler.review_card(card, rating, review_datetime=at)
    given = [review(i, grade=g, at=t) for i, (g, t) in enumerate(zip(grades, times, strict=True))]
    assert standings(given, now=NOW)["size"].due == card.due


def test_the_global_chance_and_the_clock_play_no_part() -> None:
    given = [review(i, at=NOW - (10 - i) * DAY) for i in range(5)]
    random.seed(1)
    first = standings(given, now=NOW)
    random.seed(2)
    assert standings(given, now=NOW) == first


def test_order_of_keeping_does_not_matter_where_times_differ() -> None:
    given = [
        review(i, grade=("good", "again", "hard")[i], at=NOW - (5 - i) * DAY) for i in range(3)
    ]
    assert standings(given, now=NOW) == standings(given[::-1], now=NOW)


def test_a_clock_that_was_ahead_leaves_no_skill_waiting_for_years() -> None:
    ahead = review(1, at=NOW + 2000 * DAY)
    then = [ahead, review(2, skill="field", at=NOW - DAY)]
    assert standings(then, now=NOW)["size"].due < NOW + 30 * DAY
    # Not pushed on each day either: half a year later it is due.
    assert standings(then, now=NOW + 180 * DAY)["size"].state(NOW + 180 * DAY) == "due"


def test_a_clock_that_goes_back_between_two_answers_is_survived() -> None:
    given = [review(1, at=NOW), review(2, grade="again", at=NOW - timedelta(hours=3))]
    found = standings(given, now=NOW - timedelta(hours=3))
    assert found["size"].reviews == 2
    assert found["size"].state(NOW - timedelta(hours=3)) == "weak"


def test_times_of_any_zone_are_taken_as_utc_itself() -> None:
    from datetime import timezone

    seoul = timezone(timedelta(hours=9))
    given = [review(1, at=(NOW - DAY).astimezone(seoul))]
    assert standings(given, now=NOW.astimezone(seoul)) == standings(
        [review(1, at=NOW - DAY)], now=NOW
    )


def test_states_in_words() -> None:
    given = [
        review(1, skill="weak", grade="again"),
        review(2, skill="due", at=NOW - 30 * DAY),
        review(3, skill="learning", at=NOW),
        *(review(10 + i, skill="strong", at=NOW - (60 - 20 * i) * DAY) for i in range(4)),
    ]
    found = standings(given, now=NOW)
    states = {skill: standing.state(NOW) for skill, standing in found.items()}
    assert states == {"weak": "weak", "due": "due", "learning": "learning", "strong": "strong"}


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([], "new"), (["new", "new"], "new"), (["strong", "weak"], "weak"),
        (["learning", "due"], "due"), (["strong", "strong"], "strong"),
        (["strong", "new"], "learning"),
    ],
)  # fmt: skip
def test_a_topic_is_what_calls_for_attention_first(states: list[str], expected: str) -> None:
    assert summary_state(states) == expected  # type: ignore[arg-type]


def test_due_skills_are_interleaved_by_topic() -> None:
    topics = {"a1": 1, "a2": 1, "a3": 1, "b1": 2, "b2": 2}
    given = [review(i, skill=skill, at=NOW - 40 * DAY) for i, skill in enumerate(topics)]
    order = [
        topics[skill] for skill in due_skills(standings(given, now=NOW), now=NOW, topics=topics)
    ]
    assert order == [1, 2, 1, 2, 1]


def test_what_is_not_due_or_not_known_is_left_out() -> None:
    given = [review(1, skill="kept", at=NOW - 40 * DAY), review(2, skill="fresh"),
             review(3, skill="of another version", at=NOW - 40 * DAY)]  # fmt: skip
    found = standings(given, now=NOW)
    assert due_skills(found, now=NOW, topics={"kept": 1, "fresh": 2}) == ("kept",)


def test_levels_rise_with_right_answers_in_a_row_and_fall_with_a_wrong_one() -> None:
    given = [review(i, at=NOW - (9 - i) * DAY) for i in range(4)]
    levels = [level_for(standings(given[:count], now=NOW).get("size")) for count in range(5)]
    assert levels == [1, 2, 3, 3, 3]
    wrong = [*given, review(9, grade="again")]
    assert level_for(standings(wrong, now=NOW)["size"]) == 1


def test_seeds_come_from_the_chance_that_is_given() -> None:
    assert fresh_seed(random.Random(5)) == fresh_seed(random.Random(5))


@given_any(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b"]),
            st.sampled_from(["again", "hard", "good"]),
            st.integers(-5000, 5000),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_whatever_the_clock_did_a_due_date_is_never_far_beyond_what_was_learned(
    rows: list[tuple[str, Grade, int]],
) -> None:
    given = [
        review(i, skill=skill, grade=grade, at=NOW + timedelta(hours=hours))
        for i, (skill, grade, hours) in enumerate(rows)
    ]
    for standing in standings(given, now=NOW).values():
        assert 0 <= standing.recall_ahead <= standing.recall <= 1
        if standing.last_grade == "again":
            assert standing.due <= NOW + timedelta(minutes=10)
        assert standing.reviews >= standing.streak

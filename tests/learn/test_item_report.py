from __future__ import annotations

from datetime import UTC, datetime

import pytest

from foveal.learn.item_report import items_text, report_items
from foveal.learn.progress import Grade, Review

AT = datetime(2026, 11, 28, tzinfo=UTC)


def review(
    identity: str,
    grade: Grade,
    *mistakes: str,
    name: str = "convolution-size",
    level: int = 1,
    answer: str = "63",
) -> Review:
    given = {"size": answer} if answer else {}
    return Review(identity, "output-size", name, 7, level, grade, False, given, mistakes, AT)


def test_difficulty_and_mistakes_over_two_learners() -> None:
    ada = [review("a1", "again", "no-floor"), review("a2", "good"), review("a3", "hard")]
    ben = [
        review("b1", "again", "no-floor"),
        review("b2", "again"),
        review("b3", "again", answer=""),
    ]
    (item,) = report_items([ada, ben]).items
    assert (item.num_learners, item.num_answers, item.num_given_up) == (2, 5, 1)
    assert (item.num_right, item.num_hinted, item.num_unexplained) == (2, 1, 1)
    assert item.mistakes == (("no-floor", 2),)
    # Wilson (1927) by hand for 2 of 5: (0.4 + 3.8415/10 ± 1.96·√(0.048 + 0.038415)) / 1.7683
    assert item.share_right.estimate == 0.4
    assert item.share_right.low == pytest.approx(0.1176, abs=2e-4)
    assert item.share_right.high == pytest.approx(0.7693, abs=2e-4)


def test_a_review_in_two_files_counts_once() -> None:
    shared = review("same", "again", "no-floor")
    report = report_items([[shared], [shared, review("other", "good")]])
    assert report.num_repeated == 1
    assert report.items[0].num_answers == 2


def test_another_review_with_a_known_id_is_said_and_not_counted() -> None:
    report = report_items([[review("x", "good")], [review("x", "again")]])
    assert (report.num_different, report.items[0].num_right) == (1, 1)


def test_the_hardest_come_first_and_levels_stand_apart() -> None:
    reviews = [
        review("1", "good"),
        review("2", "again", level=2),
        review("3", "again", name="quiz:2-1", answer=""),
        review("4", "good", name="field-growth"),
        review("5", "again", name="field-growth"),
    ]
    found = [(item.name, item.level) for item in report_items([reviews]).items]
    assert found == [
        ("convolution-size", 2),
        ("field-growth", 1),
        ("convolution-size", 1),
        ("quiz:2-1", 1),  # nobody answered: nothing is known
    ]


def test_the_text_names_mistakes_and_survives_hostile_ones() -> None:
    reviews = [
        review("1", "again", "padding-once"),
        review("2", "again", "\x1b[2J<b>", name="x" * 120),
        review("3", "again"),
    ]
    text = items_text(report_items([reviews]))
    assert "padding-once: the padding was added on one side only" in text
    assert "wrong in a way that has no name" in text
    assert "\x1b" not in text
    assert max(map(len, text.split("\n"))) <= 80


def test_without_answers_it_says_so() -> None:
    assert items_text(report_items([[]])) == "There are no answers in these files."

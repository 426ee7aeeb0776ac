"""Map, practice, review, test and quiz: what comes next, and that nothing is lost."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from foveal.errors import ProgressError, UsageError
from foveal.learn.answers import spell
from foveal.learn.exercise import Exercise
from foveal.learn.labs import LABS
from foveal.learn.quiz import find_question
from foveal.learn.rechecking import recheck
from foveal.learn.skills import all_skills, find_exercise, skills_of
from foveal.learn.store import Store
from foveal.learn.terminal import ladder
from foveal.learn.terminal.learner import Learner
from foveal.learn.terminal.map import next_step, show_map, topic_states, walk_map
from foveal.learn.terminal.practice import drilled_skills, practise, review_due, take_test
from foveal.learn.terminal.quiz_sitting import sit_quiz, unfinished
from foveal.learn.terminal.screen import LeftError
from foveal.learn.terminal.topic_page import show_topic
from foveal.learn.topics import TOPICS

from .conftest import Desk

OUTPUT_SIZE = next(skill for skill in all_skills() if skill.name == "output-size")


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> dict[str, bool]:
    """Answers every exercise rightly, or wrongly where ``wrong`` names its topic."""
    wrong: dict[str, bool] = {}
    asked: list[Exercise] = []

    def ask(screen, exercise, given, fields, *, help="all"):  # type: ignore[no-untyped-def]
        asked.append(exercise)
        for each in fields:
            value = repr(each.answer) if isinstance(each.answer, float) else spell(each.answer)
            given.answers[each.key] = value
        if wrong.pop(str(exercise.topic), False):
            first = exercise.fields[0]
            others = [m.value for m in first.mistakes] or [
                choice.key for choice in first.choices if choice.key != first.answer
            ]
            given.answers[first.key] = spell(others[0])

    monkeypatch.setattr(ladder, "ask_fields", ask)
    monkeypatch.setattr(Desk, "asked", asked, raising=False)
    return wrong


def test_from_the_map_to_a_corrected_mistake_in_five_keys(desk: Desk) -> None:
    learner = desk.learner("", "1×1×1", seed=3)
    with pytest.raises(LeftError):
        walk_map(learner)
    (review,) = learner.reviews()
    exercise = find_exercise(review.template, seed=review.seed, level=review.level)
    right = [spell(field.answer) for field in exercise.fields]
    again = Desk()
    learner = again.learner("", "1×1×1", *right, seed=3)
    with pytest.raises(LeftError):
        walk_map(learner)
    assert "Not yet." in again.flat
    assert "Now it is right." in again.flat


@pytest.mark.parametrize("is_plain", [False, True])
def test_the_map_names_every_topic_and_fits(desk: Desk, is_plain: bool) -> None:
    show_map(desk.learner(plain=is_plain))
    lines = desk.text.split("\n")
    assert max(map(len, lines)) <= 80
    assert all(topic.title in desk.flat for topic in TOPICS)
    if not is_plain:
        assert len(lines) <= 30


def test_the_map_tells_states_apart_without_colour(desk: Desk) -> None:
    learner = desk.learner("x", "q")
    question = find_question("quiz:24-1")
    learner.record(question, "again", hinted=False, answer={}, mistakes=())
    show_map(learner)
    assert "! 24 degradation" in desk.flat
    assert topic_states(learner)[24] == "weak"


def test_next_is_what_is_due_then_what_is_weak_then_what_is_new(desk: Desk) -> None:
    learner = desk.learner()
    assert next_step(learner).text == "begin with topic 2, output shape"
    question = find_question("quiz:24-1")
    learner.record(question, "again", hinted=False, answer={}, mistakes=())
    assert next_step(learner).text == "practise topic 24, degradation"
    desk.now += timedelta(minutes=11)
    assert next_step(learner).text == "review 1 skill that is due"


def test_the_map_takes_numbers_and_says_what_it_does_not_know(desk: Desk) -> None:
    with pytest.raises(LeftError):
        walk_map(desk.learner("99", "hello", "15", "b", "q"))
    assert "'99' is none of these" in desk.flat
    assert "'hello' is none of these" in desk.flat
    assert "15. receptive field" in desk.flat
    assert desk.flat.count("Learn: convolutional networks") == 4


def test_ctrl_c_in_a_topic_leaves_at_once(desk: Desk) -> None:
    with pytest.raises(LeftError) as stop:
        walk_map(desk.learner("15", KeyboardInterrupt, "never read"))
    assert stop.value.how == "interrupted"


def test_practice_gives_a_new_variant_each_time(desk: Desk, answering: dict[str, bool]) -> None:
    learner = desk.learner("", "", "", "q")
    with pytest.raises(LeftError):
        practise(learner, [OUTPUT_SIZE])
    reviews = learner.reviews()
    assert len({(review.template, review.seed) for review in reviews}) == len(reviews) == 4
    assert [review.level for review in reviews] == [1, 2, 3, 3]


def test_skills_alternate(desk: Desk, answering: dict[str, bool]) -> None:
    with pytest.raises(LeftError):
        practise(learner := desk.learner("", "", "", "q"), skills_of(4))
    skills = [review.skill for review in learner.reviews()]
    assert all(one != two for one, two in itertools.pairwise(skills))


def test_only_wrong_ends_when_nothing_wrong_is_left(desk: Desk, answering: dict[str, bool]) -> None:
    learner = desk.learner("", "")
    question = find_exercise("convolution-shape", seed=1, level=1)
    learner.record(question, "again", hinted=False, answer={}, mistakes=())
    practise(learner, drilled_skills(None), only_wrong=True)
    assert [review.skill for review in learner.reviews()] == ["output-size", "output-size"]
    assert "Nothing is left that you got wrong." in desk.flat


def test_only_wrong_with_nothing_wrong_says_so(desk: Desk) -> None:
    practise(desk.learner(), drilled_skills(2), only_wrong=True)
    assert "You got nothing wrong so far." in desk.flat


def test_a_test_says_nothing_until_its_end(desk: Desk, answering: dict[str, bool]) -> None:
    answering["2"] = True
    learner = desk.learner()
    take_test(learner, drilled_skills(2), length=4)
    assert "3 of 4 right." in desk.flat
    before = desk.flat.index("3 of 4 right.")
    assert "Not yet." not in desk.flat[:before]
    assert "Worked solution" in desk.flat[before:]
    assert len(learner.reviews()) == 4


def test_a_topic_without_drills_says_where_to_go() -> None:
    with pytest.raises(UsageError, match="foveal learn quiz 26 asks about it"):
        drilled_skills(26)
    with pytest.raises(UsageError, match="got topic 31"):
        drilled_skills(31)


def test_reviews_take_what_is_due_interleaved(desk: Desk, answering: dict[str, bool]) -> None:
    learner = desk.learner(*[""] * 9)
    for name in ("quiz:2-1", "quiz:4-1", "quiz:24-1"):
        learner.record(find_question(name), "good", hinted=False, answer={}, mistakes=())
    review_due(learner)
    assert "Nothing is due now. The next review is in" in desk.flat
    desk.now += timedelta(days=60)
    tried = review_due(learner)
    assert sorted(each.exercise.topic for each in tried) == [2, 4, 24]
    # The question met before is not the one that comes again.
    assert not {each.exercise.template for each in tried} & {"quiz:2-1", "quiz:4-1", "quiz:24-1"}
    assert "Review done: 3 of 3 right." in desk.flat


def test_the_quiz_asks_one_of_each_topic_and_says_where_to_go(
    desk: Desk, answering: dict[str, bool]
) -> None:
    answering.update({"15": True, "16": True})
    learner = desk.learner(*[""] * 60)
    sit_quiz(learner)
    topics = [review.skill for review in learner.reviews()]
    assert len(topics) == len(set(topics)) == 27
    assert "25 of 27 right at the first try." in desk.flat
    assert "15 foveal learn topic 15, foveal learn drill 15" in desk.flat
    assert "16 foveal learn topic 16" in desk.flat
    assert unfinished(learner) is None


def test_only_labs_that_are_there_are_recommended(desk: Desk) -> None:
    for topic in TOPICS:
        show_topic(desk.learner().screen, topic)
    named = set(re.findall(r"foveal lab ([\w-]+):", desk.text))
    assert named == {topic.lab for topic in TOPICS} & {name for name, _ in LABS}


def test_a_quiz_that_was_left_goes_on_where_it_was(
    tmp_path: Path, answering: dict[str, bool]
) -> None:
    file = tmp_path / "p.sqlite"
    first = Desk()
    with Store(file) as store, pytest.raises(LeftError):
        sit_quiz(first.learner("", "", "", KeyboardInterrupt, store=store))
    second = Desk()
    with Store(file) as store:
        learner = second.learner(*[""] * 60, store=store)
        assert unfinished(learner) == (4, 27)
        sit_quiz(learner)
        assert "5 of 27" in second.flat
        assert " 3 of 27 ·" not in second.flat
        assert len(store.reviews()) == 27


def test_leaving_after_a_wrong_answer_does_not_earn_a_second_first_try(desk: Desk) -> None:
    learner = desk.learner("a", "q")
    learner.keep_sitting("quiz-8", {"questions": ["quiz:8-1"], "results": {}})
    wrong = next(c.key for c in find_question("quiz:8-1").fields[0].choices if "share" in c.text)
    desk.lines = [wrong, "q"]
    with pytest.raises(LeftError):
        sit_quiz(learner, 8)
    sit_quiz(learner, 8)
    assert "0 of 1 right at the first try." in desk.flat


def test_a_quiz_of_one_topic_asks_all_its_questions(desk: Desk, answering: dict[str, bool]) -> None:
    learner = desk.learner(*[""] * 9)
    sit_quiz(learner, 14)
    assert "4 of 4 right at the first try." in desk.flat
    assert "foveal learn review" in desk.flat


def test_a_hostile_sitting_begins_anew(desk: Desk, answering: dict[str, bool]) -> None:
    learner = desk.learner(*[""] * 9)
    learner.keep_sitting("quiz-14", {"questions": ["quiz:99-1", 5], "results": {"x": []}})
    sit_quiz(learner, 14)
    assert "4 of 4" in desk.flat


def test_a_disk_that_fills_up_is_told_once_and_practice_goes_on(
    tmp_path: Path, desk: Desk, answering: dict[str, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "p.sqlite")
    learner = desk.learner("", "", "q", store=store)
    add = Store.add

    def full(self: Store, review: object) -> None:
        if self.file is not None:
            raise ProgressError("progress: p.sqlite cannot be written (disk is full).")
        add(self, review)  # type: ignore[arg-type]

    monkeypatch.setattr(Store, "add", full)
    with pytest.raises(LeftError):
        practise(learner, [OUTPUT_SIZE])
    assert desk.flat.count("answers are not kept") == 1
    assert len(learner.reviews()) == 3


def test_kept_answers_are_marked_the_same_again(desk: Desk, answering: dict[str, bool]) -> None:
    answering.update({"2": True, "15": True, "4": True})
    learner = desk.learner(*[""] * 60)
    sit_quiz(learner)
    take_test(learner, drilled_skills(None), length=30)
    result = recheck(learner.reviews())
    assert result.changes == ()
    assert result.num_same >= 50


def test_checking_again_finds_a_mark_that_moved(desk: Desk) -> None:
    learner = desk.learner()
    question = find_question("quiz:2-1")
    learner.record(question, "again", hinted=False, answer={"size": "75"}, mistakes=())
    learner.record(question, "again", hinted=False, answer={"size": "75.5"}, mistakes=("gone",))
    learner.record(question, "again", hinted=False, answer={}, mistakes=())
    result = recheck(learner.reviews())
    assert [(change.was_right, change.is_right) for change in result.changes] == [
        (False, True), (False, False),
    ]  # fmt: skip
    assert result.num_unanswered == 1


def test_answers_about_an_own_network_are_not_called_gone(desk: Desk) -> None:
    learner = desk.learner()
    own = replace(find_question("quiz:2-1"), template="own-shapes")
    learner.record(own, "good", hinted=False, answer={"size": "75"}, mistakes=())
    result = recheck(learner.reviews())
    assert result.num_own == 1
    assert result.gone == result.changes == ()
    assert result.to_json()["num_own"] == 1


def test_every_skill_has_a_topic_and_every_topic_a_skill() -> None:
    assert {skill.topic for skill in all_skills()} == {topic.number for topic in TOPICS}
    assert len({skill.name for skill in all_skills()}) == len(all_skills())


def test_learner_types_are_what_they_say(desk: Desk) -> None:
    assert isinstance(desk.learner(), Learner)


def test_a_test_that_is_left_marks_what_was_answered(desk: Desk) -> None:
    learner = desk.learner()
    exercise_lines = ["1", "1", "1", "1", "q"]
    desk.lines = list(exercise_lines)
    with pytest.raises(LeftError):
        take_test(learner, drilled_skills(23), length=9)
    answered = len(learner.reviews())
    assert answered >= 1
    assert f"of {answered} right." in desk.flat


def test_a_database_that_breaks_under_way_is_told_and_practice_goes_on(
    tmp_path: Path, desk: Desk, answering: dict[str, bool]
) -> None:
    store = Store(tmp_path / "p.sqlite")
    learner = desk.learner("", "", "q", store=store)
    store.close()
    with pytest.raises(LeftError):
        sit_quiz(learner, 8)
    assert desk.flat.count("answers are not kept") == 1
    assert len(learner.reviews()) >= 1


@pytest.mark.parametrize("columns", [48, 60])
def test_a_narrow_window_breaks_no_words(desk: Desk, columns: int) -> None:
    learner = desk.learner("h", "w", "m", "", "q", columns=columns)
    show_map(learner)
    for topic in TOPICS:
        show_topic(learner.screen, topic)
    with pytest.raises(LeftError):
        practise(learner, [OUTPUT_SIZE])
    # Code and tables of figures are not broken where Python or the reader could not go on.
    prose = [line for line in desk.text.split("\n") if not line.startswith("    ")]
    assert [line for line in prose if len(line) > columns and ">" not in line] == []

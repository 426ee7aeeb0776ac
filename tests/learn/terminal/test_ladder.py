"""The ladder: hint, where it first goes wrong, solution, proof; the first answer counts."""

from __future__ import annotations

import ast

import pytest

from foveal.learn.answers import spell
from foveal.learn.drills import TEMPLATES, template
from foveal.learn.drills.template import Template
from foveal.learn.exercise import Exercise, Field
from foveal.learn.quiz import QUESTIONS, find_question
from foveal.learn.terminal.ladder import after, show_proof, show_solution, try_exercise
from foveal.learn.terminal.markup import render
from foveal.learn.terminal.prompts import Asked, SkippedError, ask_fields
from foveal.learn.terminal.screen import LeftError

from .conftest import Desk, right_lines

SHAPE = find_question("quiz:2-1")


def test_right_at_once_is_good(desk: Desk) -> None:
    learner = desk.learner("73")
    assert spell(SHAPE.fields[0].answer) == "75"
    learner = desk.learner("75")
    assert try_exercise(learner, SHAPE).grade == "good"
    (review,) = learner.reviews()
    assert (review.grade, review.answer, review.template) == ("good", {"size": "75"}, "quiz:2-1")
    assert "Right." in desk.flat


def test_a_hint_makes_it_hard(desk: Desk) -> None:
    assert try_exercise(desk.learner("h", "75"), SHAPE).grade == "hard"
    assert SHAPE.hint.split()[0] in desk.flat


def test_a_mistake_is_named_and_can_be_corrected(desk: Desk) -> None:
    learner = desk.learner("75.5", "75")
    assert try_exercise(learner, SHAPE).grade == "again"
    (review,) = learner.reviews()
    assert (review.answer, review.mistakes) == ({"size": "75.5"}, ("no-floor",))
    assert "There is no half position" in desk.flat
    assert "Now it is right." in desk.flat


def test_what_cannot_be_read_is_no_answer(desk: Desk) -> None:
    learner = desk.learner("about seventy", "", "75")
    assert try_exercise(learner, SHAPE).grade == "good"
    assert "'about seventy' is no number" in desk.flat
    assert "Expected: a whole number" in desk.flat


def test_giving_up_counts_as_wrong_and_shows_the_way(desk: Desk) -> None:
    learner = desk.learner("w")
    assert try_exercise(learner, SHAPE).grade == "again"
    assert learner.reviews()[0].answer == {}
    assert "floor(149/2) = 74" in desk.flat


def test_skipping_keeps_nothing(desk: Desk) -> None:
    learner = desk.learner("s")
    with pytest.raises(SkippedError):
        try_exercise(learner, SHAPE)
    assert learner.reviews() == ()


@pytest.mark.parametrize("leave", ["q", KeyboardInterrupt, None])
def test_leaving_after_a_wrong_answer_has_kept_it(
    desk: Desk, leave: str | type[KeyboardInterrupt] | None
) -> None:
    learner = desk.learner("74", *([leave] if leave else []))
    with pytest.raises(LeftError) as stop:
        try_exercise(learner, SHAPE)
    assert stop.value.how == ("interrupted" if leave is KeyboardInterrupt else "asked")
    assert [review.grade for review in learner.reviews()] == ["again"]


def test_the_first_wrong_blank_is_named_and_only_the_rest_is_asked_again(desk: Desk) -> None:
    question = find_question("quiz:19-1")
    learner = desk.learner("16×14×14", "32×10×10", "3200", "32×5×5", "800")
    try_exercise(learner, question)
    assert "It first goes wrong at After the second pooling. Up to there it is right." in desk.flat
    assert "What comes after it follows rightly from your own value." in desk.flat
    assert desk.flat.count("After the first pooling:") == 1
    assert learner.reviews()[0].answer["second"] == "32×10×10"


def test_an_open_question_is_marked_by_its_checklist(desk: Desk) -> None:
    question = find_question("quiz:24-3")
    learner = desk.learner("the identity is easy", "y", "maybe", "n", "y")
    assert try_exercise(learner, question).grade == "again"
    review = learner.reviews()[0]
    assert review.answer == {"answer": "the identity is easy", "checked": "yny"}
    assert "Type y or n." in desk.flat


def test_orders_and_matches_say_how_far_one_is(desk: Desk) -> None:
    question = find_question("quiz:14-1")
    answer = list(question.fields[0].answer)  # type: ignore[arg-type]
    swapped = " ".join([answer[0], answer[2], answer[1], *answer[3:]])
    try_exercise(desk.learner(swapped, " ".join(map(str, answer))), question)
    assert "4 of 6 are in their places" in desk.flat
    assert "cannot be number 2" in desk.flat


def test_a_wrong_true_or_false_is_explained_and_not_asked_again(desk: Desk) -> None:
    question = find_question("quiz:24-2")
    learner = desk.learner("true")
    assert try_exercise(learner, question).grade == "again"
    assert "gradient descent does not find it" in desk.flat
    assert "It is about optimisation" in desk.flat


def test_the_page_of_the_topic_is_one_key_away(desk: Desk) -> None:
    try_exercise(desk.learner("r", "?", "75"), SHAPE)
    assert "What people get wrong" in desk.flat
    assert "the worked solution" in desk.flat


def test_a_wrong_number_of_sizes_is_told(desk: Desk) -> None:
    try_exercise(desk.learner("9", "512×1×1"), find_question("quiz:18-1"))
    assert "A shape here has 3 sizes; yours has 1." in desk.flat


def test_after_an_answer_there_is_a_solution_and_a_variant(desk: Desk) -> None:
    assert after(desk.learner("w", "m", "x", "v"), SHAPE, again=True) == "v"
    assert "Worked solution" in desk.flat
    assert "foveal learn drill 2" in desk.flat
    assert "'x' is none of these." in desk.flat


def test_the_proof_runs(desk: Desk) -> None:
    show_proof(desk.learner().screen, SHAPE)
    assert desk.said[-1].strip() == "75"


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda q: q.template)
def test_every_question_can_be_answered_at_the_terminal(desk: Desk, question: Exercise) -> None:
    ticks = ["y"] * sum(len(field.checklist) for field in question.fields)
    learner = desk.learner(*right_lines(question), *ticks)
    assert try_exercise(learner, question).grade == "good"
    show_solution(learner.screen, question)
    assert_fits(desk)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda t: t.name)
@pytest.mark.parametrize("is_plain", [False, True])
def test_every_drill_can_be_answered_at_the_terminal(
    desk: Desk, template: Template, is_plain: bool
) -> None:
    for seed in range(4):
        exercise = template.exercise(seed, 1 + seed % 3)
        learner = desk.learner(*right_lines(exercise), plain=is_plain)
        assert try_exercise(learner, exercise).grade == "good"
        show_solution(learner.screen, exercise)
    assert_fits(desk)


def test_code_is_broken_where_python_goes_on_reading() -> None:
    call = "up = nn.ConvTranspose2d(8, 8, kernel_size=5, stride=3, padding=1, output_padding=1)"
    shown = render(f"```\n{call}\n```").split("\n")
    assert max(map(len, shown)) <= 80
    assert ast.dump(ast.parse("\n".join(line[4:] for line in shown))) == ast.dump(ast.parse(call))


def test_stress_is_not_taken_for_multiplication() -> None:
    assert render("In *evaluation*, 2*a*b and `c*d*e` stay.") == (
        "In evaluation, 2*a*b and c*d*e stay."
    )


def assert_fits(desk: Desk) -> None:
    lines = [line for text in desk.said for line in text.split("\n")]
    # A prompt is followed by what is typed.
    laid_out = [line for line in lines if line.startswith("    ") or ": " not in line]
    assert [line for line in laid_out if len(line) > 80] == []
    assert not any("`" in line or "**" in line for line in laid_out)


@pytest.mark.parametrize(
    ("label", "unit", "asked"),
    [
        ("`conv.weight.shape`", "", "conv.weight.shape: "),
        ("kernel_size", "", "kernel_size: "),
        ("y[0][1]", "", "y[0][1]: "),
        ("span of `conv`", "positions", "Span of conv (positions): "),
        ("how many times fewer", "times", "How many times fewer: "),
        ("layers", "layers", "Layers: "),
    ],
)
def test_the_prompt_keeps_names_and_says_a_unit_once(
    desk: Desk, label: str, unit: str, asked: str
) -> None:
    exercise = template("convolution-shape").exercise(0, 1)
    learner = desk.learner("5")
    field = Field("a", label, "integer", 5, unit=unit)
    ask_fields(learner.screen, exercise, Asked(), (field,))
    assert desk.said == [f"{asked}5"]


def test_a_shape_typed_for_a_count_is_asked_again_and_no_wrong_answer(desk: Desk) -> None:
    question = find_question("quiz:4-1")
    learner = desk.learner("64x32x5x5", "51264")
    assert try_exercise(learner, question).grade == "good"
    assert "looks like a shape" in desk.flat

"""The quiz: enough for every topic, every wrong way answered, every figure computed."""

from __future__ import annotations

import ast
import contextlib
import io
import re
from collections import Counter
from pathlib import Path

import pytest

import foveal.learn.quiz
import foveal.learn.topics
from foveal.learn.answers import Unreadable, equal, read, spell
from foveal.learn.exercise import Exercise, Field, Value, from_json, to_json
from foveal.learn.marking import mark
from foveal.learn.quiz import QUESTIONS, find_question, questions_of

NAMES = [question.template for question in QUESTIONS]
COMPUTED = [question for question in QUESTIONS if question.proof]


def written(value: Value) -> str:
    return repr(value) if isinstance(value, float) else spell(value)


def run(proof: str) -> list[str]:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(proof, "proof", "exec"), {})
    return printed.getvalue().splitlines()


@pytest.mark.parametrize("topic", range(1, 28))
def test_every_topic_has_two_questions_or_more(topic: int) -> None:
    assert len(questions_of(topic)) >= 2


def test_names_are_unique() -> None:
    assert len(set(NAMES)) == len(NAMES)


def test_all_six_kinds_are_there() -> None:
    kinds = {field.kind for question in QUESTIONS for field in question.fields}
    assert kinds >= {"choice", "boolean", "integer", "number", "shape", "order", "match", "open"}


@pytest.mark.parametrize("question", COMPUTED, ids=lambda q: q.template)
def test_pytorch_prints_the_answers(question: Exercise) -> None:
    lines = run(question.proof)
    assert len(lines) == len(question.fields)
    for field, line in zip(question.fields, lines, strict=True):
        given = read(field, line)
        assert not isinstance(given, Unreadable)
        assert equal(field, given, field.answer), (line, field.answer)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda q: q.template)
def test_numbers_come_with_a_proof(question: Exercise) -> None:
    is_computed = any(field.kind in ("integer", "number", "shape") for field in question.fields)
    assert bool(question.proof) == is_computed


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda q: q.template)
def test_the_right_answer_is_marked_right(question: Exercise) -> None:
    answers = {field.key: spell(field.answer) for field in question.fields}
    assert mark(question, answers).is_right


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda q: q.template)
def test_every_wrong_way_is_answered_by_a_word_of_its_own(question: Exercise) -> None:
    for field in question.fields:
        told = [choice.feedback for choice in field.choices if field.kind != "match"]
        told += [mistake.feedback for mistake in field.mistakes]
        assert all(len(text) > 12 for text in told)
        if field.kind in ("choice", "order"):
            assert len(set(told)) == len(told)
        if field.kind == "choice":
            assert len(field.choices) >= 3
        if field.kind == "boolean":
            assert [mistake.value for mistake in field.mistakes] == [not field.answer]
        if field.kind in ("order", "match"):
            assert isinstance(field.answer, tuple)
            assert len(question.steps) == len(field.answer)
        if field.kind == "open":
            assert len(field.checklist) >= 2


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda q: q.template)
def test_a_mistake_is_never_the_answer_or_another_mistake(question: Exercise) -> None:
    for field in question.fields:
        seen = [field.answer]
        for mistake in field.mistakes:
            assert not any(equal(field, mistake.value, value) for value in seen), mistake
            seen.append(mistake.value)
        texts = [choice.text for choice in field.choices]
        assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda q: q.template)
def test_a_known_mistake_is_met_with_its_own_words(question: Exercise) -> None:
    right = {field.key: spell(field.answer) for field in question.fields}
    for field in question.fields:
        for mistake in field.mistakes:
            marked = mark(question, {**right, field.key: written(mistake.value)})
            first = marked.first_wrong
            assert first is not None
            assert first.message == mistake.feedback
        if field.kind == "choice":
            for choice in field.choices:
                if choice.key != field.answer:
                    first = mark(question, choice.key).first_wrong
                    assert first is not None
                    assert first.message == choice.feedback


def test_later_blanks_follow_from_the_own_earlier_value() -> None:
    question = find_question("quiz:19-1")
    given = {"first": "16×16×16", "second": "32×6×6", "flat": "1152"}
    verdicts = [field.verdict for field in mark(question, given).fields]
    assert verdicts == ["mistake", "follows", "follows"]


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda q: q.template)
def test_a_question_survives_json(question: Exercise) -> None:
    assert from_json(to_json(question)) == question


def test_no_place_of_the_right_choice_is_a_habit() -> None:
    fields: list[Field] = [field for q in QUESTIONS for field in q.fields if field.kind == "choice"]
    counts = Counter(field.answer for field in fields)
    assert all(count <= len(fields) / 2 for count in counts.values())
    longest = sum(
        max(field.choices, key=lambda c: len(c.text)).key == field.answer for field in fields
    )
    # Somebody who always takes the longest text must not pass.
    assert longest <= 0.4 * len(fields)


def test_no_order_or_match_is_the_alphabet() -> None:
    for question in QUESTIONS:
        for field in question.fields:
            if field.kind in ("order", "match"):
                assert isinstance(field.answer, tuple)
                letters = [str(each) for each in field.answer]
                assert letters not in (sorted(letters), sorted(letters, reverse=True)), question


# A figure that is typed cannot be wrong by computation. So prose holds none: what has digits
# is computed, or comes from a variable that the computation uses too. Names are names.
_NAMES_WITH_DIGITS = re.compile(
    r"ResNet-\d+|VGG-16|CIFAR-10|Conv2d\(3, (?:8, )?|Conv[12]d|conv[12]d|BatchNorm1d|"
    r"AvgPool2d\([12]\)|MaxPool2d\(2\)|[1357]×[1357]\b|2×2|1×C|0…1|[CN]×1×1|3×$|dim=[01]|"
    r"\b[SBTW]\d{3}\b|k²|3·9·C²|27C²|49C²|9C²|9c²|arXiv:[\d.]+|\b1e-[235]\b|^, 3, groups|"
    r"\b3-wide|\bk = 3\b|three-3x3|→?10$|mean 0\.5, std 0\.5| − 0\.5\) / 0\.5|"
    r"\b0\.5 and 0\.5|95% confidence|a flipped 6 is no 6|Three times 3 is a field of 9"
)
# Paragraphs about measured or published cases, whose figures are given and not results.
_GIVEN = re.compile(
    r"\b(?:85|60|97|81)%|\b500\b|\b300 photos|200,000 satellite|400 electron|\b180 patients|"
    r"56 layers|one with 20|34 layers|from 50 on|80/20|224 pixels|at 224|10–20 epochs|"
    r"90%, done|100 test images|\(0\.485, 0\.456, 0\.406\)|\(0\.229, 0\.224, 0\.225\)|"
    r"1, 2, 5"
)


def _prose(package: object) -> list[tuple[str, int, str]]:
    folder = Path(str(package.__file__)).parent  # type: ignore[attr-defined]
    found = []
    for file in sorted(folder.glob("*.py")):
        if file.stem in ("by_hand", "known_networks", "building", "topic", "__init__"):
            continue
        tree = ast.parse(file.read_text("utf-8"))
        docstrings = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.FunctionDef) and isinstance(node.body[0], ast.Expr)
        }
        formats = {
            id(part)
            for node in ast.walk(tree)
            if isinstance(node, ast.FormattedValue) and node.format_spec is not None
            for part in ast.walk(node.format_spec)
        }
        proofs = {
            id(part)
            for node in ast.walk(tree)
            if isinstance(node, ast.keyword) and node.arg in ("proof", "paper", "rules")
            for part in ast.walk(node.value)
        }
        calls = {
            id(argument)
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and node.args
            for argument in node.args[:1]
            if isinstance(argument, ast.Constant)
        }
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
                continue
            if id(node) in docstrings | formats | proofs:
                continue
            if id(node) in calls and re.fullmatch(r"\d+-\d", node.value):
                continue
            found.append((file.name, node.lineno, node.value))
    return found


@pytest.mark.parametrize("package", [foveal.learn.quiz, foveal.learn.topics])
def test_no_figure_is_typed_only(package: object) -> None:
    typed = []
    for name, line, text in _prose(package):
        rest = _GIVEN.sub("", _NAMES_WITH_DIGITS.sub("", text))
        # 0, 1 and 2 are counts and positions of formulas: "+1", "2p", "times 2".
        figures = [found for found in re.findall(r"\d[\d.,]*\d|\d", rest) if found not in "012"]
        typed += [(name, line, figures, text)] if figures else []
    assert typed == []


def test_a_question_that_is_not_there_is_named() -> None:
    with pytest.raises(foveal.learn.quiz.UsageError, match="quiz:99-9"):
        find_question("quiz:99-9")

"""A small reader of Moodle XML that marks as Moodle does (question/type/*/question.php)."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from foveal.learn.exercise import Exercise, Field
from foveal.learn.exports.moodle import moodle_xml
from foveal.learn.exports.questions import ask_each_blank


def content(node: ET.Element, path: str) -> str:
    return node.findtext(path) or ""


def marked_by_moodle(node: ET.Element, case: Any) -> tuple[bool, str]:
    """Returns whether an answer gets all points, and the feedback."""
    kind = node.get("type")
    if kind == "matching":
        pairs = [
            (content(pair, "text"), content(pair, "answer/text"))
            for pair in node.findall("subquestion")
        ]
        wanted = [right for left, right in pairs if left]
        texts = {choice.key: choice.text for choice in case.question.field.choices}
        return wanted == [texts[key].replace("'", "&#x27;") for key in case.value], ""
    answers = node.findall("answer")
    if kind == "multichoice":
        keys = [choice.key for choice in case.question.field.choices]
        found = answers[keys.index(case.value)]
    elif kind == "truefalse":
        found = next(each for each in answers if content(each, "text") == case.typed)
    else:
        fits = fits_number if kind == "numerical" else fits_text
        found = next(each for each in answers if fits(each, case.typed))
    return found.get("fraction") == "100", content(found, "feedback/text")


def fits_number(answer: ET.Element, given: str) -> bool:
    text = content(answer, "text")
    if text == "*":
        return True
    reach = float(content(answer, "tolerance")) + 1e-14 * max(1, abs(float(text)))
    return abs(float(given) - float(text)) <= reach


def fits_text(answer: ET.Element, given: str) -> bool:
    parts = re.split(r"(?<!\\)\*+", content(answer, "text"))
    pattern = ".*".join(re.escape(part.replace(r"\*", "*")) for part in parts)
    return re.fullmatch(pattern, given.strip(), re.IGNORECASE) is not None


@pytest.fixture(scope="module")
def bank(questions: Any) -> dict[str, ET.Element]:
    quiz = ET.fromstring(moodle_xml(questions))
    return {content(node, "idnumber"): node for node in quiz.findall("question")}


def test_an_answer_is_marked_there_as_it_is_here(bank: dict[str, ET.Element], cases: Any) -> None:
    for case in cases:
        is_right, told = marked_by_moodle(bank[f"foveal-{case.question.identity}"], case)
        assert is_right == case.is_right, case.where
        assert case.is_told(told), case.where


def test_other_spellings_of_a_shape_are_right_and_wrong_ones_say_how_to_write_it(
    bank: dict[str, ET.Element],
) -> None:
    question = ask_each_blank([shape_exercise()]).questions[0]
    quiz = ET.fromstring(moodle_xml([question]))
    answers = quiz.findall("question[@type='shortanswer']/answer")
    for way in ("64x28x28", "64×28×28", "(64, 28, 28)", "1X64X28X28", "64*28*28", "64, 28, 28"):
        found = next(each for each in answers if fits_text(each, way))
        assert found.get("fraction") == "100", way
    for way in ("64x28x280", "164x28x28", "64 28"):
        found = next(each for each in answers if fits_text(each, way))
        assert found.get("fraction") == "0", way
        assert "Write the sizes like 3x32x48" in content(found, "feedback/text")


def test_counts_have_no_tolerance(bank: dict[str, ET.Element], cases: Any) -> None:
    integers = {case.question for case in cases if case.question.field.kind == "integer"}
    assert len(integers) > 40
    for question in integers:
        node = bank[f"foveal-{question.identity}"]
        right = [each for each in node.findall("answer") if each.get("fraction") == "100"]
        assert [content(each, "tolerance") for each in right] == ["0.0"] * len(right)


def test_every_question_has_a_name_a_solution_and_an_identity_of_its_own(
    bank: dict[str, ET.Element], questions: Any
) -> None:
    assert len(bank) == len(questions) + 1  # categories have none
    for identity, node in bank.items():
        if identity:
            assert content(node, "name/text")
            assert content(node, "generalfeedback/text")


def test_hostile_names_stay_text(hostile: Exercise) -> None:
    node = ET.fromstring(moodle_xml(ask_each_blank([hostile]).questions))[1]
    shown = content(node, "questiontext/text")
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown
    assert "\\x00" in shown
    assert "<script>" not in content(node, "answer/feedback/text")


def shape_exercise() -> Exercise:
    field = Field("s", "Shape", "shape", (64, 28, 28))
    return Exercise("made", 0, 1, 2, "sizes", "Which shape?", (field,), (), "")

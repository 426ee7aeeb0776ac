"""A small reader of GIFT that reads and marks as Moodle does (question/format/gift/format.php)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pytest

from foveal.learn.exercise import Exercise
from foveal.learn.exports.gift import gift
from foveal.learn.exports.questions import Question, ask_each_blank

SIGNS = ":#={}~"


@dataclass
class Read:
    name: str
    text: str
    kind: str
    answers: list[tuple[str, float, str]]  # text, fraction, feedback
    general: str


def hidden(text: str) -> str:
    """Replaces escaped signs by placeholders, as Moodle does before it splits."""
    text = text.replace("\\\\", "\x01")
    for index, sign in enumerate(SIGNS):
        text = text.replace(f"\\{sign}", chr(0xE000 + index))
    return text.replace("\\n", "\ue010").replace("\x01", "\\")


def shown(text: str) -> str:
    for index, sign in enumerate(SIGNS):
        text = text.replace(chr(0xE000 + index), sign)
    return text.replace("\ue010", "\n").strip().removeprefix("[html]")


def read_gift(source: str) -> dict[str, Read]:
    found = {}
    for block in re.split(r"\n\s*\n", source):
        if block.startswith("$CATEGORY:"):
            continue
        text = hidden(block.strip())
        assert text.startswith("::")
        name, _, rest = text[2:].partition("::")
        begin, end = rest.index("{"), rest.index("}")
        assert rest[end + 1 :].strip() == ""
        inner, _, general = rest[begin + 1 : end].strip().partition("####")
        kind, answers = read_answers(inner.strip())
        one = Read(shown(name), shown(rest[:begin]), kind, answers, shown(general))
        assert one.name not in found
        found[one.name] = one
    return found


def read_answers(inner: str) -> tuple[str, list[tuple[str, float, str]]]:
    if not inner:
        return "essay", []
    if inner.startswith("#"):
        right, _, wrong = inner[1:].partition("~")
        answers = [weighed(part) for part in right.split("=")[1:]]
        return "numerical", [*answers, ("*", 0, shown(wrong.partition("#")[2]))]
    if "~" in inner:
        parts = re.findall(r"([=~])([^=~]*)", inner)
        return "multichoice", [
            (shown(part.partition("#")[0]), float(sign == "="), shown(part.partition("#")[2]))
            for sign, part in parts
        ]
    if "=" in inner and "->" in inner:
        pairs = (part.partition("->") for part in inner.split("=")[1:])
        return "match", [(shown(left), 1, shown(right)) for left, _, right in pairs]
    word, *told = inner.split("#", 2)
    if word.strip() in ("TRUE", "FALSE"):
        is_true = word.strip() == "TRUE"
        wrong, right = map(shown, told)
        return "truefalse", [
            ("true", float(is_true), right if is_true else wrong),
            ("false", float(not is_true), wrong if is_true else right),
        ]
    return "shortanswer", [weighed(part) for part in inner.split("=")[1:]]


def weighed(part: str) -> tuple[str, float, str]:
    weight = re.match(r"%-*([0-9]{1,2})\.?([0-9]*)%", part.strip())
    assert weight is not None
    fraction = float(weight.group().strip("%")) / 100
    answer, _, feedback = part.strip()[weight.end() :].partition("#")
    return shown(answer), fraction, shown(feedback)


def marked_by_gift(read: Read, case: Any) -> tuple[bool, str]:
    choices = case.question.field.choices
    if read.kind == "match":
        texts = {choice.key: choice.text.replace("'", "&#x27;") for choice in choices}
        wanted = [right for left, _, right in read.answers if left]
        return wanted == [texts[key] for key in case.value], ""
    if read.kind == "multichoice":
        answer = read.answers[[choice.key for choice in choices].index(case.value)]
    elif read.kind == "numerical":
        answer = next(each for each in read.answers if fits_number(each[0], float(case.typed)))
    else:
        answer = next(each for each in read.answers if fits_text(each[0], case.typed))
    return answer[1] == 1, answer[2]


def fits_number(pattern: str, given: float) -> bool:
    if pattern == "*":
        return True
    value, _, tolerance = pattern.partition(":")
    reach = float(tolerance) + 1e-14 * max(1, abs(float(value)))
    return abs(given - float(value)) <= reach


def fits_text(pattern: str, given: str) -> bool:
    parts = re.split(r"(?<!\\)\*+", pattern)
    pattern = ".*".join(re.escape(part.replace(r"\*", "*")) for part in parts)
    return re.fullmatch(pattern, given, re.IGNORECASE) is not None


@pytest.fixture(scope="module")
def bank(questions: tuple[Question, ...]) -> dict[str, Read]:
    return read_gift(gift(questions))


def test_an_answer_is_marked_there_as_it_is_here(bank: dict[str, Read], cases: Any) -> None:
    for case in cases:
        is_right, told = marked_by_gift(bank[case.question.name], case)
        assert is_right == case.is_right, case.where
        assert case.is_told(told), case.where


def test_the_text_comes_back_whole(bank: dict[str, Read], questions: tuple[Question, ...]) -> None:
    assert len(bank) == len(questions)
    for question in questions:
        read = bank[question.name]
        assert read.text.startswith(question.question_html)
        if question.field.kind != "open":
            assert read.general == question.solution_html


def test_hostile_names_stay_text(hostile: Exercise) -> None:
    asked = ask_each_blank([hostile]).questions
    read = read_gift(gift(asked))
    assert len(read) == 2
    number = read[asked[0].name]
    assert number.text.startswith(asked[0].question_html)
    assert "<script>" not in number.text
    assert "# : \\ \\x00 \\u202e" in number.text
    assert [answer for answer, _, _ in number.answers] == ["2:0.0", "3:0.0", "*"]
    assert len(read[asked[1].name].answers) == 2

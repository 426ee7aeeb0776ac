"""Moodle XML: https://docs.moodle.org/en/Moodle_XML_format.

Blanks for numbers are ``numerical`` (the first answer whose tolerance fits decides), shapes and
orders ``shortanswer``, and the rest ``multichoice``, ``truefalse``, ``matching`` and ``essay``.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from xml.etree import ElementTree as ET

from foveal.learn.answers import spell
from foveal.learn.exports.questions import Question, by_topic
from foveal.learn.exports.rules import Rule, how_to_write
from foveal.learn.markup import choices_html, inline_html, model_answer_html, plain_text, to_html
from foveal.learn.topics import find_topic
from foveal.text import printable


def moodle_xml(questions: Sequence[Question]) -> bytes:
    """Returns the questions as an XML file that Moodle imports, a category for each topic."""
    quiz = ET.Element("quiz")
    for number, asked in by_topic(questions).items():
        category = ET.SubElement(quiz, "question", type="category")
        title = find_topic(number).title.replace("/", "//")  # one slash begins a subcategory
        _text(category, "category", f"$course$/top/Foveal/{number} {title}")
        for question in asked:
            quiz.append(_question(question))
    ET.indent(quiz)
    content: bytes = ET.tostring(quiz, encoding="utf-8", xml_declaration=True)
    return content + b"\n"


def _question(question: Question) -> ET.Element:
    field = question.field
    if question.is_matching:
        return _matching(question)
    match field.kind:
        case "integer" | "number":
            node = _frame(question, "numerical", asked=how_to_write(field))
            for rule in question.rules:
                answer = _answer(node, rule, _number(rule.value))
                ET.SubElement(answer, "tolerance").text = _number(rule.tolerance)
            _fallback(node, "This is not right.")
            ET.SubElement(node, "unitgradingtype").text = "0"
            ET.SubElement(node, "showunits").text = "3"
        case "boolean":
            node = _frame(question, "truefalse")
            for rule in question.rules:
                _answer(node, rule, spell(rule.value))
        case "choice":
            node = _frame(question, "multichoice")
            ET.SubElement(node, "single").text = "true"
            ET.SubElement(node, "shuffleanswers").text = "false"
            ET.SubElement(node, "answernumbering").text = "abc"
            texts = {choice.key: choice.text for choice in field.choices}
            by_key = {rule.value: rule for rule in question.rules}
            for key, text in texts.items():
                _answer(node, by_key[key], inline_html(text), is_html=True)
        case "open":
            node = _essay(question)
        case _:
            shown = choices_html(field)
            node = _frame(question, "shortanswer", asked=how_to_write(field), shown=shown)
            ET.SubElement(node, "usecase").text = "0"
            for rule in question.rules:
                for way in rule.spellings:
                    _answer(node, rule, way.replace("*", "\\*"))
            _fallback(node, f"This is not right, or not written so. {how_to_write(field)}")
    return node


def _frame(question: Question, kind: str, *, asked: str = "", shown: str = "") -> ET.Element:
    node = ET.Element("question", type=kind)
    _text(node, "name", question.name)
    told = f"<p>{escape(asked)}</p>" if asked else ""
    _html(node, "questiontext", question.question_html + shown + told)
    _html(node, "generalfeedback", question.solution_html)
    ET.SubElement(node, "defaultgrade").text = "1"
    ET.SubElement(node, "penalty").text = "0.3333333"
    ET.SubElement(node, "hidden").text = "0"
    ET.SubElement(node, "idnumber").text = f"foveal-{question.identity}"
    if question.exercise.hint:
        hint = ET.SubElement(node, "hint", format="html")
        ET.SubElement(hint, "text").text = to_html(question.exercise.hint)
    return node


def _answer(node: ET.Element, rule: Rule, text: str, *, is_html: bool = False) -> ET.Element:
    answer = ET.SubElement(
        node,
        "answer",
        fraction="100" if rule.is_right else "0",
        format="html" if is_html else "plain_text",
    )
    ET.SubElement(answer, "text").text = text
    _html(answer, "feedback", to_html(rule.feedback))
    return answer


def _fallback(node: ET.Element, told: str) -> None:
    answer = ET.SubElement(node, "answer", fraction="0", format="plain_text")
    ET.SubElement(answer, "text").text = "*"
    _html(answer, "feedback", to_html(told))


def _matching(question: Question) -> ET.Element:
    node = _frame(question, "matching")
    ET.SubElement(node, "shuffleanswers").text = "true"
    field = question.field
    assert isinstance(field.answer, tuple)
    texts = {choice.key: choice.text for choice in field.choices}
    pairs = [
        (inline_html(item), texts[str(key)])
        for item, key in zip(field.items, field.answer, strict=True)
    ]
    # A choice that belongs to nothing is a pair without a left side.
    pairs += [("", text) for key, text in texts.items() if key not in field.answer]
    for item, text in pairs:
        pair = ET.SubElement(node, "subquestion", format="html")
        ET.SubElement(pair, "text").text = item
        _text(pair, "answer", escape(printable(plain_text(text))))
    return node


def _essay(question: Question) -> ET.Element:
    node = _frame(question, "essay")
    ET.SubElement(node, "responseformat").text = "editor"
    ET.SubElement(node, "responserequired").text = "1"
    ET.SubElement(node, "responsefieldlines").text = "10"
    _html(node, "graderinfo", model_answer_html(question.field))
    return node


def _number(value: object) -> str:
    return repr(value)


def _text(node: ET.Element, tag: str, text: str) -> None:
    ET.SubElement(ET.SubElement(node, tag), "text").text = text


def _html(node: ET.Element, tag: str, content: str) -> None:
    ET.SubElement(ET.SubElement(node, tag, format="html"), "text").text = content

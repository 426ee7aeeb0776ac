"""A small engine for QTI 2.1 response processing, over the items of the package."""

from __future__ import annotations

import io
import zipfile
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from foveal.learn.exercise import Exercise
from foveal.learn.exports.qti import qti_package
from foveal.learn.exports.questions import Question, ask_each_blank
from foveal.learn.markup import to_html

ITEM = "{http://www.imsglobal.org/xsd/imsqti_v2p1}"
PACKAGE = "{http://www.imsglobal.org/xsd/imscp_v1p1}"


def respond(item: ET.Element, response: Any) -> dict[str, str]:
    """Returns the outcomes after response processing."""
    outcomes = {"SCORE": "0"}
    processing = item.find(f"{ITEM}responseProcessing")
    assert processing is not None
    for rule in processing:
        run(rule, response, outcomes)
    return outcomes


def run(rule: ET.Element, response: Any, outcomes: dict[str, str]) -> None:
    if rule.tag == f"{ITEM}setOutcomeValue":
        outcomes[rule.get("identifier", "")] = rule[0].text or ""
        return
    assert rule.tag == f"{ITEM}responseCondition"
    for branch in rule:
        is_otherwise = branch.tag == f"{ITEM}responseElse"
        if is_otherwise or value(branch[0], response):
            for part in branch if is_otherwise else branch[1:]:
                run(part, response, outcomes)
            return


def value(node: ET.Element, response: Any) -> Any:
    parts = [value(part, response) for part in node]
    match node.tag.removeprefix(ITEM):
        case "variable":
            return response
        case "baseValue":
            return float(node.text or "") if node.get("baseType") == "float" else node.text
        case "multiple":
            return set(parts)
        case "and":
            return all(parts)
        case "or":
            return any(parts)
        case "equal" if node.get("toleranceMode") == "exact":
            return parts[0] == parts[1]
        case "match":
            return parts[0] == parts[1]
        case "gte":
            return parts[0] >= parts[1]
        case "lte":
            return parts[0] <= parts[1]
        case "stringMatch" if node.get("caseSensitive") == "false":
            return parts[0].casefold() == parts[1].casefold()
        case other:
            raise AssertionError(f"unknown expression {other}")


def response_of(item: ET.Element, case: Any) -> Any:
    declared = item.find(f"{ITEM}responseDeclaration")
    assert declared is not None
    match declared.get("baseType"):
        case "float":
            return float(case.typed)
        case "directedPair":
            return {f"item-{index} choice-{key}" for index, key in enumerate(case.value)}
        case "identifier" if not isinstance(case.value, bool):
            return f"choice-{case.typed}"
        case _:
            return case.typed


def opened(questions: Any) -> dict[str, ET.Element]:
    with zipfile.ZipFile(io.BytesIO(qti_package(questions))) as package:
        return {name: ET.fromstring(package.read(name)) for name in package.namelist()}


@pytest.fixture(scope="module")
def files(questions: tuple[Question, ...]) -> dict[str, ET.Element]:
    return opened(questions)


def test_an_answer_is_marked_there_as_it_is_here(files: dict[str, ET.Element], cases: Any) -> None:
    for case in cases:
        item = files[f"items/foveal-{case.question.identity}.xml"]
        outcomes = respond(item, response_of(item, case))
        assert float(outcomes["SCORE"]) == case.is_right, case.where
        told = item.find(f"{ITEM}modalFeedback[@identifier='{outcomes['FEEDBACK']}']")
        assert told is not None
        assert case.is_told(as_html(told[0])), case.where


def as_html(node: ET.Element) -> str:
    text = ET.tostring(node, encoding="unicode").replace(f' xmlns:ns0="{ITEM[1:-1]}"', "")
    return text.replace("ns0:", "").replace("'", "&#x27;").replace('"', "&quot;").strip()


def test_the_manifest_names_every_file_once(files: dict[str, ET.Element]) -> None:
    resources = files["imsmanifest.xml"].findall(f"{PACKAGE}resources/{PACKAGE}resource")
    named = [resource.get("href") for resource in resources]
    assert sorted(named) == sorted(set(files) - {"imsmanifest.xml"})
    asked = files["test.xml"].iter(f"{ITEM}assessmentItemRef")
    assert {reference.get("href") for reference in asked} == set(named) - {"test.xml"}


def test_a_question_in_words_shows_its_model_answer(
    files: dict[str, ET.Element], questions: tuple[Question, ...]
) -> None:
    question = next(each for each in questions if each.field.kind == "open")
    item = files[f"items/foveal-{question.identity}.xml"]
    assert item.find(f"{ITEM}itemBody/{ITEM}extendedTextInteraction") is not None
    assert respond(item, "my own words") == {"SCORE": "0", "SOLUTION": "worked"}
    told = item.find(f"{ITEM}modalFeedback[@identifier='worked']")
    assert told is not None
    assert str(question.field.answer) in "".join(told.itertext())


def test_the_same_questions_make_the_same_file(questions: tuple[Question, ...]) -> None:
    assert qti_package(questions[:3]) == qti_package(questions[:3])


def test_hostile_names_stay_text(hostile: Exercise) -> None:
    asked = ask_each_blank([hostile]).questions
    item = opened(asked)[f"items/foveal-{asked[0].identity}.xml"]
    assert not list(item.iter(f"{ITEM}script"))
    told = item.find(f"{ITEM}modalFeedback[@identifier='rule-1']")
    assert told is not None
    shown = ET.fromstring(f"<p>{to_html(hostile.fields[0].mistakes[0].feedback)}</p>")
    assert "".join(told[0].itertext()) == "".join(shown.itertext())

"""QTI 2.1 content package: https://www.imsglobal.org/question/qtiv2p1/imsqti_implv2p1.html.

A zip with ``imsmanifest.xml``, a test of all items in one section for each topic, and one item
for each blank. Response processing holds one branch for each rule; feedback is modal.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from foveal.learn.exports.questions import Question, by_topic
from foveal.learn.exports.rules import Rule, how_to_write
from foveal.learn.markup import choices_html, inline_html, model_answer_html, to_html
from foveal.learn.topics import find_topic

_NAMESPACE = "http://www.imsglobal.org/xsd/imsqti_v2p1"
_PACKAGE = "http://www.imsglobal.org/xsd/imscp_v1p1"
_EARLIEST = (1980, 1, 1, 0, 0, 0)  # so that the same questions make the same file


def qti_package(questions: Sequence[Question]) -> bytes:
    """Returns the questions as a zip that holds manifest, test and items."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as package:

        def add(name: str, root: ET.Element) -> None:
            content = ET.tostring(root, encoding="utf-8", xml_declaration=True)
            entry = zipfile.ZipInfo(name, _EARLIEST)
            package.writestr(entry, content + b"\n", zipfile.ZIP_DEFLATED)

        add("imsmanifest.xml", _manifest(questions))
        add("test.xml", _test(questions))
        for question in questions:
            add(_file(question), _item(question))
    return packed.getvalue()


def _file(question: Question) -> str:
    return f"items/{_identifier(question)}.xml"


def _identifier(question: Question) -> str:
    return f"foveal-{question.identity}"


def _manifest(questions: Sequence[Question]) -> ET.Element:
    root = ET.Element("manifest", xmlns=_PACKAGE, identifier="foveal")
    metadata = ET.SubElement(root, "metadata")
    ET.SubElement(metadata, "schema").text = "QTIv2.1 Package"
    ET.SubElement(metadata, "schemaversion").text = "1.0.0"
    ET.SubElement(root, "organizations")
    resources = ET.SubElement(root, "resources")
    test = _resource(resources, "test", "imsqti_test_xmlv2p1", "test.xml")
    for question in questions:
        ET.SubElement(test, "dependency", identifierref=_identifier(question))
        _resource(resources, _identifier(question), "imsqti_item_xmlv2p1", _file(question))
    return root


def _resource(resources: ET.Element, identifier: str, kind: str, href: str) -> ET.Element:
    node = ET.SubElement(resources, "resource", identifier=identifier, type=kind, href=href)
    ET.SubElement(node, "file", href=href)
    return node


def _test(questions: Sequence[Question]) -> ET.Element:
    root = ET.Element("assessmentTest", xmlns=_NAMESPACE, identifier="test", title="Foveal")
    part = ET.SubElement(
        root,
        "testPart",
        identifier="part",
        navigationMode="nonlinear",
        submissionMode="individual",
    )
    for number, asked in by_topic(questions).items():
        section = ET.SubElement(
            part,
            "assessmentSection",
            identifier=f"topic-{number}",
            title=f"{number} {find_topic(number).title}",
            visible="true",
        )
        for question in asked:
            ET.SubElement(
                section,
                "assessmentItemRef",
                identifier=f"ref-{question.identity}",
                href=_file(question),
            )
    return root


def _item(question: Question) -> ET.Element:
    root = ET.Element(
        "assessmentItem",
        xmlns=_NAMESPACE,
        identifier=_identifier(question),
        title=question.name,
        adaptive="false",
        timeDependent="false",
    )
    cardinality, base_type = _response_type(question)
    declared = ET.SubElement(
        root,
        "responseDeclaration",
        identifier="RESPONSE",
        cardinality=cardinality,
        baseType=base_type,
    )
    if question.rules:
        correct = ET.SubElement(declared, "correctResponse")
        for text in _values(question, question.rules[0]):
            ET.SubElement(correct, "value").text = text
    score = ET.SubElement(
        root, "outcomeDeclaration", identifier="SCORE", cardinality="single", baseType="float"
    )
    ET.SubElement(ET.SubElement(score, "defaultValue"), "value").text = "0"
    for name in ("FEEDBACK", "SOLUTION"):
        ET.SubElement(
            root, "outcomeDeclaration", identifier=name, cardinality="single", baseType="identifier"
        )
    _body(ET.SubElement(root, "itemBody"), question)
    processing = ET.SubElement(root, "responseProcessing")
    if question.rules:
        told = _branches(ET.SubElement(processing, "responseCondition"), question)
        solution = question.solution_html
    else:
        told = []
        solution = model_answer_html(question.field)
    _set(processing, "SOLUTION", "identifier", "worked")
    for identifier, content in told:
        _add_feedback(root, "FEEDBACK", identifier, content)
    _add_feedback(root, "SOLUTION", "worked", solution)
    return root


def _add_feedback(root: ET.Element, outcome: str, identifier: str, content: str) -> None:
    feedback = ET.SubElement(
        root,
        "modalFeedback",
        outcomeIdentifier=outcome,
        identifier=identifier,
        showHide="show",
    )
    _add_html(feedback, content)


def _response_type(question: Question) -> tuple[str, str]:
    match question.field.kind:
        case "integer" | "number":
            return "single", "float"
        case "choice" | "boolean":
            return "single", "identifier"
        case "match" if question.is_matching:
            return "multiple", "directedPair"
        case _:
            return "single", "string"


def _values(question: Question, rule: Rule) -> list[str]:
    """Returns an answer in the words of QTI: one value, or several pairs."""
    field = question.field
    if question.is_matching:
        assert isinstance(rule.value, tuple)
        return [f"item-{number} choice-{key}" for number, key in enumerate(rule.value)]
    if field.kind == "choice":
        return [f"choice-{rule.value}"]
    if field.kind == "boolean":
        return ["true" if rule.value else "false"]
    if field.kind in ("integer", "number"):
        return [repr(rule.value)]
    return [rule.spellings[0]]


def _body(body: ET.Element, question: Question) -> None:
    field = question.field
    _add_html(body, question.question_html)
    if question.is_matching:
        _matching(body, question)
    elif field.kind in ("choice", "boolean"):
        shown = ET.SubElement(
            body,
            "choiceInteraction",
            responseIdentifier="RESPONSE",
            shuffle="false",
            maxChoices="1",
        )
        options = {f"choice-{choice.key}": choice.text for choice in field.choices}
        for identifier, text in (options or {"true": "true", "false": "false"}).items():
            choice = ET.SubElement(shown, "simpleChoice", identifier=identifier)
            _add_html(choice, f"<p>{inline_html(text)}</p>")
    elif field.kind == "open":
        ET.SubElement(
            body, "extendedTextInteraction", responseIdentifier="RESPONSE", expectedLines="8"
        )
    else:
        if field.kind in ("order", "match"):
            _add_html(body, choices_html(field))
        line = ET.SubElement(body, "p")
        line.text = f"{how_to_write(field)} "
        ET.SubElement(
            line, "textEntryInteraction", responseIdentifier="RESPONSE", expectedLength="20"
        )


def _matching(body: ET.Element, question: Question) -> None:
    field = question.field
    shown = ET.SubElement(
        body,
        "matchInteraction",
        responseIdentifier="RESPONSE",
        shuffle="false",
        maxAssociations=str(len(field.items)),
    )
    items = ET.SubElement(shown, "simpleMatchSet")
    for number, item in enumerate(field.items):
        node = ET.SubElement(
            items, "simpleAssociableChoice", identifier=f"item-{number}", matchMax="1"
        )
        _add_html(node, f"<p>{inline_html(item)}</p>")
    choices = ET.SubElement(shown, "simpleMatchSet")
    for choice in field.choices:
        node = ET.SubElement(
            choices,
            "simpleAssociableChoice",
            identifier=f"choice-{choice.key}",
            matchMax=str(len(field.items)),
        )
        _add_html(node, f"<p>{inline_html(choice.text)}</p>")


def _branches(condition: ET.Element, question: Question) -> list[tuple[str, str]]:
    """Adds one branch for each rule and returns what each says: (identifier, HTML)."""
    told = []
    for number, rule in enumerate(question.rules):
        branch = ET.SubElement(condition, "responseElseIf" if number else "responseIf")
        branch.append(_condition(question, rule))
        identifier = f"rule-{number}"
        _set(branch, "SCORE", "float", "1" if rule.is_right else "0")
        _set(branch, "FEEDBACK", "identifier", identifier)
        told.append((identifier, to_html(rule.feedback)))
    otherwise = ET.SubElement(condition, "responseElse")
    _set(otherwise, "SCORE", "float", "0")
    _set(otherwise, "FEEDBACK", "identifier", "other")
    is_text = question.rules[0].spellings and question.field.kind not in ("choice", "boolean")
    wrong = "This is not right, or not written so." if is_text else "This is not right."
    written = how_to_write(question.field) if is_text and not question.is_matching else ""
    told.append(("other", to_html(f"{wrong} {written}")))
    return told


def _condition(question: Question, rule: Rule) -> ET.Element:
    kind = question.field.kind
    if kind in ("integer", "number"):
        assert isinstance(rule.value, int | float)
        if not rule.tolerance:
            node = ET.Element("equal", toleranceMode="exact")
            _variable(node)
            _base(node, "float", repr(rule.value))
            return node
        node = ET.Element("and")
        # A hair more than the tolerance, so that its own ends are right in binary too.
        reach = rule.tolerance * (1 + 1e-9) + 1e-12
        for sign, end in (("gte", rule.value - reach), ("lte", rule.value + reach)):
            side = ET.SubElement(node, sign)
            _variable(side)
            _base(side, "float", repr(end))
        return node
    if question.is_matching or kind in ("choice", "boolean"):
        node = ET.Element("match")
        _variable(node)
        values = _values(question, rule)
        if question.is_matching:
            several = ET.SubElement(node, "multiple")
            for value in values:
                _base(several, "directedPair", value)
        else:
            _base(node, "identifier", values[0])
        return node
    node = ET.Element("or")
    for way in rule.spellings:
        same = ET.SubElement(node, "stringMatch", caseSensitive="false")
        _variable(same)
        _base(same, "string", way)
    return node


def _variable(node: ET.Element) -> None:
    ET.SubElement(node, "variable", identifier="RESPONSE")


def _base(node: ET.Element, base_type: str, text: str) -> None:
    ET.SubElement(node, "baseValue", baseType=base_type).text = text


def _set(node: ET.Element, name: str, base_type: str, text: str) -> None:
    _base(ET.SubElement(node, "setOutcomeValue", identifier=name), base_type, text)


def _add_html(node: ET.Element, content: str) -> None:
    """Adds markup as elements; a drawing's label becomes a paragraph, since QTI knows none."""
    for child in ET.fromstring(f"<div>{content}</div>"):
        words = child.attrib.pop("aria-label", "")
        child.attrib.pop("role", None)
        node.append(child)
        if words:
            ET.SubElement(node, "p").text = f"The drawing in words: {words}"

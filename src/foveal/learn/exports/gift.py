"""GIFT, a text format that Moodle and many others import: https://docs.moodle.org/en/GIFT_format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from foveal.learn.exports.questions import Question, by_topic
from foveal.learn.exports.rules import Rule, how_to_write
from foveal.learn.markup import choices_html, inline_html, model_answer_html, plain_text, to_html
from foveal.learn.topics import find_topic
from foveal.text import printable


def gift(questions: Sequence[Question]) -> str:
    """Returns the questions as a GIFT file, a category for each topic."""
    parts = []
    for number, asked in by_topic(questions).items():
        title = find_topic(number).title.replace("/", "//")  # one slash begins a subcategory
        parts.append(f"$CATEGORY: $course$/top/Foveal/{number} {title}")
        parts += map(_question, asked)
    return "\n\n".join(parts) + "\n"


def _question(question: Question) -> str:
    field = question.field
    is_text = field.kind in ("shape", "order", "match") and not question.is_matching
    asked = question.question_html
    if is_text:
        asked += choices_html(field)
    if is_text or field.kind in ("integer", "number"):
        asked += f"<p>{escape(how_to_write(field))}</p>"
    lines = [f"\t{line}" for line in _answers(question)]
    solution = question.solution_html
    if field.kind == "open":
        solution = model_answer_html(question.field)
    lines.append(f"\t####{_escaped(solution)}")
    opening = "{#" if field.kind in ("integer", "number") else "{"
    name = _escaped(question.name)
    return "\n".join((f"::{name}::[html]{_escaped(asked)}{opening}", *lines, "}"))


def _answers(question: Question) -> Iterator[str]:
    field = question.field
    if question.is_matching:
        assert isinstance(field.answer, tuple)
        texts = {choice.key: choice.text for choice in field.choices}
        pairs = [(item, str(key)) for item, key in zip(field.items, field.answer, strict=True)]
        # A choice that belongs to nothing is a pair without a left side.
        pairs += [("", key) for key in texts if key not in field.answer]
        for item, key in pairs:
            right = escape(printable(plain_text(texts[key])))
            yield f"={_escaped(inline_html(item))} -> {_escaped(right)}"
        return
    match field.kind:
        case "open":
            return
        case "boolean":
            told = {rule.is_right: _feedback(rule) for rule in reversed(question.rules)}
            word = "TRUE" if field.answer else "FALSE"
            yield f"{word}#{told.get(False, '')}#{told[True]}"
        case "choice":
            by_key = {rule.value: rule for rule in question.rules}
            for choice in field.choices:
                rule = by_key[choice.key]
                sign = "=" if rule.is_right else "~"
                yield f"{sign}{_escaped(inline_html(choice.text))}#{_feedback(rule)}"
        case "integer" | "number":
            for rule in question.rules:
                yield f"={_weight(rule)}{rule.value!r}:{rule.tolerance!r}#{_feedback(rule)}"
            yield f"~#{_escaped(to_html('This is not right.'))}"
        case _:
            for rule in question.rules:
                for way in rule.spellings:
                    pattern = _escaped(way.replace("*", "\\*"))
                    yield f"={_weight(rule)}{pattern}#{_feedback(rule)}"
            otherwise = f"This is not right, or not written so. {how_to_write(field)}"
            yield f"=%0%*#{_escaped(to_html(otherwise))}"


def _weight(rule: Rule) -> str:
    return "%100%" if rule.is_right else "%0%"


def _feedback(rule: Rule) -> str:
    return _escaped(to_html(rule.feedback))


def _escaped(text: str) -> str:
    for sign in "\\~=#{}:":
        text = text.replace(sign, f"\\{sign}")
    return text.replace("\n", "\\n")

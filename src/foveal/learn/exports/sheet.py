"""A sheet to print, and its key: answers, tolerances, every named mistake, worked solutions.

Nothing sets the paper's size, so the browser's own is used: A4 or Letter.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files

from foveal.draw.page import html_page
from foveal.learn.answers import spell
from foveal.learn.exercise import Exercise, Field, Value
from foveal.learn.exports.questions import exercise_name
from foveal.learn.exports.rules import rules_of
from foveal.learn.markup import figure_html, inline_html, model_answer_html, solution_html, to_html
from foveal.learn.topics import find_topic
from foveal.text import count_noun, printable


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet and its key, as two pages of HTML.

    Attributes:
        code: Stands on both, so that a key is never laid beside another sheet.
        sheet_html: For the learners.
        key_html: For the teacher.
    """

    code: str
    sheet_html: str
    key_html: str


def make_sheet(exercises: Sequence[Exercise], *, title: str = "") -> Sheet:
    """Returns the exercises as a sheet with a key.

    Args:
        exercises: In their order.
        title: What stands above; the topic's title if empty and there is one topic.
    """
    made_of = "\n".join(f"{exercise_name(each)} {each.question}" for each in exercises)
    code = hashlib.sha256(made_of.encode("utf-8", "backslashreplace")).hexdigest()[:6].upper()
    topics = {exercise.topic for exercise in exercises}
    if not title:
        alone = find_topic(topics.pop()).title if len(topics) == 1 else ""
        title = f"{alone[:1].upper()}{alone[1:]}" or "Convolutional networks"
    size = count_noun(len(exercises), "exercise")
    person = '<p class="person"><span>Name </span><span>Date </span></p>'
    asked = "".join(_asked(number, each) for number, each in enumerate(exercises, start=1))
    glance = "".join(_glance(number, each) for number, each in enumerate(exercises, start=1))
    key = f'<ul class="glance">{glance}</ul>' + "".join(
        f'<article class="long"><h2>{number}. '
        f'<span class="code">{escape(printable(exercise_name(each)))}</span></h2>'
        f"{answers_html(each)}{worked_html(each)}</article>"
        for number, each in enumerate(exercises, start=1)
    )
    return Sheet(
        code,
        paper(title, f"{_header(title, f'Sheet {code}, {size}')}{asked}", person=person),
        paper(f"{title}, key", f"{_header(f'{title}: key', f'Key of sheet {code}, {size}')}{key}"),
    )


def paper(title: str, body: str, *, person: str = "") -> str:
    """Returns a page that prints well; ``person`` goes into its header."""
    style = (files("foveal.learn.exports") / "paper.css").read_text("utf-8")
    body = body.replace("</header>", f"{person}</header>", 1)
    return html_page(title=title, body=f"<main>{body}</main>", style=style)


def _header(title: str, told: str) -> str:
    return (
        f"<header><h1>{escape(printable(title))}</h1>"
        f'<p class="quiet">{escape(printable(told))}</p></header>'
    )


def _asked(number: int, exercise: Exercise) -> str:
    blanks = "".join(map(_blank, exercise.fields))
    asked = to_html(exercise.question) + figure_html(exercise.figure)
    return f'<article class="asked"><h2>{number}.</h2>{asked}{blanks}</article>'


def _blank(field: Field) -> str:
    label = inline_html(field.label)
    line = '<span class="line"></span>'
    unit = f" {escape(printable(field.unit))}" if field.unit else ""
    if field.kind == "open":
        return f'<div class="words"><p>{label}</p>{line * 5}</div>'
    if field.kind == "boolean":
        return _boxes(label, ("true", "false"))
    if field.kind == "choice":
        return _boxes(label, [f"{each.key}) {inline_html(each.text)}" for each in field.choices])
    if field.kind == "match":
        items = "".join(
            f'<p class="blank">{number}. {inline_html(item)} {line}</p>'
            for number, item in enumerate(field.items, start=1)
        )
        return f"{_listed(field)}{items}"
    return f'{_listed(field)}<p class="blank"><span>{label}</span> {line}{unit}</p>'


def _listed(field: Field) -> str:
    choices = "".join(f"<li>{each.key}) {inline_html(each.text)}</li>" for each in field.choices)
    return f'<ul class="choices">{choices}</ul>' if choices else ""


def _boxes(label: str, texts: Sequence[str]) -> str:
    items = "".join(f'<li><span class="box"></span><span>{text}</span></li>' for text in texts)
    return f'<p>{label}</p><ul class="choices">{items}</ul>'


def _glance(number: int, exercise: Exercise) -> str:
    shown = ("in words" if field.kind == "open" else _right(field) for field in exercise.fields)
    return f"<li><strong>{number}.</strong> {'; '.join(shown)}</li>"


def _right(field: Field) -> str:
    values = (field.answer, *field.also)
    return " or ".join(escape(_answer(field, value)) for value in values)


def answers_html(exercise: Exercise) -> str:
    """Returns each blank's right answer, then each mistake with its value and feedback."""
    return "".join(_answers(field, len(exercise.fields) > 1) for field in exercise.fields)


def _answers(field: Field, is_labelled: bool) -> str:
    heading = f"<h3>{inline_html(field.label)}</h3>" if is_labelled else ""
    if field.kind == "open":
        return f"{heading}{model_answer_html(field)}"
    texts = {choice.key: inline_html(choice.text) for choice in field.choices}
    is_chosen = field.kind == "choice"
    rows = []
    for rule in rules_of(field):
        if rule.is_rounded:
            continue
        shown = escape(_answer(field, rule.value))
        if is_chosen:
            shown += f" {texts[str(rule.value)]}"
        if rule.is_right:
            reach = f" ± {rule.tolerance:g}" if rule.tolerance else ""
            told = next((c.feedback for c in field.choices if c.key == rule.value), "")
            rows.append(
                f'<tr class="right"><th scope="row">{shown}{reach}</th>'
                f"<td>right{'. ' if told else ''}{inline_html(told)}</td></tr>"
            )
            continue
        code = f' <span class="code">{escape(printable(rule.mistake))}</span>'
        rows.append(
            f'<tr><th scope="row">{shown}</th><td>{inline_html(rule.feedback)}'
            f"{code if rule.mistake else ''}</td></tr>"
        )
    kind = "answers chosen" if is_chosen else "answers"
    return f'{heading}<table class="{kind}"><tbody>{"".join(rows)}</tbody></table>'


def _answer(field: Field, value: Value) -> str:
    """Returns the value as it is written; of a choice its letter."""
    return f"{value})" if field.kind == "choice" else spell(value, field.unit)


def worked_html(exercise: Exercise) -> str:
    """Returns the worked solution under its heading."""
    return f'<div class="solution"><h3>Worked solution</h3>{solution_html(exercise)}</div>'

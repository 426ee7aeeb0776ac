"""PrairieLearn question folders, and what their ``server.py`` calls.

https://docs.prairielearn.com/question/. A folder is a drill at a level, or a question of the
quiz: ``info.json``, ``question.html`` and ``server.py``. PrairieLearn gives each student
variant seeds without end; Foveal makes the variant, reads the answers and marks them, later
blanks from the student's own earlier values. It has to be installed where PrairieLearn runs
Python.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from foveal.learn.answers import Unreadable, read, spell
from foveal.learn.exercise import Exercise, Field
from foveal.learn.exports.rules import how_to_write
from foveal.learn.marking import FieldMark, mark
from foveal.learn.markup import (
    choices_html,
    figure_html,
    inline_html,
    plain_text,
    solution_html,
    to_html,
)
from foveal.learn.skills import find_exercise
from foveal.learn.topics import find_topic
from foveal.text import printable

_NAMESPACE = uuid.UUID("5b0f3c0e-8f0a-5d5c-9f64-2f0a1f6f7a11")

_SERVER = '''\
"""Made by `foveal learn export prairielearn`; needs the package foveal."""

from foveal.learn.exports import prairielearn

NAME = {name!r}
LEVEL = {level}


def generate(data):
    prairielearn.generate(data, NAME, LEVEL)


def parse(data):
    prairielearn.parse(data, NAME, LEVEL)


def grade(data):
    prairielearn.grade(data, NAME, LEVEL)
'''

_QUESTION = """\
<pl-question-panel>
{{{params.question}}}
</pl-question-panel>
{{#params.blanks}}
<div>
<p id="foveal-{{key}}">{{{label}}}</p>
{{{choices}}}
<pl-string-input answers-name="{{key}}" aria-label="{{name}}" suffix="{{unit}}"
  placeholder="{{how}}" show-help-text="false" size="40"></pl-string-input>
</div>
{{/params.blanks}}
<pl-submission-panel>
{{#feedback.marks}}
<p><strong>{{{label}}}</strong>: {{{message}}}</p>
{{/feedback.marks}}
</pl-submission-panel>
<pl-answer-panel>
{{{params.solution}}}
</pl-answer-panel>
"""


@dataclass(frozen=True, slots=True)
class QuestionFolder:
    """One question folder.

    Attributes:
        name: Of the folder.
        files: Content by file name.
    """

    name: str
    files: Mapping[str, str]


def question_folders(
    sources: Iterable[tuple[str, int]],
) -> tuple[tuple[QuestionFolder, ...], tuple[tuple[Exercise, str], ...]]:
    """Returns a folder for each drill at a level or question, and what had to be left out.

    Questions that are answered in words are left out: nothing can mark them there.

    Args:
        sources: ``(name, level)`` of drills and questions.
    """
    folders = []
    left_out = []
    for name, level in sources:
        exercise = find_exercise(name, seed=0, level=level)
        if any(field.kind == "open" for field in exercise.fields):
            left_out.append((exercise, "it is answered in words, which grade() cannot mark"))
        else:
            folders.append(_folder(exercise, level))
    return tuple(folders), tuple(left_out)


def _folder(exercise: Exercise, level: int) -> QuestionFolder:
    is_drill = not exercise.template.startswith("quiz:")
    name = exercise.template.replace(":", "-") + (f"-level-{level}" if is_drill else "")
    title = find_topic(exercise.topic).title
    shown = f"{exercise.template}, level {level}" if is_drill else exercise.template
    info = {
        "uuid": str(uuid.uuid5(_NAMESPACE, name)),
        "title": f"{shown} ({title})",
        "topic": f"{exercise.topic} {title}",
        "tags": ["foveal"],
        "type": "v3",
        "singleVariant": not is_drill,
    }
    return QuestionFolder(
        f"foveal-{name}",
        {
            "info.json": json.dumps(info, indent=2, ensure_ascii=False) + "\n",
            "question.html": _QUESTION,
            "server.py": _SERVER.format(name=exercise.template, level=level),
        },
    )


def generate(data: dict[str, Any], name: str, level: int) -> None:
    """Fills in the question of this variant."""
    exercise = _exercise(data, name, level)
    data["params"].update(
        question=to_html(exercise.question) + figure_html(exercise.figure),
        blanks=[_blank(field) for field in exercise.fields],
        solution=solution_html(exercise),
    )
    for field in exercise.fields:
        data["correct_answers"][field.key] = spell(field.answer)


def parse(data: dict[str, Any], name: str, level: int) -> None:
    """Says of each answer that cannot be read why; PrairieLearn then does not count it."""
    for field in _exercise(data, name, level).fields:
        found = read(field, _submitted(data, field))
        if isinstance(found, Unreadable):
            data["format_errors"][field.key] = escape(printable(found.reason))


def grade(data: dict[str, Any], name: str, level: int) -> None:
    """Marks the answers: a score and a line of feedback for each blank."""
    exercise = _exercise(data, name, level)
    marked = mark(exercise, {field.key: _submitted(data, field) for field in exercise.fields})
    rows = []
    for field, found in zip(exercise.fields, marked.fields, strict=True):
        data["partial_scores"][field.key] = {
            "score": float(found.verdict in ("right", "follows")),
            "weight": 1,
            "feedback": printable(plain_text(found.message)),
        }
        rows.append(_feedback_row(field, found))
    data["score"] = marked.score
    data["feedback"]["marks"] = rows
    data["feedback"]["mistakes"] = list(marked.mistakes)


def _exercise(data: Mapping[str, Any], name: str, level: int) -> Exercise:
    return find_exercise(name, seed=int(data["variant_seed"]), level=level)


def _submitted(data: Mapping[str, Any], field: Field) -> str:
    answer = data["submitted_answers"].get(field.key)
    return "" if answer is None else str(answer)


def _blank(field: Field) -> dict[str, str]:
    return {
        "key": field.key,
        "label": inline_html(field.label),
        "name": printable(plain_text(field.label)),
        "unit": field.unit,
        "how": how_to_write(field),
        "choices": choices_html(field),
    }


def _feedback_row(field: Field, found: FieldMark) -> dict[str, str]:
    return {"label": inline_html(field.label), "message": inline_html(found.message)}

"""An Anki package: one note for each blank, in a deck for each topic.

Counts, shapes and letters are typed, and Anki shows where they differ; it compares text only.
A number with a tolerance is therefore not typed: the card says from where to where it is
right. Every named mistake has a row in the table on the back.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from foveal.errors import MissingExtraError
from foveal.learn.answers import spell
from foveal.learn.exports.questions import Question, by_topic
from foveal.learn.exports.rules import how_to_write
from foveal.learn.markup import choices_html, inline_html, model_answer_html, to_html
from foveal.learn.topics import find_topic

FIELDS = ("Name", "Question", "Typed", "Hint", "Answer", "Mistakes", "Solution", "Proof")

_FRONT = """\
<div class="question">{{Question}}</div>
{{#Typed}}{{type:Typed}}{{/Typed}}
{{#Hint}}<div class="hint">{{hint:Hint}}</div>{{/Hint}}
"""
_BACK = """\
<div class="question">{{Question}}</div>
{{#Typed}}{{type:Typed}}{{/Typed}}
<hr id="answer">
<div class="right">{{Answer}}</div>
{{#Mistakes}}<h2>If you got</h2>{{Mistakes}}{{/Mistakes}}
{{#Solution}}<h2>Worked solution</h2>{{Solution}}{{/Solution}}
{{#Proof}}<details><summary>PyTorch that prints it</summary>{{Proof}}</details>{{/Proof}}
"""
_STYLE = """\
.card { font: 18px/1.5 -apple-system, "Segoe UI", Roboto, Arial, sans-serif; text-align: left;
  max-width: 42em; margin: 0 auto; padding: 0 12px; }
h2 { font-size: 1em; margin: 1.2em 0 .3em; }
pre { overflow-x: auto; font-size: .85em; line-height: 1.35; }
code { font-size: .9em; }
.right { font-weight: 600; }
table { border-collapse: collapse; }
td { vertical-align: top; padding: .3em .8em .3em 0; border-top: 1px solid #8886; }
td:first-child { white-space: nowrap; font-variant-numeric: tabular-nums; }
"""


def anki_package(questions: Sequence[Question], *, at_seconds: float) -> bytes:
    """Returns the questions as an ``.apkg`` file.

    Notes, decks and the note type keep their identities, so that importing a newer export
    changes the cards that are there and keeps what was learned.

    Args:
        questions: What to ask.
        at_seconds: When, in seconds since 1970; Anki takes the newer one of two notes.

    Raises:
        MissingExtraError: genanki is not installed.
    """
    try:
        import genanki
    except ImportError as error:
        raise MissingExtraError("genanki", purpose="An Anki package") from error

    model = genanki.Model(
        _number("note type"),
        "Foveal",
        fields=[{"name": name} for name in FIELDS],
        templates=[{"name": "Card", "qfmt": _FRONT, "afmt": _BACK}],
        css=_STYLE,
        sort_field_index=0,
    )
    decks = []
    for number, asked in by_topic(questions).items():
        title = find_topic(number).title.replace("::", ":")
        deck = genanki.Deck(_number(f"deck {number}"), f"Foveal::{number:02d} {title}")
        for question in asked:
            tags = [f"foveal::topic-{number}", f"foveal::{question.exercise.skill}"]
            note = genanki.Note(
                model=model, fields=_fields(question), guid=question.identity, tags=tags
            )
            deck.add_note(note)
        decks.append(deck)
    return _packed(genanki.Package(decks), at_seconds)


def _packed(package: Any, at_seconds: float) -> bytes:
    with tempfile.TemporaryDirectory(prefix="foveal-") as folder:
        file = Path(folder) / "cards.apkg"
        package.write_to_file(str(file), timestamp=at_seconds)
        return file.read_bytes()


def _fields(question: Question) -> list[str]:
    field = question.field
    is_typed = field.kind not in ("number", "open")
    asked = question.question_html + choices_html(question.field)
    if is_typed:
        asked += f"<p>{escape(how_to_write(field))}</p>"
    proof = question.exercise.proof
    return [
        escape(question.name),
        asked,
        escape(_typed(question)) if is_typed else "",
        inline_html(question.exercise.hint),
        _answer(question),
        _mistakes(question),
        question.solution_html,
        to_html(f"```\n{proof.rstrip()}\n```") if proof else "",
    ]


def _typed(question: Question) -> str:
    """Returns the right answer as Anki compares it: text."""
    rule = question.rules[0]
    return rule.spellings[0] if rule.spellings else str(rule.value)


def _answer(question: Question) -> str:
    field = question.field
    if field.kind == "open":
        return model_answer_html(question.field)
    if field.kind == "number":
        assert isinstance(field.answer, int | float)
        low, high = field.answer - field.tolerance, field.answer + field.tolerance
        unit = f" {field.unit}" if field.unit else ""
        return (
            f'<p data-low="{low!r}" data-high="{high!r}">{escape(spell(field.answer))}'
            f"{escape(unit)} (right from {low:.6g} to {high:.6g})</p>"
        )
    return "".join(to_html(rule.feedback) for rule in question.rules if rule.is_right)


def _mistakes(question: Question) -> str:
    rows = []
    for rule in question.rules:
        if rule.is_right or rule.is_rounded:
            continue
        shown = spell(rule.value, question.field.unit)
        rows.append(
            f'<tr data-mistake="{escape(rule.mistake, quote=True)}"><td>{escape(shown)}</td>'
            f"<td>{inline_html(rule.feedback)}</td></tr>"
        )
    return f"<table>{''.join(rows)}</table>" if rows else ""


def _number(name: str) -> int:
    """Returns an identity that is the same at every export; Anki wants 31 bits of it."""
    digest = hashlib.sha256(f"foveal {name}".encode()).digest()
    return 1 << 30 | int.from_bytes(digest[:4], "big") >> 2

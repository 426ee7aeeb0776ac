"""The parts of an exercise as HTML, for notebooks and exports; well-formed as XML too."""

from __future__ import annotations

from html import escape

from foveal.learn.exercise import Exercise, Field, Figure
from foveal.learn.markup import escaped_lines, inline_html, to_html
from foveal.text import printable


def figure_html(figure: Figure | None) -> str:
    """Returns the drawing as text that a screen reader reads in words instead; or nothing."""
    if figure is None:
        return ""
    label = escape(printable(figure.alternative), quote=True)
    return f'<pre role="img" aria-label="{label}">{escaped_lines(figure.text)}</pre>'


def choices_html(field: Field) -> str:
    """Returns what there is to choose, order or match with, for where only text is typed."""
    items = "".join(f"<li>{inline_html(item)}</li>" for item in field.items)
    choices = "<br/>".join(f"{each.key}) {inline_html(each.text)}" for each in field.choices)
    return (f"<ol>{items}</ol>" if items else "") + (f"<p>{choices}</p>" if choices else "")


def model_answer_html(field: Field) -> str:
    """Returns the model answer of a blank for words, and the points to mark it by."""
    points = "".join(f"<li>{inline_html(point)}</li>" for point in field.checklist)
    return to_html(str(field.answer)) + (f"<ul>{points}</ul>" if points else "")


def solution_html(exercise: Exercise) -> str:
    """Returns the worked solution and the reasons."""
    steps = "".join(f"<li>{inline_html(step.text)}</li>" for step in exercise.steps)
    listed = f"<ol>{steps}</ol>" if steps else ""
    return f"{listed}{figure_html(exercise.solution_figure)}{to_html(exercise.reasons)}"

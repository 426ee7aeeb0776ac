"""The course's little markup: its grammar, and the same as HTML; exercises as HTML.

```` ```fenced blocks``` ````, ```code```, ``**bold**``, ``*stress*``, blank lines between
paragraphs. Nothing else means anything, and everything is escaped. The parts of an
exercise, for notebooks and exports, are well-formed as XML too.
"""

from __future__ import annotations

import re
from html import escape

from foveal.learn.exercise import Exercise, Field, Figure
from foveal.text import printable

BLOCK = re.compile(r"```[a-z]*\n(.*?)\n?```", re.DOTALL)
"""A fenced block; splitting at it gives text and code in turn."""

SPAN = re.compile(r"`([^`]+)`|\*\*(.+?)\*\*|(?<![\w*])\*([A-Za-z][^*]*?)\*(?![\w*])", re.DOTALL)
"""Code, bold or stress, as groups 1 to 3."""


def plain_text(text: str) -> str:
    """Returns the text without its marks, for where nothing can be styled.

    >>> plain_text("**Never** `flip`")
    'Never flip'
    """
    return SPAN.sub(lambda found: found[1] or found[2] or found[3], text)


def to_html(text: str) -> str:
    r"""Returns the text as paragraphs and blocks of code; well-formed as XML too.

    >>> to_html("Is `a < b`?\n\n```\nx = 1\n```")
    '<p>Is <code>a &lt; b</code>?</p><pre><code>x = 1</code></pre>'
    """
    parts = []
    for index, part in enumerate(BLOCK.split(text)):
        if index % 2:
            parts.append(f"<pre><code>{escaped_lines(part)}</code></pre>")
        else:
            paragraphs = (each.strip() for each in re.split(r"\n\s*\n", part))
            parts += [f"<p>{inline_html(each)}</p>" for each in paragraphs if each]
    return "".join(parts)


def inline_html(text: str) -> str:
    """Returns text without blocks as HTML; a line break stays one.

    >>> inline_html("after `conv1`, **not** *before* <it>")
    'after <code>conv1</code>, <strong>not</strong> <em>before</em> &lt;it&gt;'
    """
    parts = []
    end = 0
    for found in SPAN.finditer(text):
        parts.append(escaped_lines(text[end : found.start()], "<br/>\n"))
        tag = "code" if found[1] else "strong" if found[2] else "em"
        inner = found[1] or found[2] or found[3]
        shown = escaped_lines(inner) if found[1] else inline_html(inner)
        parts.append(f"<{tag}>{shown}</{tag}>")
        end = found.end()
    return "".join((*parts, escaped_lines(text[end:], "<br/>\n")))


def escaped_lines(text: str, between: str = "\n") -> str:
    """Returns lines, each made printable and escaped, joined again."""
    return between.join(escape(printable(line)) for line in text.split("\n"))


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

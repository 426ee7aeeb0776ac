"""The course's little markup: its grammar, and the same as HTML.

```` ```fenced blocks``` ````, ```code```, ``**bold**``, ``*stress*``, blank lines between
paragraphs. Nothing else means anything, and everything is escaped.
"""

from __future__ import annotations

import re
from html import escape

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

"""The page of a rule, written in Markdown, for the terminal."""

from __future__ import annotations

import re

from foveal.draw.text_layout import COLUMNS, Style, plain, wrap

_ITEM = re.compile(r"(- |\d+\. )")


def render_page_text(markdown: str, *, style: Style = plain) -> str:
    r"""Returns headings, paragraphs and lists at 80 columns; code and tables as they are.

    >>> print(render_page_text("# S101: bias\n\nA `bias`\nthat is lost."))
    S101: bias
    <BLANKLINE>
    A `bias` that is lost.
    """
    blocks = re.split(r"(^```.*?^```$)", markdown.strip(), flags=re.S | re.M)
    shown: list[str] = []
    for number, block in enumerate(blocks):
        if number % 2:  # the code itself, without its fence
            code = block.split("\n")[1:-1]
            shown.append("\n".join(f"    {line}".rstrip() for line in code))
        else:
            shown += [_paragraph(part, style) for part in block.split("\n\n") if part.strip()]
    return "\n\n".join(shown)


def _paragraph(text: str, style: Style) -> str:
    text = text.strip("\n")
    if text.startswith("#"):
        return style(text.lstrip("# "), "heading")
    if text.startswith("|"):
        return text
    items: list[str] = []
    for line in text.split("\n"):
        if items and not _ITEM.match(line):
            items[-1] += f" {line.strip()}"
        else:
            items.append(line)
    lines = []
    for item in items:
        mark = _ITEM.match(item)
        head = mark.group() if mark else ""
        body = item[len(head) :]
        lines.append(wrap(body, columns=COLUMNS, indent=" " * len(head), first=head))
    return "\n".join(lines)

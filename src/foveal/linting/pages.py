"""The page of each rule, and how a terminal shows it."""

from __future__ import annotations

import re
from pathlib import Path

from foveal.draw.text_layout import COLUMNS, Style, plain, wrap
from foveal.errors import UsageError
from foveal.text import near_names, printable

# A wheel holds the pages beside this file; a checkout has them where its readers look.
_FOLDERS = (
    Path(__file__).parent / "pages",
    Path(__file__).parents[3] / "docs" / "rules",
)


def rule_page(code: str) -> str:
    """Returns a rule's page as Markdown.

    Args:
        code: Such as ``"S101"``, in either case.

    Raises:
        UsageError: There is no such rule.
    """
    wanted = code.strip().upper()
    folder = next((each for each in _FOLDERS if each.is_dir()), None)
    known = sorted(file.stem for file in folder.glob("[A-Z]*.md")) if folder else []
    if folder is None or wanted not in known:
        near = near_names(wanted, known)
        raise UsageError(
            f"got the rule {printable(code)!r}, expected one of the linter's codes.",
            next_step=f"Did you mean {' or '.join(near)}?"
            if near
            else f"Codes go from {known[0]} to {known[-1]}."
            if known
            else "This installation holds no pages; install Foveal again.",
        )
    return (folder / f"{wanted}.md").read_text(encoding="utf-8")


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

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
        raise UsageError(
            f"got the rule {printable(code)!r}, expected one of the linter's codes.",
            next_step=_near_step(wanted, known, folder)
            if folder is not None and known
            else "This installation holds no pages; install Foveal again.",
        )
    return (folder / f"{wanted}.md").read_text(encoding="utf-8")


def _near_step(wanted: str, known: list[str], folder: Path) -> str:
    """Returns which codes may be meant: by how they begin, how they look, or what they find."""
    begun = [code for code in known if wanted and code.startswith(wanted)]
    if len(begun) > 1:
        return f"{wanted} begins {len(begun)} of them, {begun[0]} to {begun[-1]}: give one."
    alike = begun or sorted(
        near_names(wanted, known, limit=len(known)),
        key=lambda code: -_num_shared(code, wanted),
    )
    words = re.findall(r"[A-Z]{4,}", wanted)
    titles = {code: _title_words(folder, code) for code in known} if words else {}
    about = [
        code
        for code, title in titles.items()
        if all(any(known_word.startswith(word) for known_word in title) for word in words)
    ]
    near = (alike or about)[:3]
    if near:
        return f"Did you mean {' or '.join(near)}?"
    return f"Codes go from {known[0]} to {known[-1]}."


def _num_shared(code: str, wanted: str) -> int:
    """Returns how many letters two codes begin with alike."""
    return next((k for k, (a, b) in enumerate(zip(code, wanted, strict=False)) if a != b), 0)


def _title_words(folder: Path, code: str) -> list[str]:
    title = (folder / f"{code}.md").read_text(encoding="utf-8").partition("\n")[0]
    return re.findall(r"[A-Z]{4,}", title.upper())


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

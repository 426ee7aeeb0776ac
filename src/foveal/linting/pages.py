"""The page of each rule: what it finds, why it matters, examples and how to fix it."""

from __future__ import annotations

from pathlib import Path

from foveal.errors import UsageError
from foveal.text import near_names, printable

# A wheel holds the pages beside this file; a checkout has them where its readers look.
_PLACES = (
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
    folder = next((place for place in _PLACES if place.is_dir()), None)
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

"""Colours for a terminal, and none for anything else."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from foveal.reporting import Role, Style

_LOOKS: dict[Role, dict[str, Any]] = {
    "heading": {"bold": True},
    "number": {"bold": True},
    "good": {"fg": "green"},
    "quiet": {"dim": True},
    "error": {"fg": "red", "bold": True},
    "warning": {"fg": "yellow"},
    "info": {"fg": "cyan"},
}


def terminal_style() -> Style:
    """Returns a style with colours if stdout is a terminal that wants them.

    ``NO_COLOR`` (https://no-color.org), where it is set and not empty, turns them off.
    """
    from foveal.reporting import plain

    wanted = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    return _colour if wanted and not os.environ.get("NO_COLOR") else plain


def _colour(text: str, role: Role) -> str:
    return click.style(text, **_LOOKS[role])

"""Reporting checklists: guidelines as tables in our own words, filled in by a run.

A row says what an item is about, which function of ``answers`` knows it, and which question of
``statement.toml`` asks the owner. "Answered" means that something is reported, not that it is good.
"""

from __future__ import annotations

from foveal.errors import UsageError
from foveal.reporting.checklists.claim import CLAIM
from foveal.reporting.checklists.item import Checklist
from foveal.reporting.checklists.stard_ai import STARD_AI
from foveal.reporting.checklists.tripod_ai import TRIPOD_AI
from foveal.text import near_names

CHECKLISTS: tuple[Checklist, ...] = (CLAIM, TRIPOD_AI, STARD_AI)


def find_checklist(key: str) -> Checklist:
    """Returns the checklist of that name.

    Raises:
        UsageError: There is none.
    """
    for one in CHECKLISTS:
        if one.key == key:
            return one
    known = [one.key for one in CHECKLISTS]
    near = near_names(key, known)
    raise UsageError(
        f"There is no checklist named {key!r}.",
        next_step=f"Did you mean {near[0]}?" if near else f"Known: {', '.join(known)}.",
    )

"""A checklist filled in: by the run where it knows, by the owner's statement elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from foveal.draw.text_layout import Style, plain, wrap
from foveal.reporting.checklists.item import (
    Checklist,
    FilledChecklist,
    FilledItem,
    Item,
    RunFacts,
    Status,
)
from foveal.reporting.checklists.statement import QUESTIONS, answers_of
from foveal.text import printable

_MARKS: dict[Status, str] = {"run": "x", "owner": "x", "both": "x", "half": "/", "open": " "}
_NUMBER_COLUMNS = 5


def fill(
    checklist: Checklist,
    facts: RunFacts,
    statement: Mapping[str, str] | None = None,
    *,
    run_name: str,
) -> FilledChecklist:
    """Returns every item with its answers.

    Args:
        checklist: Which one.
        facts: What the run knows.
        statement: The owner's answers by key; ``None`` without any.
        run_name: The run, as it is named to the reader.
    """
    return FilledChecklist(
        checklist,
        tuple(_fill_item(item, facts, statement) for item in checklist.items),
        printable(run_name),
    )


def _fill_item(item: Item, facts: RunFacts, statement: Mapping[str, str] | None) -> FilledItem:
    run = None if item.run is None else item.run(facts)
    owner = answers_of(statement, item.owner)
    status: Status = "open"
    if run is not None and owner:
        status = "both"
    elif run is not None:
        status = "half" if item.needs_both and not run.is_whole else "run"
    elif owner:
        # The owner may say on behalf of a run what it does not know, but not one half for both.
        status = "half" if item.needs_both else "owner"
    question = QUESTIONS[item.owner] if item.owner is not None and not owner else ""
    if status in ("run", "owner", "both"):
        question = ""
    return FilledItem(item, status, run, owner, question)


def describe_filled(filled: FilledChecklist) -> str:
    """Returns how many items have an answer, and from whom; never that they are good ones."""
    by_run = sum(one.status == "run" for one in filled.items)
    half = sum(one.status == "half" for one in filled.items)
    still_open = sum(one.status == "open" for one in filled.items)
    by_owner = filled.num_answered - by_run
    parts = [f"{by_run} by the run", f"{by_owner} by or with the statement"]
    halves = f"{half} by half, " if half else ""
    return (
        f"{filled.num_answered} of {len(filled.items)} {filled.checklist.unit} answered "
        f"({', '.join(parts)}); {halves}{still_open} open. An answer says that something is "
        "reported, not that it is good: read it against the guideline itself."
    )


def render_checklist_text(filled: FilledChecklist, *, style: Style = plain) -> str:
    """Returns the checklist for the terminal, at most 80 columns wide."""
    checklist = filled.checklist
    lines = [style(checklist.name, "heading"), wrap(f"{checklist.source}. Items in our own words.")]
    lines += ["", f"Run  {filled.run_name}", ""]
    for one in filled.items:
        head = f"[{_MARKS[one.status]}] {one.item.number:<{_NUMBER_COLUMNS}}"
        lines.append(wrap(one.item.topic, indent=" " * len(head), first=head))
        indent = " " * len(head)
        if one.run_answer is not None:
            told = f" ({_shown(one.run_answer.section)})"
            lines.append(wrap(one.run_answer.text + told, indent=indent, first=indent))
        if one.owner_answer:
            lines.append(wrap(printable(one.owner_answer), indent=indent, first=indent))
        if one.question:
            asked = f"Yours to say ({one.item.owner}): {one.question}"
            lines.append(style(wrap(asked, indent=indent, first=indent), "quiet"))
    lines += ["", wrap(describe_filled(filled))]
    return "\n".join(lines)


def _shown(section: str) -> str:
    return f"report.html#{section}" if section else "in the run's folder"


def checklist_json(filled: FilledChecklist) -> dict[str, Any]:
    """Returns the checklist as JSON values."""
    return {
        "checklist": filled.checklist.key,
        "name": filled.checklist.name,
        "source": filled.checklist.source,
        "run": filled.run_name,
        "num_items": len(filled.items),
        "num_answered": filled.num_answered,
        "items": [
            {
                "number": one.item.number,
                "topic": one.item.topic,
                "status": one.status,
                "answer": None if one.run_answer is None else one.run_answer.text,
                "section": None if one.run_answer is None else one.run_answer.section or None,
                "statement": one.owner_answer or None,
                "key": one.item.owner,
                "question": one.question or None,
            }
            for one in filled.items
        ],
    }

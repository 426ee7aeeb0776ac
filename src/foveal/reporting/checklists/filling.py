"""A checklist filled in: by the run where it knows, by the owner's statement elsewhere.

What the checklists ask for is read from a finished run without drawing its report. A filled
checklist is shown as text, as JSON and as one page.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from html import escape
from pathlib import Path
from typing import Any

from foveal.draw.page import html_page
from foveal.draw.text_layout import Style, plain, wrap
from foveal.errors import DataError, SchemaError
from foveal.evaluation.evidence import Evidence
from foveal.reporting.checklists.item import (
    Checklist,
    FilledChecklist,
    FilledItem,
    Item,
    RunFacts,
    Status,
)
from foveal.reporting.checklists.statement import QUESTIONS, answers_of
from foveal.reporting.from_training import ReportRecord
from foveal.runs.folder import (
    EVALUATION_NAME,
    EXPLANATIONS_NAME,
    REPORT_RECORD_NAME,
    read_manifest,
    verify_files,
)
from foveal.runs.reading import read_evidence, read_explanations, read_typed
from foveal.schema import unstamped
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


_WORDS: dict[Status, str] = {
    "run": "by the run",
    "owner": "by the owner",
    "both": "by both",
    "half": "half",
    "open": "open",
}
_STYLE = """\
:root{color-scheme:light dark;--ink:#1b1a18;--quiet:#5b5955;--line:#d8d4cd}
:root{--ground:#fdfcfa;--mark:#0b5c8f}
@media screen and (prefers-color-scheme:dark){
:root{--ink:#eceae6;--quiet:#a5a29c;--line:#3a3835;--ground:#171614;--mark:#7cc0ee}}
@media print{:root{--ink:#000;--quiet:#444;--line:#bbb;--ground:#fff;--mark:#000}
tr{break-inside:avoid}}
body{margin:0 auto;max-width:64rem;padding:2rem 1.25rem;background:var(--ground)}
body{color:var(--ink);font:1rem/1.5 system-ui,sans-serif}
h1{font:600 1.6rem/1.2 Georgia,serif;margin:0 0 .5rem}
p{max-width:44rem}
.quiet{color:var(--quiet)}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:.5rem .75rem .5rem 0}
td{border-top:1px solid var(--line);overflow-wrap:anywhere}
thead th{font-weight:400;color:var(--quiet)}
td.n,td.s{white-space:nowrap;font-variant-numeric:tabular-nums}
.done{color:var(--mark)}
td p{margin:.25rem 0 0}
td p:first-child{margin:0}
code{font-size:.9em}
"""


def render_checklist_page(filled: FilledChecklist) -> str:
    """Returns the checklist as a self-contained page, light, dark or printed."""
    checklist = filled.checklist
    rows = "".join(_row(one) for one in filled.items)
    body = (
        f"<h1>{escape(checklist.name)}: {escape(filled.run_name)}</h1>"
        f'<p class="quiet">{escape(checklist.source)}. Items in our own words.</p>'
        f"<p>{escape(describe_filled(filled))}</p>"
        '<table><thead><tr><th scope="col">No.</th><th scope="col">Item and answer</th>'
        f'<th scope="col">Answered</th></tr></thead><tbody>{rows}</tbody></table>'
    )
    return html_page(title=f"{checklist.name}: {filled.run_name}", body=body, style=_STYLE)


def _row(one: FilledItem) -> str:
    parts = [f"<p><b>{escape(one.item.topic)}</b></p>"]
    if one.run_answer is not None:
        section = one.run_answer.section
        where = f" <code>report.html#{escape(section)}</code>" if section else ""
        parts.append(f"<p>{escape(one.run_answer.text)}{where}</p>")
    if one.owner_answer:
        parts.append(f"<p>{escape(printable(one.owner_answer))}</p>")
    if one.question:
        key = escape(one.item.owner or "")
        parts.append(f'<p class="quiet"><code>{key}</code> {escape(one.question)}</p>')
    done = ' class="s done"' if one.is_answered else ' class="s"'
    return (
        f'<tr><td class="n">{escape(one.item.number)}</td><td>{"".join(parts)}</td>'
        f"<td{done}>{_WORDS[one.status]}</td></tr>"
    )


_NEEDED = (EVALUATION_NAME, EXPLANATIONS_NAME, REPORT_RECORD_NAME)


def read_facts(folder: Path, *, external: Path | None = None) -> RunFacts:
    """Returns what a run knows.

    Args:
        folder: The run.
        external: What ``foveal evaluate --json`` printed about data from elsewhere.

    Raises:
        DataError: ``external`` is no such file.
        RunError: The run cannot be read.
    """
    manifest = read_manifest(folder)
    verify_files(folder, manifest, _NEEDED)
    evidence, audit = read_evidence(folder)
    config = manifest.get("config")
    return RunFacts(
        evidence=evidence,
        audit=audit,
        provenance=read_typed(folder, REPORT_RECORD_NAME, ReportRecord, schema="report").provenance,
        explanations=read_explanations(folder),
        config=config if isinstance(config, dict) else {},
        external=None if external is None else _read_evaluation(external),
    )


def _read_evaluation(path: Path) -> Evidence:
    try:
        content = unstamped("evaluate", json.loads(path.read_text("utf-8")))
        known = {field.name for field in fields(Evidence)}
        return Evidence.from_json({key: content[key] for key in content if key in known})
    except (OSError, ValueError, SchemaError) as error:
        raise DataError(
            f"'{printable(str(path))}' is not what foveal evaluate --json writes: "
            f"{printable(str(error))}",
            next_step="Write it: foveal evaluate RUN DATA --json > FILE.",
        ) from error

"""A filled checklist as one page."""

from __future__ import annotations

from html import escape

from foveal.draw.page import html_page
from foveal.reporting.checklists.filling import describe_filled
from foveal.reporting.checklists.item import FilledChecklist, FilledItem, Status
from foveal.text import printable

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

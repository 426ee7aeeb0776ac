"""A lab's result as text, as JSON and as one self-contained page."""

from __future__ import annotations

from html import escape
from importlib.resources import files
from typing import Any

from foveal.draw.page import html_page
from foveal.draw.text_layout import Role, Style, columns_table, plain, wrap
from foveal.learn.labs.chart import describe_chart, draw_chart, draw_text
from foveal.learn.labs.lab import Finding, Lab, LabResult
from foveal.schema import stamped
from foveal.text import printable

_FINDINGS: dict[Finding, str] = {
    "shown": "Shown on this machine.",
    "not shown": "Not shown on this machine: the intervals leave it open.",
    "reversed": "The opposite shows on this machine.",
}


def judge_guess(lab: Lab, result: LabResult, guess: str | None) -> str:
    """Returns what became of the guess, in a sentence; nothing without one."""
    if guess is None:
        return ""
    texts = dict(lab.choices)
    if not result.answer:
        return f"You guessed: {texts[guess]}. This run cannot decide it."
    if guess == result.answer:
        return f"You guessed: {texts[guess]}. That is what was measured."
    return f"You guessed: {texts[guess]}. Measured: {texts[result.answer]}."


def render_text(
    lab: Lab,
    result: LabResult,
    *,
    guess: str | None = None,
    is_plain: bool = False,
    style: Style = plain,
) -> str:
    """Returns the result at 80 columns; ``is_plain`` leaves bars out for screen readers."""
    blocks = []
    if guess is not None:
        role: Role = "good" if guess == result.answer else "warning"
        blocks.append(style(wrap(judge_guess(lab, result, guess)), role))
    blocks.append(columns_table(result.header, result.rows))
    if result.chart is not None:
        drawn = wrap(describe_chart(result.chart)) if is_plain else draw_text(result.chart)
        blocks.append(drawn)
    finding: Role = "good" if result.finding == "shown" else "warning"
    blocks.append(style(_FINDINGS[result.finding], finding) + "\n" + wrap(result.sentence))
    blocks.append(wrap(lab.explanation))
    blocks += [wrap(note, indent="  ", first="NOTE  ") for note in result.notes]
    return "\n\n".join(blocks)


def to_json(lab: Lab, result: LabResult, *, guess: str | None, machine: str) -> dict[str, Any]:
    """Returns the result with what is needed to repeat it."""
    content = {
        "lab": lab.name,
        "title": lab.title,
        "topics": list(lab.topics),
        "question": lab.question,
        "choices": dict(lab.choices),
        "guess": guess,
        "machine": machine,
        **result.to_json(),
    }
    return stamped("lab", content)


def render_html(
    lab: Lab, result: LabResult, *, guess: str | None, machine: str, command: str
) -> str:
    """Returns one page that needs neither network nor script."""
    style = (files("foveal.reporting") / "templates" / "report.css").read_text("utf-8")
    judged = judge_guess(lab, result, guess)
    body = "".join(
        (
            '<div class="page"><main>',
            f"<h1>{_safe(lab.title)}</h1>",
            f'<p class="verdict">{_safe(lab.question)}</p>',
            "<ul>" + "".join(f"<li>{_safe(text)}</li>" for _, text in lab.choices) + "</ul>",
            f"<p>{_safe(judged)}</p>" if judged else "",
            result_html(lab, result),
            f'<p class="aside">Measured on {_safe(machine)}. '
            f"Repeat it: <code>{_safe(command)}</code></p>",
            "</main></div>",
        )
    )
    return html_page(title=f"{lab.title}, measured", body=body, style=style)


def result_html(lab: Lab, result: LabResult) -> str:
    """Returns figure, table and words as a fragment of a page in the report's style."""
    head = "".join(
        f'<th scope="col"{"" if position else " class=words"}>{_safe(name)}</th>'
        for position, name in enumerate(result.header)
    )
    rows = "".join(
        f'<tr><th scope="row" class="words">{_safe(row[0])}</th>'
        + "".join(f"<td>{_safe(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in result.rows
    )
    figure = ""
    if result.chart is not None:
        legend = "".join(
            f'<li><svg class="key" width="26" height="14" aria-hidden="true">'
            f'<line class="interval {kind}" x1="1" x2="25" y1="7" y2="7"/></svg>'
            f"{_safe(series.name)}</li>"
            for kind, series in zip("ab", result.chart.series, strict=False)
        )
        figure = (
            f'<figure class="plot"><ul class="legend">{legend}</ul>'
            f'<div class="gutter-tick">{draw_chart(result.chart)}</div>'
            f"<figcaption>{_safe(result.chart.title)}: {_safe(result.chart.y_label)} by "
            f"{_safe(result.chart.x_label)}.</figcaption></figure>"
        )
    pictures = "".join(
        f'<li><img src="{one.data_uri}" alt="{_safe(one.description)}">'
        f"<p>{_safe(one.caption)}</p></li>"
        for one in result.pictures
    )
    if pictures:
        pictures = f'<ul class="averages">{pictures}</ul>'
    notes = "".join(f'<p class="aside">{_safe(note)}</p>' for note in result.notes)
    return (
        f"<section><h2>{_safe(_FINDINGS[result.finding])}</h2><p>{_safe(result.sentence)}</p>"
        f"{pictures}{figure}"
        f'<div class="scroll" tabindex="0" role="region" aria-label="What was measured">'
        f'<table class="open"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
        f"</section><section><h2>Why</h2><p>{_safe(lab.explanation)}</p>{notes}</section>"
    )


def _safe(text: str) -> str:
    return escape(printable(text))

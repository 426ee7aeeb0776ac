"""A comparison of two sides as one page that needs neither network nor script."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING

from foveal.draw.numbers import MISSING, percent, signed_points
from foveal.draw.page import html_page
from foveal.draw.svg import Scale, figure, name_gutter, name_label, nice_ticks, words
from foveal.evaluation import Difference
from foveal.reporting.figures import interval_mark, reference_mark, track
from foveal.reporting.text_comparison import describe_tests, difference_points
from foveal.text import printable

if TYPE_CHECKING:
    from foveal.runs.comparing import RunComparison

_ROW_PX = 34.0
# More classes than this are in the table alone.
_MAX_DRAWN = 30


def render_comparison_html(found: RunComparison) -> str:
    """Returns the page. Names may be hostile: all text is made printable and escaped."""
    compared = found.comparison
    title = f"{found.first.name} and {found.second.name}, compared"
    headline = [
        ("Accuracy", compared.accuracy),
        ("Balanced accuracy", compared.balanced_accuracy),
        ("AUROC", compared.auroc),
    ]
    drawn = headline + [
        (f"Sensitivity, {one.name}", one.sensitivity) for one in compared.per_class[:_MAX_DRAWN]
    ]
    notes = "".join(f"<li>{_safe(note)}</li>" for note in found.notes)
    body = "".join(
        (
            '<div class="page"><main>',
            f"<h1>{_safe(title)}</h1>",
            f'<p class="verdict">{_safe(found.verdict)}</p>',
            "<section><h2>Differences</h2>",
            _forest(drawn),
            f'<p class="aside">{_safe(found.first.name)} minus {_safe(found.second.name)}, in '
            "points: right of the dashed line the first is better. Bars are 95% intervals.</p>",
            _figures(headline),
            "</section><section><h2>Classes</h2>",
            _classes(found),
            f'<p class="aside">{_safe(describe_tests(compared))}</p>',
            f"</section><section><h2>What this rests on</h2><ul>{notes}</ul>",
            f'<p class="aside">{_safe(compared.interval_method)}.</p>',
            "</section></main></div>",
        )
    )
    style = (files("foveal.reporting") / "templates" / "report.css").read_text("utf-8")
    return html_page(title=title, body=body, style=style)


def _forest(rows: Sequence[tuple[str, Difference]]) -> str:
    rows = [(name, one) for name, one in rows if one.difference.estimate is not None]
    ends = [
        abs(end)
        for _, one in rows
        for end in (one.difference.low, one.difference.estimate, one.difference.high)
        if end is not None
    ]
    steps = nice_ticks(0.0, max([0.01, *ends]), most=4)
    ticks = [-step for step in steps[:0:-1]] + list(steps)
    scale = Scale(ticks[0], ticks[-1])
    bottom = _ROW_PX * len(rows)
    parts = [
        words(
            signed_points(tick),
            class_="tick",
            x=scale.x(tick),
            y=bottom + 18,
            text_anchor=_anchor(tick, scale),
        )
        for tick in ticks
    ]
    parts.append(reference_mark(0.0, scale, top=0, bottom=bottom))
    for index, (name, one) in enumerate(rows):
        middle = _ROW_PX * (index + 0.5)
        parts.append(name_label(name, y=middle + 4))
        parts.append(track(y=middle))
        parts.append(interval_mark(one.difference, scale, y=middle))
    told = "; ".join(f"{printable(name)}: {difference_points(one)}" for name, one in rows[:12])
    drawn = figure(parts, title="Differences in points", description=told, height_px=bottom + 28)
    names = [name for name, _ in rows]
    return f'<figure><div class="gutter-name {name_gutter(names)}">{drawn}</div></figure>'


def _anchor(tick: float, scale: Scale) -> str:
    return "start" if tick == scale.low else "end" if tick == scale.high else "middle"


def _figures(rows: Sequence[tuple[str, Difference]]) -> str:
    return _table(
        ("Figure", "first", "second", "first minus second, points"),
        [
            (name, *(_side(value, name) for value in (one.first, one.second)), _shown(one))
            for name, one in rows
        ],
    )


def _classes(found: RunComparison) -> str:
    return _table(
        ("Class", "images", "sensitivity", "specificity", "AUROC"),
        [
            (
                one.name,
                f"{one.num_images:,}",
                *(_shown(part) for part in (one.sensitivity, one.specificity, one.auroc)),
            )
            for one in found.comparison.per_class
        ],
    )


def _side(value: float | None, name: str) -> str:
    if value is None:
        return MISSING
    return f"{value:.3f}" if name == "AUROC" else percent(value, digits=1)


def _shown(one: Difference) -> str:
    if one.difference.estimate is None:
        return f"{MISSING} ({one.reason})"
    return difference_points(one)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(
        f'<th scope="col"{"" if position else " class=words"}>{_safe(name)}</th>'
        for position, name in enumerate(header)
    )
    body = "".join(
        f'<tr><th scope="row" class="words">{_safe(row[0])}</th>'
        f"{''.join(f'<td>{_safe(cell)}</td>' for cell in row[1:])}</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll" tabindex="0"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _safe(text: str) -> str:
    return escape(printable(text))

"""A comparison of two sides: for the terminal, and as one page without network or script.

The terminal has the figures first and the verdict last.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING

from foveal.draw.numbers import MISSING, percent, signed_points
from foveal.draw.page import html_page
from foveal.draw.svg import Scale, figure, name_gutter, name_label, nice_ticks, words
from foveal.draw.text_layout import Style, columns_table, facts, plain, shorten_middle, wrap
from foveal.evaluation import ClassDifference, Comparison, Difference
from foveal.reporting.figures import interval_mark, reference_mark, track
from foveal.text import printable

if TYPE_CHECKING:
    from foveal.runs.comparing import RunComparison


MAX_CLASSES = 12
_NAME_COLUMNS = 9
_SIDE_COLUMNS = 16


def render_comparison_text(found: RunComparison, *, style: Style = plain) -> str:
    """Returns what ``foveal compare`` says, at most 80 columns wide.

    Args:
        found: The comparison.
        style: Adds colour to finished pieces; the layout does not depend on it.
    """
    compared = found.comparison
    classes = _classes(compared)
    blocks = [
        facts(
            [("First", found.first.name), ("Second", found.second.name)],
            style=style,
            name_columns=_NAME_COLUMNS,
        ),
        columns_table(
            ("", "first", "second", "first minus second"),
            [
                _row(label, figure, is_share=label != "AUROC")
                for label, figure in (
                    ("Accuracy", compared.accuracy),
                    ("Balanced accuracy", compared.balanced_accuracy),
                    ("AUROC", compared.auroc),
                )
            ],
        )
        + "\n"
        + wrap("In points, with 95% intervals that respect groups."),
        classes,
        facts([("Tests", describe_tests(compared))], style=style, name_columns=_NAME_COLUMNS),
        "\n".join(
            style("NOTE  ", "info") + wrap(note, indent="  ", first="NOTE  ")[6:]
            for note in found.notes
        ),
        style(wrap(found.verdict), "number"),
    ]
    return "\n\n".join(block for block in blocks if block)


def _row(label: str, figure: Difference, *, is_share: bool) -> tuple[str, str, str, str]:
    sides = [
        MISSING if value is None else percent(value, digits=1) if is_share else f"{value:.3f}"
        for value in (figure.first, figure.second)
    ]
    return label, sides[0], sides[1], difference_points(figure)


def difference_points(figure: Difference) -> str:
    """Returns a difference in points with its interval, or that there is none.

    >>> from foveal.evaluation import Interval
    >>> difference_points(Difference(0.9, 0.88, Interval(0.02, -0.01, 0.05), 0.04))
    '+2.0 (-1.0 to +5.0)'
    """
    interval = figure.difference
    if interval.estimate is None:
        return MISSING
    if interval.low is None or interval.high is None:
        return f"{signed_points(interval.estimate)} (no interval)"
    return (
        f"{signed_points(interval.estimate)} ({signed_points(interval.low)} to "
        f"{signed_points(interval.high)})"
    )


def _classes(compared: Comparison) -> str:
    shown = _most_different(compared)
    rows = [
        (
            shorten_middle(one.name, _SIDE_COLUMNS),
            difference_points(one.sensitivity),
            difference_points(one.specificity),
            difference_points(one.auroc),
        )
        for one in shown
    ]
    table = columns_table(("Class", "sensitivity", "specificity", "AUROC"), rows)
    more = len(compared.per_class) - len(rows)
    return f"{table}\nand {more:,} more, with --json" if more > 0 else table


def _most_different(compared: Comparison) -> list[ClassDifference]:
    return sorted(
        compared.per_class,
        key=lambda one: -abs(one.sensitivity.difference.estimate or 0.0),
    )[:MAX_CLASSES]


def describe_tests(compared: Comparison) -> str:
    """Returns McNemar's and DeLong's tests with what they assume, as sentences."""
    mcnemar, areas = compared.mcnemar, compared.delong
    text = (
        f"McNemar p {p_value(mcnemar.p_value)} (only the first is right in "
        f"{mcnemar.num_first:,}, only the second in {mcnemar.num_second:,})"
    )
    if areas.difference.estimate is not None:
        text += f"; DeLong p {p_value(areas.p_value)}"
    if compared.num_groups < compared.num_images:
        return (
            f"{text}. Both assume independent images; these come in groups, so trust the "
            "intervals above."
        )
    return f"{text}. Both assume independent images."


def p_value(value: float | None) -> str:
    """Returns what follows the letter p.

    >>> p_value(0.2134), p_value(0.00002), p_value(None)
    ('= 0.213', '< 0.001', 'cannot be given')
    """
    if value is None:
        return "cannot be given"
    return "< 0.001" if value < 0.001 else f"= {value:.3f}"


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
            _classes_html(found),
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


def _classes_html(found: RunComparison) -> str:
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

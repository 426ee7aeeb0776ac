"""A comparison of two sides for the terminal: figures first, the verdict last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from foveal.draw.numbers import MISSING, percent, signed_points
from foveal.draw.text_layout import Style, columns_table, facts, plain, shorten_middle, wrap
from foveal.evaluation import ClassDifference, Comparison, Difference

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

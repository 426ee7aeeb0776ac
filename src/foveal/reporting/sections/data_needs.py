"""What grouping and more data change: the leak and the learning curve."""

from __future__ import annotations

from dataclasses import dataclass

from foveal.draw.numbers import percent, percent_span
from foveal.evaluation.evidence import Baseline, Grouping, LearningCurve
from foveal.evaluation.wording import describe_leak, describe_learning_curve
from foveal.reporting.figures import draw_leak, draw_learning_curve
from foveal.reporting.numbers import count, percent_range, points, points_range
from foveal.reporting.tables import Drawing, Table


@dataclass(frozen=True, slots=True)
class Told:
    """A sentence with a figure, or why there is none."""

    sentence: str
    drawing: Drawing | None


def leak_section(grouping: Grouping) -> Told:
    """Returns random against grouped folds."""
    sentence = describe_leak(grouping)
    if grouping.grouped_accuracy is None or grouping.random_accuracy is None:
        return Told(sentence, None)
    leak = grouping.leak
    return Told(
        sentence,
        Drawing(
            svg=draw_leak(
                grouped=grouping.grouped_accuracy, random=grouping.random_accuracy, leak=leak
            ),
            caption="The bar is the 95% interval of the difference. Where it crosses the dashed "
            "line, the two cannot be told apart.",
            table=Table(
                "Grouped and random folds",
                ("Folds", "Accuracy"),
                (
                    ("Groups kept together", percent(grouping.grouped_accuracy, digits=1)),
                    ("Random", percent(grouping.random_accuracy, digits=1)),
                    (
                        "Difference (95% interval)",
                        "n/a"
                        if leak is None
                        else f"{points(leak.estimate)} ({points_range(leak)})",
                    ),
                ),
            ),
            legend=(("a", "grouped, as reported"), ("b", "random, with the difference’s interval")),
        ),
    )


def learning_curve_section(curve: LearningCurve, baseline: Baseline) -> Told:
    """Returns the curve with its extrapolation."""
    sentence = describe_learning_curve(curve)
    if not curve.points:
        return Told(sentence, None)
    rows = [
        (
            count(p.num_images),
            percent(p.accuracy, digits=1),
            percent_span(p.low, p.high, digits=1, joint="–"),
        )
        for p in curve.points
    ]
    legend = [("a", "measured, with the spread of repeats (central 80%)")]
    ahead = curve.extrapolation
    if ahead is not None and curve.extrapolated_num_images is not None:
        rows.append(
            (
                f"{count(curve.extrapolated_num_images)} (expected)",
                percent(ahead.estimate, digits=1),
                percent_range(ahead),
            )
        )
        legend.append(("b-ring", "expected, with its 95% interval"))
    return Told(
        sentence,
        Drawing(
            svg=draw_learning_curve(curve, baseline=baseline.accuracy),
            caption="Accuracy on held-out images against the number of training images (each step "
            "right multiplies them). The vertical axis does not start at zero.",
            table=Table("Learning curve", ("Training images", "Accuracy", "Range"), tuple(rows)),
            gutter="tick",
            legend=tuple(legend),
        ),
    )

"""Random against grouped folds: what seeing the group in training would gain."""

from __future__ import annotations

from foveal.draw.numbers import percent
from foveal.draw.svg import Scale, element, figure, grid, nice_ticks, words
from foveal.evaluation.evidence import Evidence, Grouping, Interval
from foveal.evaluation.wording import describe_leak
from foveal.reporting.figures import Drawing, Table, Told, interval_mark, point_mark, track
from foveal.reporting.numbers import points, points_range
from foveal.reporting.section import Section

ROW_PX = 54.0


def draw_leak(*, grouped: float, random: float, leak: Interval | None) -> str:
    """Returns two rows on one axis; the lower one carries the interval of the difference."""
    shifted = Interval(
        random,
        None if leak is None or leak.low is None else grouped + leak.low,
        None if leak is None or leak.high is None else grouped + leak.high,
    )
    ends = [grouped, random, *(end for end in (shifted.low, shifted.high) if end is not None)]
    ticks = nice_ticks(min(ends) - 0.02, max(ends) + 0.02)
    scale = Scale(ticks[0], ticks[-1])
    bottom = 2 * ROW_PX
    x = scale.x(grouped)
    parts = [
        grid(scale, ticks, top=0, bottom=bottom),
        element("line", class_="reference", x1=x, x2=x, y1=34, y2=bottom),
    ]
    for index, (name, value) in enumerate(
        (("Groups kept together", grouped), ("Random folds", random))
    ):
        base = ROW_PX * index
        parts.append(words(name, class_="row-name halo", x=0, y=base + 17))
        parts.append(
            words(
                percent(value, digits=1),
                class_="row-value halo",
                x="100%",
                y=base + 17,
                text_anchor="end",
            )
        )
        parts.append(track(y=base + 34))
    parts.append(point_mark(grouped, scale, y=34))
    parts.append(interval_mark(shifted, scale, y=ROW_PX + 34, series="b"))
    return figure(
        parts,
        title="Accuracy on grouped and on random folds",
        description=f"Grouped folds {percent(grouped, digits=1)}, random folds "
        f"{percent(random, digits=1)}. The bar "
        "is the 95% interval of the difference, drawn from the grouped figure.",
        height_px=bottom + 24,
    )


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


def _text(evidence: Evidence) -> str | None:
    grouping = evidence.grouping
    return None if grouping.grouped_accuracy is None else describe_leak(grouping)


LEAK = Section(
    anchor="leak",
    contents="Grouping",
    heading="What random splitting would have claimed",
    view=lambda report: leak_section(report.evidence.grouping),
    text=_text,
    card=lambda report: (describe_leak(report.evidence.grouping),),
    html="""\
{% if view.drawing is none %}
<p class="absent">{{ view.sentence }}</p>
{% else %}
<p class="lead">{{ view.sentence }}</p>
{{ m.drawing(view.drawing) }}
{% endif %}
""",
)

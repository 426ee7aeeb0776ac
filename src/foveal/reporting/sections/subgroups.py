"""Figures by subgroup: for whom the classifier is right, and whether that differs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from foveal.draw.numbers import percent
from foveal.draw.svg import name_gutter
from foveal.evaluation.evidence import Evidence, Interval, Subgroup, Subgroups, SubgroupTrait
from foveal.evaluation.subgroup_wording import (
    describe_share,
    describe_spread,
    describe_subgroups,
    describe_trait,
    is_shown,
)
from foveal.reporting.figures import Cell, ClassRow, Drawing, Table, draw_class_intervals
from foveal.reporting.numbers import count, percent_range, points
from foveal.reporting.report_input import ReportInput
from foveal.reporting.section import Section
from foveal.text import printable

# Columns of sensitivity beyond this do not fit a page.
_MAX_CLASS_COLUMNS = 6
_TOO_SMALL = "n too small"


@dataclass(frozen=True, slots=True)
class TraitView:
    """One trait: whether it is unfolded, its sentences, its figures; ``drawing`` if it has any."""

    name: str
    verdict: str
    is_open: bool
    sentence: str
    table: Table
    drawing: Drawing | None


@dataclass(frozen=True, slots=True)
class SubgroupsView:
    """The sum of it, the traits, the spread between groups, and the rule for small ones."""

    lead: str
    traits: tuple[TraitView, ...]
    spread: str | None
    rule: str


def subgroups_section(subgroups: Subgroups, overall: Interval) -> SubgroupsView:
    """Returns the figures of every subgroup.

    Args:
        subgroups: The evidence.
        overall: Accuracy over all images, which all are compared with.
    """
    num_tested = sum(trait.gap is not None for trait in subgroups.traits)
    spread = subgroups.between_groups
    return SubgroupsView(
        lead=describe_subgroups(subgroups),
        traits=tuple(
            _trait_view(trait, subgroups.class_names, overall, num_tested)
            for trait in subgroups.traits
        ),
        spread=None
        if spread is None
        else f"{describe_spread(spread)} {describe_share(spread)} Groups: "
        f"{printable(spread.source)}.",
        rule=f"Parts of fewer than {subgroups.min_images} images have no figures, nor has the "
        "sensitivity for a class of fewer than 10 images in a part: n too small. Parts are "
        "compared at the same mix of classes: each image counts as right or wrong minus the "
        "sensitivity that its class has over all images (at the same mix), so that a part with "
        "more images of a hard class does not look worse for it. The test permutes whole groups and is corrected "
        "for the number of traits (Holm). What is not shown is not thereby ruled out.",
    )


def _trait_view(
    trait: SubgroupTrait, class_names: Sequence[str], overall: Interval, num_tested: int
) -> TraitView:
    shown = [one for one in trait.subgroups if one.accuracy is not None]
    differs = trait.gap is not None and is_shown(trait.gap)
    verdict = (
        "differs" if differs else "not compared" if trait.gap is None else "no difference shown"
    )
    by_class = len(class_names) <= _MAX_CLASS_COLUMNS
    header = ["Part", "Images", "Groups", "Accuracy", "At the same mix", "Balanced accuracy"]
    header += [f"Sensitivity for {printable(name)}" for name in class_names] if by_class else []
    table = Table(
        f"By {printable(trait.name)}",
        tuple(header),
        tuple(
            (
                printable(one.name),
                count(one.num_images),
                count(one.num_groups),
                _cell(one.accuracy),
                _TOO_SMALL if one.excess is None else points(one.excess),
                _cell(one.balanced_accuracy),
                *(_class_cells(one, len(class_names)) if by_class else ()),
            )
            for one in trait.subgroups
        ),
    )
    drawing = Drawing(
        svg=draw_class_intervals(
            [ClassRow(one.name, one.accuracy) for one in shown if one.accuracy is not None],
            title=f"Accuracy by {printable(trait.name)}",
            description="; ".join(
                f"{printable(one.name)}: {percent(one.accuracy.estimate, digits=1)} "
                f"({percent_range(one.accuracy)})"
                for one in shown
                if one.accuracy is not None
            ),
            reference=overall.estimate,
        ),
        caption="The dot is the accuracy of the part, the bar its 95% interval; the dashed "
        "line is the accuracy over all images."
        + ("" if by_class else " Sensitivities by class are in evaluation.json."),
        table=table,
        gutter=f"name {name_gutter(one.name for one in shown)}",
    )
    return TraitView(
        name=printable(trait.name),
        verdict=verdict,
        is_open=differs,
        sentence=describe_trait(trait, num_tested=num_tested),
        table=table,
        drawing=drawing if shown else None,
    )


def _class_cells(one: Subgroup, num_classes: int) -> tuple[Cell | str, ...]:
    return tuple(_cell(recall) for recall in (one.recalls or (None,) * num_classes))


def _cell(interval: Interval | None) -> Cell | str:
    if interval is None:
        return _TOO_SMALL
    return Cell(percent(interval.estimate, digits=1), percent_range(interval))


def _view(report: ReportInput) -> SubgroupsView | None:
    subgroups = report.evidence.subgroups
    if subgroups is None:
        return None
    return subgroups_section(subgroups, report.evidence.metrics.accuracy)


def _text(evidence: Evidence) -> str | None:
    return None if evidence.subgroups is None else describe_subgroups(evidence.subgroups)


def _card(report: ReportInput) -> Sequence[str]:
    text = _text(report.evidence)
    return () if text is None else (text,)


SUBGROUPS = Section(
    anchor="subgroups",
    contents="Subgroups",
    heading="For whom is it right?",
    view=_view,
    absent="Not measured: nothing is known that parts the images. A column of the table that is "
    "named with --subgroup does.",
    text=_text,
    card=_card,
    html="""\
<p class="lead">{{ view.lead }}</p>
{% for trait in view.traits %}
<details{% if trait.is_open %} open{% endif %}><summary>By {{ trait.name }}: {{ trait.verdict }}</summary>
<p>{{ trait.sentence }}</p>
{{ m.drawing(trait.drawing, open=true) if trait.drawing is not none else m.table(trait.table, quiet=true) }}
</details>
{% endfor %}
{% if view.spread is not none %}
<details><summary>Between groups</summary>
<p>{{ view.spread }}</p>
<p class="aside">The standard deviation is that between groups in a one-way random-effects analysis of variance of right or wrong minus the sensitivity for the image’s class; the share that is not chance is I² = 1 − 1/F. The test permutes right and wrong among the images of each class.</p>
</details>
{% endif %}
<p class="aside">{{ view.rule }}</p>
""",
)

"""Where the classifier looks: averages, shortcuts, and single images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from foveal.draw.numbers import percent
from foveal.draw.text_layout import shorten_middle
from foveal.reporting.figures import NUM_WEAKEST, Table, are_many
from foveal.reporting.report_input import ReportInput
from foveal.reporting.section import Section
from foveal.text import count_noun, printable

if TYPE_CHECKING:
    from foveal.shortcuts.explained_run import ExplainedExample, ExplainedRun
    from foveal.shortcuts.figures import ShownExplanations
    from foveal.shortcuts.separation import ClassSeparation

NUM_IN_SIGHT = 6
# Of the border's share against its area, before the page remarks on it.
_MUCH_OUTSIDE = 1.25
_MAX_OUTSIDE = 5


@dataclass(frozen=True, slots=True)
class ShortcutWarning:
    """A region that gives a class away."""

    title: str
    detail: str


@dataclass(frozen=True, slots=True)
class AverageCard:
    """One class: where it is told apart on average."""

    slot: str
    name: str
    caption: str


@dataclass(frozen=True, slots=True)
class HeatCard:
    """One image with its map, and a second one for the label where the answer is wrong."""

    image: str
    predicted_map: str
    label_map: str | None
    label: str
    predicted: str
    probability: str
    path_parts: tuple[str, ...]
    full_path: str
    scale: str


@dataclass(frozen=True, slots=True)
class HeatMapsView:
    """Everything that the section says and shows."""

    lead: str
    warnings: tuple[ShortcutWarning, ...]
    remarks: tuple[str, ...]
    averages: tuple[AverageCard, ...]
    table: Table
    right: tuple[HeatCard, ...]
    wrong: tuple[HeatCard, ...]
    how: str
    num_in_sight: int = NUM_IN_SIGHT


def heat_maps_section(shown: ShownExplanations) -> HeatMapsView | None:
    """Returns the section; None where there are no maps."""
    from foveal.shortcuts.figures import peak_of

    run = shown.run
    if run.reason is not None or run.grid is None:
        return None
    cards = [_card(run, number, one) for number, one in enumerate(run.examples)]
    return HeatMapsView(
        lead=_lead(run),
        warnings=tuple(shortcut_warnings(run)),
        remarks=tuple(_remarks(run)),
        averages=tuple(
            AverageCard(
                f"average-{one.class_index}",
                run.class_names[one.class_index],
                f"{percent(one.outside_share)} outside the centre, colours to "
                f"{peak_of(one.values):.3g}",
            )
            for one in _shown_averages(run)
        ),
        table=_table(run),
        right=tuple(card for card in cards if card.label_map is None),
        wrong=tuple(card for card in cards if card.label_map is not None),
        how=_how(run),
    )


def shortcut_warnings(run: ExplainedRun) -> Iterator[ShortcutWarning]:
    """Yields a warning for each region that gives a class away."""
    from foveal.shortcuts.border import describe_border
    from foveal.shortcuts.marks import describe_shortcut
    from foveal.shortcuts.simple_classifiers import describe_simple, reaching, title_of

    for one in run.shortcuts:
        name = run.class_names[one.suspicion.class_index]
        yield ShortcutWarning(
            f"Something in the {one.box.name} gives “{printable(name)}” away",
            describe_shortcut(one, class_name=name),
        )
    for border in run.borders:
        name = run.class_names[border.class_index]
        yield ShortcutWarning(
            f"What runs along the border gives “{printable(name)}” away",
            describe_border(border, class_name=name),
        )
    for simple in reaching(run.simple):
        yield ShortcutWarning(title_of(simple), describe_simple(simple))


def wanted_heat_maps(shown: ShownExplanations) -> tuple[str, ...]:
    """Returns the slots of all images, the most important first."""
    run = shown.run
    slots = ["bar", *(f"average-{one.class_index}" for one in _shown_averages(run))]
    for number in range(len(run.examples)):
        slots += [f"seen-{number}", f"predicted-{number}", f"label-{number}"]
    return tuple(slot for slot in slots if slot in shown.pictures)


_SIMPLE_NAMES = {
    "colour": "Colour and brightness",
    "border": "The border",
    "pattern": "A fixed pattern",
    "file": "The files’ own properties",
}


def _lead(run: ExplainedRun) -> str:
    from foveal.shortcuts.simple_classifiers import reaching

    if run.shortcuts:
        what = "One region" if len(run.shortcuts) == 1 else f"{len(run.shortcuts)} regions"
        return (
            f"{what} at the border of the image {'gives' if what == 'One region' else 'give'} "
            "a class away. Look at the images before you rely on the figures above."
        )
    if run.borders:
        return (
            "What runs along the border of the image gives a class away. Look at the images "
            "before you rely on the figures above."
        )
    names = [_SIMPLE_NAMES[one.name] for one in reaching(run.simple)]
    if names:
        return (
            f"{' and '.join(names)} alone {'tells' if len(names) == 1 else 'tell'} the classes "
            "apart as well as the network does. Look at the images before you rely on the "
            "figures above."
        )
    if run.untested is not None or not run.simple:
        return "Where its answers come from, by images that it had not seen."
    return (
        "Nothing was found that gives a class away: no mark or label at a fixed position of the "
        "border, no frame, and neither the colour, the border nor the files’ own properties alone "
        "tell the classes apart as well as the network does. What was not looked for is said below."
    )


def _remarks(run: ExplainedRun) -> Iterator[str]:
    from foveal.shortcuts.simple_classifiers import NOT_LOOKED_FOR

    if run.untested is not None:
        yield f"Not searched for marks at a fixed position: {run.untested}"
    if run.simple_reason is not None:
        yield run.simple_reason
    yield NOT_LOOKED_FOR
    known = {one.suspicion.class_index for one in run.shortcuts}
    known |= {one.class_index for one in run.borders}
    outside = [one for one in run.separations if _is_outside(one) and one.class_index not in known]
    for one in outside[:_MAX_OUTSIDE]:
        yield (
            f"{percent(one.outside_share)} of what sets "
            f"“{run.class_names[one.class_index]}” apart lies outside the central region, which "
            f"has {percent(one.outside_area)} of the image. If the findings lie in the "
            "middle, look for a frame or a margin."
        )
    if len(outside) > _MAX_OUTSIDE:
        more = count_noun(len(outside) - _MAX_OUTSIDE, "more class", "more classes")
        yield f"The same holds for {more}; the table has them all."


def _is_outside(one: ClassSeparation) -> bool:
    share, area = one.outside_share, one.outside_area
    if share is None or one.gap <= 3 * one.gap_error:
        return False
    # A map of few cells has none in the middle, and then nothing can lie outside it.
    return area < 1 and share > min(0.95, _MUCH_OUTSIDE * area)


def _shown_averages(run: ExplainedRun) -> tuple[ClassSeparation, ...]:
    """Returns the classes whose average is drawn; of many, those told apart least."""
    if not are_many(run.separations):
        return run.separations
    return tuple(sorted(run.separations, key=lambda one: one.gap)[:NUM_WEAKEST])


def _table(run: ExplainedRun) -> Table:
    return Table(
        "Where each class is told apart",
        ("Class", "Images", "Gap in logits", "Outside the centre", "Its area"),
        tuple(
            (
                run.class_names[one.class_index],
                f"{one.num_images:,}",
                f"{one.gap:.2f}",
                percent(one.outside_share),
                percent(one.outside_area),
            )
            for one in run.separations
        ),
    )


def _card(run: ExplainedRun, number: int, one: ExplainedExample) -> HeatCard:
    from foveal.shortcuts.figures import peak_of_example

    *folders, name = shorten_middle(one.path, 60).split("/")
    return HeatCard(
        image=f"seen-{number}",
        predicted_map=f"predicted-{number}",
        label_map=None if one.is_right else f"label-{number}",
        label=printable(run.class_names[one.label_index]),
        predicted=printable(run.class_names[one.predicted_index]),
        probability=percent(one.probability),
        path_parts=(*(f"{folder}/" for folder in folders), name),
        full_path=printable(one.path),
        scale=f"{peak_of_example(one):.3g}",
    )


def _how(run: ExplainedRun) -> str:
    rows, columns = run.grid or (0, 0)
    of_pictures = (
        f"of {count_noun(run.num_images, 'image')}, {rows} by {columns} cells each, by models "
        "that had not seen them."
    )
    if run.max_completeness_error is None:
        return (
            f"Class activation maps weighted by gradients (Selvaraju et al. 2017) {of_pictures} "
            "The model is not linear, so they hold near each image and add up to no logit."
        )
    return (
        f"Class activation maps (Zhou et al. 2016) {of_pictures} The mean of a map "
        f"plus a bias is the logit; here to within {run.max_completeness_error:.0e}."
    )


def _view(report: ReportInput) -> HeatMapsView | str | None:
    """Returns the section, or why there are no maps; None where nobody looked."""
    if report.explanations is None:
        return None
    return heat_maps_section(report.explanations) or report.explanations.run.reason or ""


def first_warning(report: ReportInput) -> str | None:
    """Returns the title of what gives a class away, for the first screen."""
    view = _view(report)
    return view.warnings[0].title if isinstance(view, HeatMapsView) and view.warnings else None


LOOKS = Section(
    anchor="looks",
    contents="Where it looks",
    heading="Where it looks",
    view=_view,
    absent="Not measured: heat maps are made when a classifier is trained.",
    html="""\
{% if view is string %}
<p class="absent">No heat maps: {{ view }}</p>
{% else %}
<p class="lead">{{ view.lead }}</p>
{% if view.warnings %}
<ul class="findings">
{% for item in view.warnings %}
<li class="finding warning">
<p class="finding-title"><span class="severity">Warning</span> {{ item.title }}</p>
<p>{{ item.detail }}</p>
</li>
{% endfor %}
</ul>
{% endif %}
{% for remark in view.remarks %}
<p class="absent">{{ remark }}</p>
{% endfor %}

<h3>On average</h3>
<p>What the logit of each class gains in its own images over the others’, cell by cell, on the average of these images. A finding that lies now here, now there gives a broad patch; a mark at a fixed position gives a spot.</p>
<ul class="averages">
{% for item in view.averages %}
<li>
{{ m.picture(heat, item.slot, "Average of " ~ item.name ~ " with what sets it apart") }}
<p><bdi title="{{ item.name }}">{{ item.name }}</bdi><small>{{ item.caption }}</small></p>
</li>
{% endfor %}
</ul>
{{ m.heat_bar(heat) }}
<details><summary>The numbers</summary>
{{ m.table(view.table, quiet=true) }}
</details>

{% if view.wrong %}
<h3>Wrong answers</h3>
<p>The surest first: the image, what speaks for the answer, and what speaks for the label.</p>
{{ m.heat_gallery(heat, view.wrong, view.num_in_sight) }}
{% endif %}
{% if view.right %}
<h3>Right answers</h3>
<p>The image, and what speaks for the answer.</p>
{{ m.heat_gallery(heat, view.right, view.num_in_sight, "pairs") }}
{% endif %}
{{ m.heat_bar(heat) }}
<p class="aside">{{ view.how }} The image’s brightness is its own; only the colour is the map’s. A map says where the answer comes from, not what is seen there, and a mark that lies over the object itself looks like the object. One that only few images of a class have may be missed.</p>
{% endif %}
""",
)

"""Where the classifier looks: averages, shortcuts, and single pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from foveal.draw.numbers import percent
from foveal.draw.width import shorten_middle
from foveal.reporting.figures import NUM_WEAKEST, Table, are_many
from foveal.text import count_noun, printable

if TYPE_CHECKING:
    from foveal.shortcuts.explained_run import ExplainedExample, ExplainedRun
    from foveal.shortcuts.separation import ClassSeparation
    from foveal.shortcuts.shown import ShownExplanations

NUM_IN_SIGHT = 6
# Of the border's share against its area, before the page remarks on it.
_MUCH_OUTSIDE = 1.25
_MAX_OUTSIDE = 5


@dataclass(frozen=True, slots=True)
class ShortcutWarning:
    """A place that gives a class away."""

    title: str
    detail: str


@dataclass(frozen=True, slots=True)
class AverageCard:
    """One class: where it is told apart on average."""

    place: str
    name: str
    caption: str


@dataclass(frozen=True, slots=True)
class HeatCard:
    """One picture with its map, and a second one for the label where the answer is wrong."""

    seen: str
    said: str
    label: str | None
    given: str
    answer: str
    chance: str
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


def heat_maps_section(shown: ShownExplanations) -> HeatMapsView | None:
    """Returns the section; None where there are no maps."""
    from foveal.shortcuts.shown import peak_of

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
        right=tuple(card for card in cards if card.label is None),
        wrong=tuple(card for card in cards if card.label is not None),
        how=_how(run),
    )


def shortcut_warnings(run: ExplainedRun) -> Iterator[ShortcutWarning]:
    """Yields a warning for each place that gives a class away."""
    from foveal.shortcuts.border import describe_border
    from foveal.shortcuts.simple import describe_simple, reaching, title_of
    from foveal.shortcuts.wording import describe_shortcut

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
    """Returns the places of all pictures, dearest first."""
    run = shown.run
    places = ["bar", *(f"average-{one.class_index}" for one in _shown_averages(run))]
    for number in range(len(run.examples)):
        places += [f"seen-{number}", f"said-{number}", f"label-{number}"]
    return tuple(place for place in places if place in shown.pictures)


_SIMPLE_NAMES = {
    "colour": "Colour and brightness",
    "border": "The border",
    "pattern": "A fixed pattern",
    "file": "The files’ own properties",
}


def _lead(run: ExplainedRun) -> str:
    from foveal.shortcuts.simple import reaching

    if run.shortcuts:
        what = "One place" if len(run.shortcuts) == 1 else f"{len(run.shortcuts)} places"
        return (
            f"{what} at the border of the picture {'gives' if what == 'One place' else 'give'} "
            "a class away. Look at the pictures before you rely on the figures above."
        )
    if run.borders:
        return (
            "What runs along the border of the picture gives a class away. Look at the pictures "
            "before you rely on the figures above."
        )
    names = [_SIMPLE_NAMES[one.name] for one in reaching(run.simple)]
    if names:
        return (
            f"{' and '.join(names)} alone {'tells' if len(names) == 1 else 'tell'} the classes "
            "apart as well as the network does. Look at the pictures before you rely on the "
            "figures above."
        )
    if run.untested is not None or not run.simple:
        return "Where its answers come from, by pictures that it had not seen."
    return (
        "Nothing was found that gives a class away: no mark or label at a fixed place of the "
        "border, no frame, and neither the colour, the border nor the files’ own properties alone "
        "tell the classes apart as well as the network does. What was not looked for is said below."
    )


def _remarks(run: ExplainedRun) -> Iterator[str]:
    from foveal.shortcuts.simple import NOT_LOOKED_FOR

    if run.untested is not None:
        yield f"Not searched for marks at a fixed place: {run.untested}"
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
            f"has {percent(one.outside_area)} of the picture. If the findings lie in the "
            "middle, look for a frame or a margin."
        )
    if len(outside) > _MAX_OUTSIDE:
        more = count_noun(len(outside) - _MAX_OUTSIDE, "more class", "more classes")
        yield f"The same holds for {more}; the table has them all."


def _is_outside(one: ClassSeparation) -> bool:
    share, area = one.outside_share, one.outside_area
    if share is None or one.gap <= 3 * one.gap_error:
        return False
    # A map of few places has none in the middle, and then nothing can lie outside it.
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
    from foveal.shortcuts.shown import peak_of_example

    *folders, name = shorten_middle(one.path, 60).split("/")
    return HeatCard(
        seen=f"seen-{number}",
        said=f"said-{number}",
        label=None if one.is_right else f"label-{number}",
        given=printable(run.class_names[one.label_index]),
        answer=printable(run.class_names[one.said_index]),
        chance=percent(one.probability),
        path_parts=(*(f"{folder}/" for folder in folders), name),
        full_path=printable(one.path),
        scale=f"{peak_of_example(one):.3g}",
    )


def _how(run: ExplainedRun) -> str:
    rows, columns = run.grid or (0, 0)
    return (
        f"Class activation maps (Zhou et al. 2016) of {count_noun(run.num_images, 'picture')}, "
        f"{rows} by {columns} places each, by heads that had not seen them. The mean of a map "
        f"plus a bias is the logit; here to within {run.max_completeness_error or 0.0:.0e}."
    )

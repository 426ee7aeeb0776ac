"""From the files that were found to the images that were judged: the flow, and each fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from foveal.draw.numbers import percent
from foveal.draw.svg import element, figure, words
from foveal.evaluation.flow import Flow, PartFacts
from foveal.reporting.figures import Cell, Drawing, Table
from foveal.reporting.numbers import count
from foveal.reporting.report_input import ReportInput
from foveal.reporting.section import Section
from foveal.text import count_noun, printable

BOX_PX = 44.0
GAP_PX = 22.0
MAX_REASONS = 4


@dataclass(frozen=True, slots=True)
class FlowStep:
    """One box of the diagram, and what leaves the flow below it."""

    text: str
    note: str
    leaving: str = ""


@dataclass(frozen=True, slots=True)
class FlowView:
    """The diagram and the baseline table."""

    drawing: Drawing
    parts: Table


def flow_steps(flow: Flow) -> tuple[FlowStep, ...]:
    """Returns the boxes from top to bottom."""
    reasons = ", ".join(f"{name} {count(number)}" for name, number in flow.set_aside[:MAX_REASONS])
    more = len(flow.set_aside) - MAX_REASONS
    if more > 0:
        reasons += f" and {count_noun(more, 'other reason')}"
    num_aside = flow.num_files - flow.num_usable
    folds = [part for part in flow.parts if part.name.startswith("Fold")]
    judged = f"{count_noun(flow.num_judged, 'image')} judged"
    unused = (
        f"{count_noun(flow.num_unused, 'image')} not used: the split leaves them out"
        if flow.num_unused
        else ""
    )
    return (
        FlowStep(
            f"{count_noun(flow.num_files, 'file')} found",
            "",
            f"{count(num_aside)} set aside: {reasons}" if num_aside else "",
        ),
        FlowStep(
            f"{count_noun(flow.num_usable, 'usable image')}",
            f"in {count_noun(flow.num_groups, 'group')}, near duplicates together",
            unused,
        ),
        FlowStep(
            judged,
            f"in {count_noun(len(folds), 'fold')}, each by a classifier that had not seen it"
            if folds
            else f"after training on {count_noun(flow.num_only_trained, 'other image')}",
        ),
    )


def draw_flow(steps: Sequence[FlowStep]) -> str:
    """Returns boxes one below the other, with what leaves the flow between them."""
    parts, y = [], 1.0
    for index, step in enumerate(steps):
        parts.append(element("rect", class_="box", x="0%", y=y, width="100%", height=BOX_PX, rx=3))
        baseline = y + BOX_PX / 2 + (4 if not step.note else -3)
        parts.append(words(step.text, class_="row-name", x=12, y=baseline))
        if step.note:
            parts.append(words(step.note, class_="tick", x=12, y=baseline + 17))
        y += BOX_PX
        if index + 1 < len(steps):
            gap = GAP_PX if step.leaving else GAP_PX / 1.5
            parts.append(element("line", class_="axis", x1=20, x2=20, y1=y, y2=y + gap))
            if step.leaving:
                parts.append(words(f"→ {step.leaving}", class_="tick", x=32, y=y + gap / 2 + 4))
            y += gap
    told = "; ".join(
        " ".join(one for one in (step.text, step.note, step.leaving) if one) for step in steps
    )
    return figure(
        parts, title="From files to judged images", description=f"{told}.", height_px=y + 1
    )


def flow_section(flow: Flow, class_names: Sequence[str]) -> FlowView:
    """Returns the diagram and what each fold holds."""
    steps = flow_steps(flow)
    return FlowView(
        Drawing(
            svg=draw_flow(steps),
            caption="From the files that were found to the images that the figures are about.",
            table=Table(
                "From files to judged images",
                ("Step", "Of it", "Left out"),
                tuple((step.text, step.note, step.leaving) for step in steps),
                num_text_columns=3,
            ),
        ),
        _parts_table(flow.parts, class_names),
    )


def _parts_table(parts: Sequence[PartFacts], class_names: Sequence[str]) -> Table:
    rows: list[tuple[Cell | str, ...]] = [
        ("Images", *(count(part.num_images) for part in parts)),
        ("Groups", *(count(part.num_groups) for part in parts)),
        ("Median size (px)", *(_size(part) for part in parts)),
    ]
    for index, name in enumerate(class_names):
        rows.append(
            (
                printable(name),
                *(_share(part.class_counts[index], part) for part in parts),
            )
        )
    traits = parts[0].characteristics if parts else ()
    for index, trait in enumerate(traits):
        for position, (value, _) in enumerate(trait.counts):
            numbers = [part.characteristics[index].counts[position][1] for part in parts]
            rows.append(
                (
                    printable(f"{trait.name}: {value}"),
                    *(_share(number, part) for number, part in zip(numbers, parts, strict=True)),
                )
            )
    return Table("What each fold holds", ("", *(part.name for part in parts)), tuple(rows))


def _share(number: int, part: PartFacts) -> Cell:
    return Cell(count(number), percent(number / part.num_images) if part.num_images else "")


def _size(part: PartFacts) -> str:
    if part.median_height_px is None or part.median_width_px is None:
        return "unknown"
    return f"{part.median_height_px:.0f}×{part.median_width_px:.0f}"


def _view(report: ReportInput) -> FlowView | None:
    flow = report.evidence.flow
    return None if flow is None else flow_section(flow, report.evidence.data.class_names)


FLOW = Section(
    anchor="flow",
    contents="From files to folds",
    heading="Which images the figures are about",
    view=_view,
    absent="Not recorded: this report is of new data, or of a run made before the flow was.",
    html="""\
{{ m.drawing(view.drawing) }}
<details><summary>What each fold holds</summary>
{{ m.table(view.parts, quiet=true) }}
</details>
""",
)

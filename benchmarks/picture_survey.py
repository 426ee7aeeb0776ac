"""Published networks as pictures: geometry, numbers, size and time, as Markdown.

    python -m benchmarks.picture_survey [--library torchvision] [--per-family 1] [--write]

Every torchvision classifier and, of every timm family, its first models are built on the meta
device and drawn: closed, as at first, and wholly open. Checked are: no two boxes overlap and no
wire crosses a box; at most fifteen boxes at first; the figures of the boxes of every level sum
to those of the table, exactly; the page is at most 1 MB. ``--paint`` measures, in Chromium, the
time from opening a page of a network of 1,000 operations to its first paint and to the moment
at which its boxes can be opened. ``--write`` puts all of it into docs/picture-survey.md.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from benchmarks.picture_geometry import faults
from benchmarks.trace_survey import build, timm_models, torchvision_models
from foveal.errors import FovealError
from foveal.graph import trace
from foveal.inspection import Inspection, OpRow, inspect_graph, render_inspection_html
from foveal.inspection.picture.arrangement import arrange
from foveal.inspection.picture.facts import facts_of
from foveal.inspection.picture.picture import MOST_AT_FIRST, Picture, View, picture_of

PAGE = Path(__file__).parents[1] / "docs" / "picture-survey.md"
MOST_BYTES = 1_000_000
NUM_PAINTS = 7


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one network."""

    name: str
    family: str
    problems: tuple[str, ...]
    num_ops: int = 0
    num_at_first: int = 0
    num_boxes: int = 0
    page_bytes: int = 0
    seconds: float = 0.0


def survey_one(library: str, name: str, family: str) -> Answer:
    """Builds, traces, draws and checks one network."""
    try:
        module, shape = build(library, name)
        table = inspect_graph(trace(module, shape, mode="eval"), name=f"{library}:{name}")
    except (FovealError, RuntimeError, ValueError, TypeError, KeyError) as error:
        return Answer(name, family, (f"not traced: {error}",))
    began = time.perf_counter()
    picture = picture_of(table)
    arrangement = arrange(picture)
    seconds = time.perf_counter() - began
    groups = frozenset(node.number for node in picture.nodes() if node.inside is not None)
    wholly = arrange(picture, groups)
    problems = [
        f"{state}: {fault}"
        for state, drawn in (
            ("closed", arrange(picture, ())),
            ("at first", arrangement),
            ("open", wholly),
        )
        for fault in faults(drawn)
    ]
    num_at_first = sum(not box.is_open for box in arrangement.boxes)
    if num_at_first > MOST_AT_FIRST:
        problems.append(f"{num_at_first} boxes at first")
    problems += wrong_sums(picture)
    page = len(render_inspection_html(table).encode("utf-8"))
    if page > MOST_BYTES:
        problems.append(f"the page has {page:,} bytes")
    return Answer(
        name,
        family,
        tuple(problems),
        num_ops=len(table.ops),
        num_at_first=num_at_first,
        num_boxes=sum(not box.is_open for box in wholly.boxes),
        page_bytes=page,
        seconds=seconds,
    )


def wrong_sums(picture: Picture) -> list[str]:
    """Returns where the figures of the boxes are not those of the table."""
    wrong = []
    for name, view, rows in levels(picture):
        facts = [facts_of(picture.table, node.part) for node in view.parts if node.part]
        shown = (
            sum(one.parameters for one in facts),
            sum(one.macs.value or 0 for one in facts),
            sum(one.activation_bytes for one in facts),
        )
        listed = (
            sum(row.parameters for row in rows),
            sum(row.macs.value or 0 for row in rows),
            sum(row.activation_bytes for row in rows),
        )
        if shown != listed:
            wrong.append(f"{name}: {shown}, expected {listed}")
    return wrong


def levels(picture: Picture) -> Iterator[tuple[str, View, Sequence[OpRow]]]:
    """Yields every level with the rows of the table that it stands for."""
    yield "the network", picture.top, picture.table.ops
    for node in picture.nodes():
        if node.inside is not None and node.part is not None:
            part = node.part
            yield part.name, node.inside, picture.table.ops[part.first : part.first + part.size]


class Thousand(nn.Module):
    """1,000 operations without two equal neighbours, so that nothing folds."""

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            nn.Conv2d(8, 8, 3, padding=1 + k % 3, dilation=1 + k % 3, groups=1 + k % 2)
            for k in range(500)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Returns a map of the input's size."""
        for k, conv in enumerate(self.convs):
            x = torch.cat([conv(x), x], 1)[:, :8] if k % 50 == 49 else torch.relu(conv(x))
        return x


def first_paints(table: Inspection) -> tuple[list[float], list[float], int]:
    """Returns milliseconds to the first paint and until boxes open, and the page's bytes."""
    from playwright.sync_api import sync_playwright

    page = render_inspection_html(table).encode("utf-8")
    paints, ready = [], []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as running:
        file = Path(folder) / "page.html"
        file.write_bytes(page)
        browser = running.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        for _ in range(NUM_PAINTS):
            tab = browser.new_page(viewport={"width": 1280, "height": 900})
            tab.add_init_script(
                "new MutationObserver(() => { if (!window.at && document.querySelector("
                "'.fvp[data-ready]')) window.at = performance.now(); }).observe(document, "
                "{subtree: true, attributes: true, childList: true})"
            )
            tab.goto(file.as_uri())
            tab.wait_for_function("window.at && performance.getEntriesByType('paint').length")
            paints.append(
                float(
                    tab.evaluate(
                        "performance.getEntriesByName('first-contentful-paint')[0].startTime"
                    )
                )
            )
            ready.append(float(tab.evaluate("window.at")))
            tab.close()
        browser.close()
    return paints, ready, len(page)


def paint_text() -> str:
    """Returns what the first paint took, as a sentence."""
    table = inspect_graph(trace(Thousand().eval(), (8, 32, 32)), name="1,000 operations")
    paints, ready, num_bytes = first_paints(table)
    return (
        f"A page of {len(table.ops):,} operations that do not fold ({num_bytes:,} bytes) is "
        f"painted after {statistics.median(paints):.0f} ms (median of {len(paints)}, longest "
        f"{max(paints):.0f}) and answers after {statistics.median(ready):.0f} ms (longest "
        f"{max(ready):.0f}), in Chromium on this machine."
    )


def table_text(answers: Sequence[Answer]) -> str:
    """Returns one row a family, the totals, and what went wrong, as Markdown."""
    families: dict[str, list[Answer]] = defaultdict(list)
    for answer in answers:
        families[answer.family].append(answer)
    return "\n".join(
        [
            "| family | networks | without fault | operations, most | boxes at first | "
            "boxes when open, most | page, most (kB) | laid out, longest (ms) |",
            "|---|--:|--:|--:|--:|--:|--:|--:|",
            *(row(family, families[family]) for family in sorted(families)),
            row("**all**", answers),
            "",
            *(
                f"- `{answer.name}`: {'; '.join(answer.problems[:3])}"
                for answer in answers
                if answer.problems
            ),
        ]
    )


def row(label: str, answers: Sequence[Answer]) -> str:
    """Returns one row of the table."""
    sound = sum(not answer.problems for answer in answers)
    return (
        f"| {label} | {len(answers)} | {sound} | {max(a.num_ops for a in answers):,} "
        f"| {min(a.num_at_first for a in answers)}–{max(a.num_at_first for a in answers)} "
        f"| {max(a.num_boxes for a in answers):,} "
        f"| {max(a.page_bytes for a in answers) / 1000:,.0f} "
        f"| {1000 * max(a.seconds for a in answers):,.0f} |"
    )


def chosen_models(library: str, per_family: int) -> list[tuple[str, str]]:
    """Returns every torchvision classifier, or the first models of each family of timm."""
    if library == "torchvision":
        return list(torchvision_models())
    kept: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for name, family in timm_models():
        kept[family].append((name, family))
    return [item for family in kept.values() for item in family[:per_family]]


def survey(library: str, per_family: int) -> list[Answer]:
    """Surveys a library; a line on stderr for each network, which takes a few seconds."""
    models = chosen_models(library, per_family)
    answers = []
    for index, (name, family) in enumerate(models):
        answer = survey_one(library, name, family)
        answers.append(answer)
        said = "; ".join(answer.problems[:3]) or "without fault"
        print(
            f"{index + 1}/{len(models)} {name}: {answer.num_ops} operations, "
            f"{answer.page_bytes // 1000} kB, {said}",
            file=sys.stderr,
            flush=True,
        )
    return answers


def page(per_family: int) -> str:
    """Surveys both libraries and returns the page."""
    parts = ["# Published networks as pictures"]
    counted = "network" if per_family == 1 else per_family
    parts.append(
        "Made by `python -m benchmarks.picture_survey --write`. Every torchvision classifier and "
        f"the first {counted} of each family of timm are drawn closed, as at first, and wholly "
        "open. *Without fault*: no two boxes overlap, no wire crosses a box, at most fifteen "
        "boxes are seen at first, the figures of the boxes of every level sum to those of the "
        "table exactly, and the whole page of `foveal inspect --html` is at most 1 MB."
    )
    parts.append(paint_text())
    for library in ("torchvision", "timm"):
        parts += [f"## {library}", table_text(survey(library, per_family))]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Reads the arguments and prints the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--library", choices=["timm", "torchvision"], default="torchvision")
    parser.add_argument("--per-family", type=int, default=1)
    parser.add_argument("--paint", action="store_true", help="measure the first paint alone")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    options = parser.parse_args()
    if options.write:
        PAGE.write_text(page(options.per_family), encoding="utf-8")
    elif options.paint:
        print(paint_text())
    else:
        print(table_text(survey(options.library, options.per_family)))


if __name__ == "__main__":
    main()

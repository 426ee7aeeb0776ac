"""The section of the report that says where the classifier looks."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from foveal.explanation.cell_centres import even_centres
from foveal.reporting import ReportInput, render_html, render_model_card
from foveal.reporting.sections.heat_maps import heat_maps_section
from foveal.shortcuts.border import BorderReliance
from foveal.shortcuts.explained_run import ExplainedExample, ExplainedRun
from foveal.shortcuts.figures import ShownExplanations, show_explanations
from foveal.shortcuts.marks import CoverTrial, Shortcut, Suspicion
from foveal.shortcuts.separation import HeldOutMaps, separate
from foveal.shortcuts.simple_classifiers import SimpleResult
from foveal.shortcuts.windows import Box, Window

Renamed = Callable[..., ReportInput]
SIZE_PX = 64
SHORTCUT = Shortcut(
    Suspicion(1, Window(5, 5, 2, 2, (7, 7)), 0.83, 9.0),
    Box(0.8, 0.8, 1.0, 1.0),
    CoverTrial(12, 11, 9, 0.5, 3.0, 0.1, 12.0),
)


def shown(*names: str, shortcuts: tuple[Shortcut, ...] = ()) -> ShownExplanations:
    """Explanations of eight images of each class, half of the shown answers wrong."""
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(len(names)), 8)
    signed = random.standard_normal((len(labels), len(names), 7, 7)).astype(np.float32)
    maps = HeldOutMaps(signed, np.zeros((len(labels), len(names)), np.float32), labels)
    examples = tuple(
        ExplainedExample(
            row,
            f"{names[int(labels[row])]}/{row}.png",
            int(labels[row]),
            (int(labels[row]) + row % 2) % len(names),
            0.9,
            0,
            signed[row, (int(labels[row]) + row % 2) % len(names)],
            signed[row, int(labels[row])],
        )
        for row in range(0, len(labels), 3)
    )
    run = ExplainedRun(
        names,
        (7, 7),
        len(labels),
        1e-6,
        tuple(separate(maps, index) for index in range(len(names))),
        shortcuts,
        examples=examples,
    )
    pixels = random.integers(0, 255, (SIZE_PX, SIZE_PX, 3), dtype=np.uint8)
    return show_explanations(
        run,
        by_row=dict.fromkeys(range(len(labels)), pixels),
        by_class=dict.fromkeys(range(len(names)), pixels),
        centres=even_centres((7, 7), (SIZE_PX, SIZE_PX)),
    )


@pytest.fixture
def report(renamed: Renamed) -> ReportInput:
    return replace(renamed("a", "b"), explanations=shown("a", "b", shortcuts=(SHORTCUT,)))


def test_a_shortcut_is_named_at_the_top_and_in_its_section(report: ReportInput) -> None:
    page = render_html(report)
    title = "Something in the lower right corner gives “b” away"
    assert page.count(title) == 2
    assert page.index(title) < page.index('id="meaning"')


def test_the_sentence_has_its_figures(report: ReportInput) -> None:
    assert "83% of what sets “b” apart comes from the lower right corner" in render_html(report)
    assert "covering it changes 9 of 11 right answers" in render_html(report)


def test_the_card_lists_it_among_the_limits(report: ReportInput) -> None:
    card = render_model_card(report)
    assert card.index("83% of what sets") > card.index("## Limits")


def test_without_a_shortcut_nothing_is_accused(renamed: Renamed) -> None:
    found = shown("a", "b")
    run = replace(found.run, simple=(SimpleResult("colour", None, 200, 0.6, 0.95, 0.5),))
    page = render_html(replace(renamed("a", "b"), explanations=replace(found, run=run)))
    assert "Nothing was found that gives a class away" in page
    assert "Not looked for: a mark over the object itself" in page
    assert "away: <a" not in page


def test_a_simple_classifier_as_good_as_the_network_is_named_with_both_figures(
    renamed: Renamed,
) -> None:
    found = shown("a", "b")
    run = replace(found.run, simple=(SimpleResult("border", 0.07, 200, 0.94, 0.95, 0.5),))
    report = replace(renamed("a", "b"), explanations=replace(found, run=run))
    page = render_html(report)
    assert page.count("The border alone tells the classes apart") == 3  # the lead says it too
    sentence = "the outermost 7% of the image on each side reaches 94% on held-out images"
    assert sentence in page
    assert sentence in render_model_card(report)
    (entry,) = run.summary_json()["simple_classifiers"]
    assert (entry["name"], entry["reaches_the_network"]) == ("border", True)


def test_wrong_answers_show_what_speaks_for_either_class(report: ReportInput) -> None:
    assert report.explanations is not None
    wrong = [one for one in report.explanations.run.examples if not one.is_right]
    page = render_html(report)
    assert page.count("What speaks for") == len(report.explanations.run.examples) + len(wrong)


def test_a_missing_picture_becomes_a_placeholder(report: ReportInput) -> None:
    assert report.explanations is not None
    bare = replace(report, explanations=replace(report.explanations, pictures={}))
    assert "What speaks for a: no image" in render_html(bare)


def test_no_maps_say_why(renamed: Renamed) -> None:
    reason = "The features are <no> mean."
    run = ExplainedRun(("a", "b"), reason=reason)
    page = render_html(replace(renamed("a", "b"), explanations=ShownExplanations(run)))
    assert "No heat maps: The features are &lt;no&gt; mean." in page


def test_a_report_without_explanations_says_so(renamed: Renamed) -> None:
    assert "Not measured: heat maps" in render_html(renamed("a", "b"))


@pytest.mark.parametrize("name", ["<script>x</script>", 'a"b', "line\nbreak", "\u202eabc"])
def test_a_hostile_class_name_stays_text(renamed: Renamed, name: str) -> None:
    report = renamed("good", name)
    names = report.evidence.data.class_names
    page = render_html(replace(report, explanations=shown(*names, shortcuts=(SHORTCUT,))))
    assert "<script" not in page
    assert "\u202e" not in page


def test_pictures_are_small_and_of_the_scale(report: ReportInput) -> None:
    assert report.explanations is not None
    for key, content in report.explanations.pictures.items():
        image = Image.open(io.BytesIO(content))
        assert max(image.size) <= 160
        assert not image.info.get("exif"), key


def test_a_class_told_apart_at_the_border_is_remarked_on(renamed: Renamed) -> None:
    labels = np.repeat([0, 1], 8)
    signed = np.random.default_rng(0).normal(0, 0.1, (16, 2, 7, 7)).astype(np.float32)
    signed[:8, 0] += 3.0
    signed[:8, 0, 1:-1, 1:-1] -= 3.0  # a frame all around
    maps = HeldOutMaps(signed, np.zeros((16, 2), np.float32), labels)
    run = ExplainedRun(("a", "b"), (7, 7), 16, 0.0, (separate(maps, 0), separate(maps, 1)))
    page = render_html(replace(renamed("a", "b"), explanations=ShownExplanations(run)))
    assert "sets “a” apart lies outside the central region, which has 49% of the image" in page


def test_a_frame_is_named_too(renamed: Renamed) -> None:
    found = shown("a", "b")
    run = replace(found.run, borders=(BorderReliance(1, 12, 11, 9, 5.0, 12.0),))
    page = render_html(replace(renamed("a", "b"), explanations=replace(found, run=run)))
    assert page.count("What runs along the border gives “b” away") == 2
    assert "changes 9 of 11 right answers for “b”" in page
    (entry,) = run.summary_json()["shortcuts"]
    assert (entry["class"], entry["region"]) == ("b", "border all around")


def test_a_search_that_was_not_made_says_why(renamed: Renamed) -> None:
    found = shown("a", "b")
    run = replace(found.run, untested="too few pictures.")
    page = render_html(replace(renamed("a", "b"), explanations=replace(found, run=run)))
    assert "Not searched for marks at a fixed position: too few pictures." in page
    assert "Nothing was found" not in page


def test_evaluation_json_has_place_class_and_sentence() -> None:
    content = shown("a", "b", shortcuts=(SHORTCUT,)).run.summary_json()
    (shortcut,) = content["shortcuts"]
    assert (shortcut["class"], shortcut["region"]) == ("b", "lower right corner")
    assert shortcut["sentence"].startswith("83% of what sets “b” apart")
    assert content["classes"][0]["separation_map"][0][0] == pytest.approx(
        shown("a", "b").run.separations[0].values[0, 0], abs=1e-4
    )


def test_of_many_classes_a_few_are_shown_and_the_table_has_all() -> None:
    names = tuple(f"sort {number}" for number in range(40))
    given = shown(*names)
    outside = tuple(
        replace(one, outside_share=0.9, outside_area=0.5, gap=9.0, gap_error=0.1)
        for one in given.run.separations
    )
    section = heat_maps_section(replace(given, run=replace(given.run, separations=outside)))
    assert section is not None
    assert len(section.averages) == 12
    assert len(section.table.rows) == 40
    remarks = [text for text in section.remarks if "outside the central region" in text]
    assert len(remarks) == 5
    assert any("same holds for 35 more classes" in text for text in section.remarks)

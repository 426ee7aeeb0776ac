from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from foveal.errors import DataError, UsageError
from foveal.evaluation import measure_ordered
from foveal.evaluation.flow import PartTrait
from foveal.reporting import ReportInput
from foveal.reporting.checklists import CHECKLISTS, find_checklist
from foveal.reporting.checklists import answers as run_answers
from foveal.reporting.checklists.filling import (
    checklist_json,
    describe_filled,
    fill,
    render_checklist_page,
    render_checklist_text,
)
from foveal.reporting.checklists.item import Checklist, RunFacts
from foveal.reporting.checklists.statement import QUESTIONS, read_statement, template
from foveal.reporting.sections import SECTIONS
from foveal.reporting.sections.flow import flow_section
from foveal.shortcuts.explained_run import ExplainedRun

CONFIG = {"class_weights": "auto", "fine_tune": "none", "seed": 0, "reading": {"min_images": 1}}
ANCHORS = {one.anchor for one in SECTIONS} | {"headline", ""}
STARD_SPLIT = {15: "abcd", 16: "abc", 17: "ab", 26: "ab", 40: "ab"}
TRIPOD_SPLIT = {
    3: "abc",
    5: "ab",
    6: "abc",
    8: "abc",
    9: "abc",
    12: "abcdefg",
    18: "abcdef",
    20: "abc",
    23: "ab",
    27: "abc",
}


@pytest.fixture
def facts(cells: ReportInput) -> RunFacts:
    assert cells.provenance is not None
    assert cells.audit is not None
    explanations = ExplainedRun(cells.evidence.data.class_names, grid=(7, 7), num_images=40)
    return RunFacts(cells.evidence, cells.audit, cells.provenance, explanations, CONFIG)


def numbers(count: int, split: dict[int, str]) -> list[str]:
    return [f"{n}{part}" for n in range(1, count + 1) for part in split.get(n, "") or ("",)]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("claim", numbers(44, {})),
        ("tripod-ai", numbers(27, TRIPOD_SPLIT)),
        ("stard-ai", numbers(40, STARD_SPLIT)),
    ],
)
def test_items_are_numbered_as_the_guideline_numbers_them(key: str, expected: list[str]) -> None:
    assert [item.number for item in find_checklist(key).items] == expected


def test_the_guidelines_have_so_many_parts() -> None:
    assert [len(one.items) for one in CHECKLISTS] == [44, 52, 48]


def test_every_item_can_be_answered_and_every_question_is_asked() -> None:
    items = [item for one in CHECKLISTS for item in one.items]
    assert [item for item in items if item.run is None and item.owner is None] == []
    assert {item.owner for item in items if item.owner is not None} == set(QUESTIONS)
    assert [item for item in items if item.needs_both and not (item.run and item.owner)] == []


@pytest.mark.parametrize("checklist", CHECKLISTS, ids=lambda one: one.key)
def test_answers_lead_to_sections_of_the_report(checklist: Checklist, facts: RunFacts) -> None:
    filled = fill(checklist, facts, run_name="run")
    places = {one.run_answer.section for one in filled.items if one.run_answer is not None}
    assert places <= ANCHORS


@pytest.mark.parametrize("checklist", CHECKLISTS, ids=lambda one: one.key)
def test_nothing_is_called_compliant(checklist: Checklist, facts: RunFacts) -> None:
    filled = fill(checklist, facts, {"funding": "None."}, run_name="run")
    for text in (render_checklist_text(filled), render_checklist_page(filled)):
        assert "complian" not in text.casefold()
        assert f"of {len(checklist.items)} {checklist.unit} answered" in " ".join(text.split())


def test_counts_are_those_of_the_marks(facts: RunFacts) -> None:
    filled = fill(find_checklist("claim"), facts, {"funding": "The state."}, run_name="run")
    text = render_checklist_text(filled)
    assert text.count("[x]") == filled.num_answered
    assert text.count("[/]") + text.count("[ ]") == 44 - filled.num_answered
    assert checklist_json(filled)["num_answered"] == filled.num_answered
    assert "1 by or with the statement" in describe_filled(filled)
    assert max(map(len, text.splitlines())) <= 80


def test_a_half_answer_is_not_counted(facts: RunFacts) -> None:
    item = next(one for one in find_checklist("claim").items if one.number == "40")
    checklist = replace(find_checklist("claim"), items=(item,))
    alone = fill(checklist, facts, run_name="run").items[0]
    with_owner = fill(checklist, facts, {"limitations": "One site."}, run_name="run").items[0]
    assert (alone.status, alone.is_answered) == ("half", False)
    assert alone.question
    assert (with_owner.status, with_owner.is_answered, with_owner.question) == ("both", True, "")


def test_what_a_run_did_not_measure_is_asked_of_its_owner(facts: RunFacts) -> None:
    bare = replace(facts, evidence=replace(facts.evidence, subgroups=None, stability=None))
    claim = {one.item.number: one for one in fill(CHECKLISTS[0], bare, run_name="run").items}
    tripod = {one.item.number: one for one in fill(CHECKLISTS[1], bare, run_name="run").items}
    assert claim["30"].status == "open"
    assert claim["33"].question == QUESTIONS["external"]
    assert tripod["14"].question == QUESTIONS["fairness"]
    assert tripod["23b"].status == "open"


def test_fairness_needs_a_column_that_the_owner_named(facts: RunFacts) -> None:
    subgroups = facts.evidence.subgroups
    assert subgroups is not None
    files = tuple(trait for trait in subgroups.traits if trait.origin == "file")
    technical = replace(facts.evidence, subgroups=replace(subgroups, traits=files))
    assert run_answers.fairness(facts) is not None
    assert run_answers.fairness(replace(facts, evidence=technical)) is None


def test_sets_of_several_labels_are_the_indeterminate_results(facts: RunFacts) -> None:
    sets = facts.evidence.prediction_sets
    assert sets is not None
    answer = run_answers.indeterminate(facts)
    assert answer is not None
    several = sum(sets.size_counts[2:])
    assert f"indeterminate result: {several:,} of {sum(sets.size_counts):,} images" in answer.text


def test_an_evaluation_elsewhere_answers_what_only_it_can(facts: RunFacts) -> None:
    elsewhere = replace(facts, external=facts.evidence)
    for key, number in (("claim", "33"), ("stard-ai", "29"), ("tripod-ai", "20c")):
        before = {o.item.number: o for o in fill(find_checklist(key), facts, run_name="r").items}
        after = {o.item.number: o for o in fill(find_checklist(key), elsewhere, run_name="r").items}
        assert (before[number].status, after[number].status) == ("open", "run")


def test_grades_tell_severity(facts: RunFacts) -> None:
    names = facts.evidence.data.class_names
    labels = np.repeat(np.arange(len(names)), facts.evidence.data.class_counts)
    ordered = measure_ordered(
        labels, labels, np.arange(len(labels)), class_names=names, order=names, origin="given"
    )
    assert run_answers.severity(facts) is None
    graded = replace(facts, evidence=replace(facts.evidence, ordered=ordered))
    assert run_answers.severity(graded) is not None


def test_the_template_asks_every_question_once_and_can_be_read(tmp_path: Path) -> None:
    text = template(CHECKLISTS)
    assert set(tomllib.loads(text)) == set(QUESTIONS)
    path = tmp_path / "statement.toml"
    path.write_text(text)
    assert read_statement(path) == {}
    path.write_text(text.replace('funding = ""', 'funding = """\nThe\nstate. """'))
    assert read_statement(path) == {"funding": "The state."}


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ('fundng = "x"', UsageError, "Did you mean 'funding'"),
        ("funding = 3", UsageError, "got 3 for 'funding', expected a text"),
        ("funding = state", DataError, "no TOML in UTF-8"),
        ('[funding]\nby = "x"', UsageError, "expected a text"),
    ],
)
def test_a_statement_that_cannot_be_says_why(
    tmp_path: Path, text: str, kind: type[Exception], said: str
) -> None:
    path = tmp_path / "statement.toml"
    path.write_text(text)
    with pytest.raises(kind, match=said):
        read_statement(path)


def test_hostile_answers_are_escaped(facts: RunFacts) -> None:
    filled = fill(CHECKLISTS[0], facts, {"funding": "<script>x\x1b[2J"}, run_name="<b>")
    page = render_checklist_page(filled)
    assert "<script>x" not in page
    assert "<b>&" not in page
    assert "\x1b" not in page + render_checklist_text(filled)


def test_an_unknown_checklist_is_answered_with_the_near_one() -> None:
    with pytest.raises(UsageError, match="no checklist named 'tripod'"):
        find_checklist("tripod")


def test_characteristics_are_whole_where_the_owner_named_columns(facts: RunFacts) -> None:
    flow = facts.evidence.flow
    assert flow is not None
    parts = tuple(
        replace(part, characteristics=(PartTrait("sex", (("f", 3), ("m", part.num_images - 3))),))
        for part in flow.parts
    )
    named = replace(facts, evidence=replace(facts.evidence, flow=replace(flow, parts=parts)))
    item = next(one for one in find_checklist("claim").items if one.number == "36")
    checklist = replace(find_checklist("claim"), items=(item,))
    without = fill(checklist, facts, run_name="run").items[0]
    with_columns = fill(checklist, named, run_name="run").items[0]
    assert (without.status, bool(without.question)) == ("half", True)
    assert (with_columns.status, with_columns.question) == ("run", "")
    assert with_columns.run_answer is not None
    assert "classes, sizes and sex by fold" in with_columns.run_answer.text
    shown = flow_section(replace(flow, parts=parts), facts.evidence.data.class_names).parts.rows
    assert [row[0] for row in shown][-2:] == ["sex: f", "sex: m"]

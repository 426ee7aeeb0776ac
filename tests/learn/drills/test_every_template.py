"""What holds for every drill. ``make bench ARGS=drills`` tries 1,000 seeds of each."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from itertools import pairwise

import pytest
from benchmarks.drills import disagreements, weaknesses
from hypothesis import given, settings
from hypothesis import strategies as st

from foveal.errors import UsageError
from foveal.learn.drills import TEMPLATES, Template, template, templates_of
from foveal.learn.drills.template import LEVELS, PLAIN
from foveal.learn.mistakes import MISTAKES, mistake_kind

SEEDS = 8

every_template = pytest.mark.parametrize("drill", TEMPLATES, ids=lambda drill: drill.name)


@every_template
def test_pytorch_and_the_engine_agree(drill: Template) -> None:
    for level in LEVELS:
        for seed in range(SEEDS):
            assert list(disagreements(drill.exercise(seed, level), drill)) == []


@every_template
def test_every_spelling_is_read_and_every_mistake_diagnosed(drill: Template) -> None:
    for level in LEVELS:
        for seed in range(SEEDS):
            assert list(weaknesses(drill.exercise(seed, level))) == []


@given(st.sampled_from(TEMPLATES), st.integers(0, 10**9), st.sampled_from(LEVELS))
@settings(max_examples=100, deadline=None)
def test_any_seed_makes_a_sound_exercise(drill: Template, seed: int, level: int) -> None:
    assert list(weaknesses(drill.exercise(seed, level))) == []


@every_template
def test_levels_get_harder(drill: Template) -> None:
    steps = [[len(drill.exercise(seed, level).steps) for seed in range(SEEDS)] for level in LEVELS]
    for easier, harder in pairwise(steps):
        assert sum(easier) < sum(harder)


@every_template
def test_traps_come_in_equal_shares(drill: Template) -> None:
    seeds = range(2 * len(drill.traps))
    for level in LEVELS:
        found = Counter(trap for seed in seeds for trap in drill.exercise(seed, level).traps)
        assert found == {trap: 2 for trap in drill.traps if trap != PLAIN}


@every_template
def test_variants_differ(drill: Template) -> None:
    questions = {
        (each.question, each.fields, each.figure)
        for each in (drill.exercise(seed, 2) for seed in range(20))
    }
    assert len(questions) > 14


@every_template
def test_a_seed_gives_the_same_exercise_again(drill: Template) -> None:
    assert drill.exercise(5, 2) == drill.exercise(5, 2)


def test_names_are_unique() -> None:
    names = [drill.name for drill in TEMPLATES]
    assert sorted(set(names)) == sorted(names)


def test_drilling_needs_no_torch() -> None:
    code = (
        "import sys; from foveal.learn.drills import TEMPLATES; "
        "[drill.exercise(1, 3) for drill in TEMPLATES]; "
        "print(sorted({'torch', 'numpy', 'click'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "[]\n"


def test_a_wrong_name_is_answered_with_near_ones() -> None:
    with pytest.raises(UsageError, match="Did you mean convolution-shape"):
        template("convolution-shapes")


def test_a_topic_has_its_own_drills_first() -> None:
    found = templates_of(23)
    assert found[0].topic == 23
    assert all(23 in (each.topic, *each.also_topics) for each in found)


@pytest.mark.parametrize(("seed", "level"), [(0, 0), (0, 4), (-1, 1)])
def test_a_level_or_seed_that_is_none_is_refused(seed: int, level: int) -> None:
    with pytest.raises(UsageError, match="expected"):
        TEMPLATES[0].exercise(seed, level)


# What the sentence of a mistake says must be there in the exercise.
SPEAKS_OF = {
    "full width": ("width", "reduce", "expand"),
    "1×1": ("1×1", "kernel_size=1", "pointwise", "shortcut"),
    "weights of its own": ("shortcut",),
    "batch norm": ("batch norm", "BatchNorm"),
    "+ 1 the windows": ("kernel_size", "Pool"),
    "every side": ("padding",),
}


@every_template
def test_a_mistake_speaks_only_of_what_is_there(drill: Template) -> None:
    for level in LEVELS:
        for seed in range(2 * len(drill.traps)):
            exercise = drill.exercise(seed, level)
            there = exercise.question + "".join(field.label for field in exercise.fields)
            for field in exercise.fields:
                for mistake in field.mistakes:
                    for words, needed in SPEAKS_OF.items():
                        if words in mistake_kind(mistake.code).sentence:
                            assert any(word in there for word in needed), mistake


def test_a_padding_that_is_far_off_is_not_called_one_too_many() -> None:
    for seed in range(20):
        for field in template("same-padding").exercise(seed, 3).fields:
            for mistake in field.mistakes:
                if mistake.code == "kernel-as-padding":
                    assert mistake.value == field.answer + 1  # type: ignore[operator]


def test_every_mistake_of_the_table_is_made_by_some_drill() -> None:
    made = {
        mistake.code
        for drill in TEMPLATES
        for level in LEVELS
        for seed in range(2 * len(drill.traps))
        for field in drill.exercise(seed, level).fields
        for mistake in field.mistakes
    }
    assert {kind.code for kind in MISTAKES} == made

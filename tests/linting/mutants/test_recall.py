"""Each rule speaks on its mutants and is silent on what they were made of.

The table of all mutants is ``python -m benchmarks.lint_mutants``; here each mutation meets
the own networks of the zoo that build fastest.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def mutants() -> Iterator[Any]:
    sys.path.insert(0, str(ROOT))
    import benchmarks.lint_mutants as package

    yield package
    sys.path.remove(str(ROOT))


def test_every_rule_has_a_mutation(mutants: Any) -> None:
    from foveal.linting import RULES

    assert {mutation.code for mutation in mutants.MUTATIONS} == {rule.code for rule in RULES}


@pytest.mark.slow
def test_published_kinds_of_faults_are_named_and_their_twins_are_silent(mutants: Any) -> None:
    from benchmarks.lint_faults.__main__ import GOAL, judge
    from benchmarks.lint_faults.known import FAULTS
    from benchmarks.lint_faults.unseen import UNSEEN

    # All of them are in docs/lint-faults.md; every fourth keeps the suite short.
    known = [judge(fault) for fault in FAULTS[::4]]
    unseen = [judge(fault) for fault in UNSEEN[1::8]]
    assert [verdict.fault.title for verdict in known if not verdict.is_found] == []
    assert [verdict.fault.title for verdict in (*known, *unseen) if verdict.sound] == []
    assert sum(verdict.is_found for verdict in unseen) >= GOAL * len(unseen)


@pytest.mark.slow
def test_rules_speak_on_mutants_alone(mutants: Any) -> None:
    from benchmarks.lint_mutants.mutant import examine

    small = ("ResNet 16", "VGG 16", "VGG 16, plain", "MobileNet 16")
    missed, accused = [], []
    for mutation in mutants.MUTATIONS:
        for mutant in mutants.make_mutants(mutation, among=small):
            name = f"{mutation.code} {mutant.name}: {mutation.title}"
            if examine(mutant.healthy, [mutation.code]).count("warning"):
                accused.append(name)
            if not examine(mutant.broken, [mutation.code]).of(mutation.code):
                missed.append(name)
    assert missed == []
    assert accused == []

"""Contracts that every rule keeps."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from foveal.linting import RULES, Rule
from foveal.linting.rules import FAMILIES

ROOT = Path(__file__).parents[3]


def test_codes_are_unique() -> None:
    assert len({rule.code for rule in RULES}) == len(RULES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_code_names_the_family_and_the_page(rule: Rule) -> None:
    assert re.fullmatch(r"(S1|W2|B3|T4)\d\d", rule.code)
    assert rule.family == FAMILIES[rule.code[0]]
    assert (ROOT / rule.docs).is_file()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_title_is_a_phrase_and_topics_exist(rule: Rule) -> None:
    assert not rule.title.endswith(".")
    assert set(rule.topics) <= set(range(1, 28))

"""The page on explaining: its examples run, in order, and its figures are the code's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

from foveal.explanation import cost_of_judging
from foveal.explanation.faithfulness import SIMILARITY_LIMIT
from foveal.explanation.heat_map import VerdictLevel
from foveal.explanation.methods import METHODS

PAGE = (Path(__file__).parents[2] / "docs" / "explaining.md").read_text(encoding="utf-8")


def test_examples_run_and_hold(capsys):
    names: dict[str, Any] = {}
    for block in re.findall(r"^```python\n(.*?)^```", PAGE, re.S | re.M):
        exec(block, names)
    assert capsys.readouterr().out.splitlines() == [
        "Cost(forward_passes=200, remakes=0)",
        "Cost(forward_passes=282, remakes=6)",
    ]


def test_every_method_and_level_has_its_row():
    rows = re.findall(r"^\| `([^`]+)` \|", PAGE, re.M)
    assert set(rows) >= {*(method.name for method in METHODS), *get_args(VerdictLevel)}


def test_costs_and_limits_are_those_of_the_code():
    quick = cost_of_judging(1).forward_passes
    full = cost_of_judging(1, effort="full", remakes=True)
    assert f"| {quick} passes |" in PAGE
    assert f"| {full.forward_passes} passes, {full.remakes} maps |" in PAGE
    assert f"rank correlation is below {SIMILARITY_LIMIT}" in PAGE

"""What an operating point is asked with: a rule, costs, or a table of costs."""

from __future__ import annotations

from pathlib import Path

import pytest

from foveal.errors import UsageError
from foveal.evaluation.operating_rule import AtLeast, LeastCost
from foveal.training import TrainConfig
from foveal.training.operating_choice import read_choice, read_cost_file


def test_a_choice_is_a_rule_or_costs_or_none() -> None:
    assert read_choice(None, None, None) is None
    assert read_choice("npv>=0.9 for a", None, 0.5) == AtLeast("npv", 0.9, "a")
    assert read_choice(None, "missed=2,false=1 for a", None) == LeastCost(2, 1, "a")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (",good,bad\ngood,0,1\nbad,10,0\n", LeastCost(10, 1, "bad")),
        ("given,good,bad\ngood,0,5\nbad,3,0\n", LeastCost(5, 3, "good")),
        # A right answer may cost as well: only the difference counts.
        (",good,bad\ngood,1,2\nbad,11,4\n", LeastCost(7, 1, "bad")),
        ("\ufeff,good, bad\n\ngood,0,1\nbad, 1 ,0\n", LeastCost(1, 1, "bad")),
    ],
)
def test_a_table_of_two_classes_is_a_pair_of_costs(
    tmp_path: Path, text: str, expected: LeastCost
) -> None:
    file = tmp_path / "costs.csv"
    file.write_text(text, "utf-8")
    assert read_cost_file(file) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected the names of two classes"),
        (",a\na,0\n", "expected the names of two classes"),
        (",a,b\na,0,1\n", "expected the names of two classes"),
        (",a,b\nb,0,1\na,1,0\n", "expected the names of two classes"),
        (",a,a\na,0,1\na,1,0\n", "expected the names of two classes"),
        (",a,b\na,0,x\nb,1,0\n", "expected numbers"),
        (",a,b\na,0,nan\nb,1,0\n", "expected numbers"),
        (",a,b\na,0,-1\nb,1,0\n", "no wrong answer cheaper"),
        (",a,b\na,0,0\nb,0,0\n", "one dearer"),
        (",a,b,c\na,0,1,1\nb,1,0,1\nc,1,1,0\n", "of 3 classes"),
    ],
)
def test_what_is_no_such_table_is_refused(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "costs.csv"
    file.write_text(text, "utf-8")
    with pytest.raises(UsageError) as caught:
        read_cost_file(file)
    assert said in str(caught.value)


@pytest.mark.parametrize("name", ["folder", "missing.csv", "binary.csv"])
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(UsageError, match=name):
        read_cost_file(tmp_path / name)


def test_a_file_is_read_once_and_kept_as_what_it_says(tmp_path: Path) -> None:
    file = tmp_path / "costs.csv"
    file.write_text(",good,bad\ngood,0,1\nbad,10,0\n")
    config = TrainConfig(costs=str(file))
    file.unlink()
    assert config.costs == "missed=10,false=1 for bad"
    assert config.rule == LeastCost(10, 1, "bad")


@pytest.mark.parametrize(
    "choices",
    [
        {"prevalence": 0.1},
        {"operate": "npv>=0.9 for a", "prevalence": -0.1},
        {"operate": "npv>=0.9 for a", "costs": "missed=1,false=1 for a"},
        {"operate": "npv=0.9 for a"},
    ],
)
def test_a_config_refuses_what_cannot_be_meant(choices: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        TrainConfig(**choices)  # type: ignore[arg-type]

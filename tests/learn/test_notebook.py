from __future__ import annotations

import subprocess
import sys

import pytest
from torch import nn

from foveal.errors import UsageError
from foveal.learn import drill


def test_a_mistake_is_named_when_an_answer_is_checked() -> None:
    # 128·64·9 + 128 = 73,856 is the kind of count that is asked here.
    asked = drill("convolution-parameters", seed=0)
    field = asked.exercise.fields[0]
    forgotten = next(each for each in field.mistakes if each.code == "bias-forgotten")
    checked = asked.check(f"{forgotten.value:,}")
    assert not checked
    assert "the bias was forgotten" in str(checked)
    assert asked.check(f"{field.answer:,}").is_right


def test_several_blanks_are_answered_in_order_or_by_key() -> None:
    asked = drill("network-shapes", seed=0)
    right = {field.key: "×".join(map(str, field.answer)) for field in asked.exercise.fields}
    assert asked.check(*right.values())
    assert asked.check(**right)


def test_a_notebook_shows_it_as_html_with_words_for_its_drawing() -> None:
    asked = drill("cross-correlation", seed=0)
    shown = asked._repr_html_()
    assert 'role="img" aria-label="Map x, 4 by 4' in shown
    assert "<code>" in shown
    assert "```" not in shown
    assert "✗" in asked.check("12345")._repr_html_()


def test_what_a_learner_types_is_escaped() -> None:
    shown = drill("convolution-shape").check("<script>alert(1)</script>")._repr_html_()
    assert "<script>" not in shown


def test_a_topic_takes_its_drills_in_turn() -> None:
    names = {drill(15, seed=seed).exercise.template for seed in range(5)}
    assert len(names) == 5


def test_another_variant_and_a_harder_one() -> None:
    asked = drill("field-growth", seed=3)
    assert asked.another().exercise.seed == 4
    assert asked.harder().exercise.level == 2
    assert len(asked.harder().exercise.steps) > len(asked.exercise.steps)


def test_ones_own_network() -> None:
    net = nn.Sequential(nn.Conv2d(1, 6, 5), nn.MaxPool2d(2))
    asked = drill("own-shapes", on=net, input_shape=(1, 28, 28), level=2)
    assert asked.check("6x24x24", "6x12x12")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: drill("convolution-shap"), "Did you mean convolution-shape"),
        (lambda: drill(25), "Topic 25 has no drills; topics with drills are 1, 2, 4"),
        (lambda: drill(2, level=4), "level is 4, expected 1, 2 or 3"),
        (lambda: drill(2).check("1", "2"), "got 2 answers, expected at most 1"),
        (lambda: drill(2).check(nothing="1"), "no blank 'nothing'"),
        (
            lambda: drill("own-macs", on=nn.Sequential(nn.Linear(3, 2)), input_shape=(1, 4, 3)),
            "no drill 'own-macs'",
        ),
    ],
)
def test_a_wrong_call_says_what_is_expected(call: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        call()  # type: ignore[operator]


def test_importing_the_room_waits_for_nothing() -> None:
    code = (
        "import sys, foveal.learn; print('foveal.learn.drills' in sys.modules); "
        "foveal.learn.drill(2); print('torch' in sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "False\nFalse\n"


def test_hint_solution_and_proof_show_as_html_and_print_as_text() -> None:
    asked = drill("convolution-shape", seed=1, level=2)
    assert asked.solution()._repr_html_().startswith("<ol><li>after <code>conv1</code>")
    assert "1. after `conv1`" in asked.solution()
    assert asked.proof()._repr_html_().startswith("<pre><code>import torch")
    assert asked.hint()._repr_html_() == f"<p>{asked.hint()}</p>"
    exec(asked.proof(), {})  # a string all the same


def test_an_answer_may_be_what_python_has() -> None:
    asked = drill("convolution-shape", seed=1)
    shape = asked.exercise.fields[0].answer
    assert asked.check(shape)
    assert asked.check((1, *shape))

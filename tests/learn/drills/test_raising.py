from __future__ import annotations

import pytest

from foveal.learn.drills import template


@pytest.mark.parametrize("seed", range(16))
def test_each_other_reason_is_answered_by_its_own_words(seed: int) -> None:
    why = template("which-line-raises").exercise(seed, 1 + seed % 3).field("why")
    told = [choice.feedback for choice in why.choices if choice.mistake]
    assert len(set(told)) == len(told) == 3
    assert all(text.endswith(".") and "→" not in text for text in told)


@pytest.mark.parametrize("level", [1, 2, 3])
def test_a_network_that_runs_is_said_to_run(level: int) -> None:
    drill = template("which-line-raises")
    running = drill.exercise(drill.traps.index("runs"), level)
    assert "if any does" in running.question
    assert [step.text for step in running.steps[-2:]] == [
        "So every line runs.",
        "Nothing is wrong.",
    ]

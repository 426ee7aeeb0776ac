"""What is said of the kind of classifier that was kept."""

from __future__ import annotations

import pytest

from foveal.evaluation import Candidate, Interval, ModelChoice, describe_choice

LINEAR = Candidate("linear", 0.55, None, None)


def gaining(kind: str, low: float, high: float) -> Candidate:
    return Candidate(kind, 0.6, None, Interval((low + high) / 2, low, high))


@pytest.mark.parametrize(
    "others",
    [
        # The kernel beats linear, and not the stages; the stages beat nothing.
        [gaining("stages", -0.04, 0.34), gaining("kernel", 0.02, 0.59)],
        [gaining("stages", 0.0, 0.2), gaining("kernel", 0.1, 0.3)],
        [gaining("stages", -0.3, -0.1), gaining("kernel", 0.1, 0.3)],
    ],
)
def test_a_kind_that_beats_nothing_is_not_said_to(others: list[Candidate]) -> None:
    said = " ".join(describe_choice(ModelChoice("stages", (LINEAR, *others))))
    assert "it beats" not in said
    assert "each kind listed before it is beaten beyond chance by one listed after" in said


def test_of_two_kinds_the_better_is_said_to_beat_the_simpler() -> None:
    said = describe_choice(ModelChoice("stages", (LINEAR, gaining("stages", 0.05, 0.2))))
    assert said[-1] == (
        "The kind stages was kept: it beats what is simpler beyond chance, and nothing beats it."
    )


def test_the_third_kind_is_not_said_to_beat_the_second_unmeasured() -> None:
    # Only gains over the simplest are recorded.
    others = (gaining("stages", 0.05, 0.2), gaining("kernel", 0.1, 0.3))
    said = describe_choice(ModelChoice("kernel", (LINEAR, *others)))[-1]
    assert said.startswith("The kind kernel was kept: each kind listed before it is beaten")

"""The measure of coverage itself: its closed forms are those of a large sample."""

from __future__ import annotations

import pytest
from benchmarks.interval_coverage import Case, draw, figures, truths


@pytest.mark.parametrize("case", [Case(8_000, 1, 0.0, 0.3), Case(8_000, 4, 0.3, 0.3)])
def test_the_population_is_what_a_large_sample_shows(case: Case) -> None:
    expected = truths(case)
    found = figures(draw(case, 0), 0)
    assert set(found) == set(expected) - (
        {"spread between groups"} if case.per_group == 1 else set()
    )
    for name, interval in found.items():
        # Slope and intercept are in logits, all others are shares.
        within = 0.15 if name.startswith("calibration") else 0.03
        assert interval.estimate == pytest.approx(expected[name], abs=within), name

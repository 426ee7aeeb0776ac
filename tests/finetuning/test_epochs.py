"""What is shown while a network trains."""

from __future__ import annotations

import pytest

from foveal.finetuning.epochs import TABLE_HEADER, EpochRow, describe_gap, table_line


def row(epoch: int, train: float, validation: float | None, loss: float | None = 0.5) -> EpochRow:
    return EpochRow(epoch, 0.4, train, loss, validation, 1e-3, 123.4)


@pytest.mark.parametrize(
    "shown",
    [
        EpochRow(0, float("nan"), 0.5, None, None, 0.0, 0.0),
        EpochRow(100, 12.345, 1.0, 1234.5, 0.0, 1e-3, 12345.0),
    ],
)
def test_a_line_fits_a_terminal(shown: EpochRow) -> None:
    assert len(TABLE_HEADER) <= 80
    assert len(table_line(shown, 12345.0)) <= 80


def test_of_the_start_no_rate_and_no_speed_is_shown() -> None:
    start = table_line(EpochRow(0, float("nan"), 0.938, None, None, 0.0, 0.0))
    assert start.split() == ["0", "93.8%"]


def test_cells_end_under_the_ends_of_their_names() -> None:
    line = table_line(EpochRow(3, 0.913, 0.861, 0.552, 0.75, 1e-3, 123.0), 42.0)
    ends = [line.index(cell) + len(cell) for cell in ("1.0e-03", " 123", "42")]
    assert ends == [TABLE_HEADER.index(name) + len(name) for name in ("rate", "images/s", "s left")]


def test_a_gap_within_chance_is_none() -> None:
    said = describe_gap([row(1, 0.9, 0.85)], kept_epoch=1, num_validation=20)
    assert said.endswith("no more of a gap than chance makes with 20 images.")


def test_a_gap_beyond_chance_is_said_with_what_narrows_it() -> None:
    said = describe_gap(
        [row(1, 0.95, 0.8, 0.5), row(2, 0.99, 0.8, 0.7)], kept_epoch=1, num_validation=1000
    )
    assert "95.0% of training images and 80.0% of the inner split are right" in said
    assert "a gap of 15.0 points" in said
    assert "It grew with further epochs, which were discarded." in said
    assert "stronger augmentation" in said


def test_without_an_inner_split_nothing_is_claimed() -> None:
    said = describe_gap([row(1, 0.9, None, None)], kept_epoch=1, num_validation=0)
    assert said.startswith("Without an inner split nobody can say")

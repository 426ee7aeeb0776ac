"""A small share of ``make fuzz``: damaged files are read or refused, and nothing else."""

from __future__ import annotations

import pytest
from benchmarks.fuzz import mutate, outcome_of, sound_files

FILES = sound_files()
NUMBER = 60


@pytest.mark.parametrize("name", FILES)
def test_sound_files_are_read(name):
    assert {outcome_of(data) for data in FILES[name]} == {"read"}


@pytest.mark.parametrize("name", FILES)
def test_damaged_files_are_read_or_refused(name):
    outcomes = {outcome_of(mutate(FILES, name, number, seed=8)) for number in range(NUMBER)}
    assert outcomes <= {"read", "refused"}


def test_a_damaged_file_can_be_made_again():
    again = sound_files()
    assert all(mutate(FILES, name, 5) == mutate(again, name, 5) for name in FILES)

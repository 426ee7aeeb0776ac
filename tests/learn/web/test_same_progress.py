"""The page and the terminal take the same files of progress, and refuse the same ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from foveal.errors import ProgressError
from foveal.learn.progress import parse_progress

GOOD: dict[str, Any] = {
    "id": "5f0c",
    "skill": "output-size",
    "template": "convolution-size",
    "seed": 7,
    "level": 1,
    "grade": "again",
    "hinted": False,
    "answer": {"size": "63.5"},
    "mistakes": ["no-floor"],
    "at_utc": "2026-11-28T18:00:00+00:00",
}
CHANGES: tuple[dict[str, Any], ...] = (
    {},
    {"at_utc": "2026-11-28T18:00:00.123Z"},
    {"at_utc": "2026-11-28T20:00:00+02:00"},
    {"at_utc": "2026-11-28T18:00:00"},
    {"at_utc": "1999-01-01T00:00:00+00:00"},
    {"at_utc": "2026-13-28T18:00:00+00:00"},
    {"at_utc": 5},
    {"id": ""},
    {"id": "a" * 65},
    {"id": "../x"},
    {"seed": -1},
    {"seed": 2**53},
    {"seed": 1.5},
    {"seed": True},
    {"seed": "7"},
    {"level": 0},
    {"level": 10},
    {"grade": "easy"},
    {"hinted": 0},
    {"answer": []},
    {"answer": {"size": 5}},
    {"answer": {"": "5"}},
    {"answer": {"size": "5" * 5001}},
    {"answer": {f"k{index}": "" for index in range(65)}},
    {"mistakes": "no-floor"},
    {"mistakes": [1]},
    {"mistakes": ["a"] * 65},
    {"skill": "x" * 121},
    {"skill": " padded"},
    {"skill": "a\u202eb"},
    {"skill": "a\nb"},
    {"skill": "a\u200bb"},
    {"skill": "Größe 大きさ"},
    {"skill": None},
    {"more": "is left out"},
)
SCRIPT = """(texts) => texts.map((text) => {
  try { return progress.parse(text).map((review) => review.id); }
  catch (error) { return error.message; }
})"""


def text_of(change: dict[str, Any]) -> str:
    review = {name: value for name, value in {**GOOD, **change}.items() if value is not None}
    return json.dumps({"schema": "foveal.learn.progress", "version": 1, "reviews": [review]})


def taken_here(text: str) -> bool:
    try:
        parse_progress(text.encode())
    except ProgressError:
        return False
    return True


def test_the_same_files_are_taken_and_refused(run_script: Callable[..., Any]) -> None:
    files = [text_of(change) for change in CHANGES]
    files += [
        "",
        "[]",
        "{}",
        "null",
        '{"schema": "foveal.learn.progress", "version": 2, "reviews": []}',
        '{"schema": "foveal.learn.progress", "version": true, "reviews": []}',
        '{"schema": "foveal.learn.progress", "version": 1, "reviews": {}}',
        '{"schema": "foveal.learn.progress", "version": 1, "reviews": [NaN]}',
        '\ufeff{"schema": "foveal.learn.progress", "version": 1, "reviews": []}',
    ]
    found = run_script(SCRIPT, files)
    differ = [
        (text[-160:], result)
        for text, result in zip(files, found, strict=True)
        if taken_here(text) != isinstance(result, list)
    ]
    assert differ == []


def test_two_files_are_one_with_each_id_once(run_script: Callable[..., Any]) -> None:
    script = """([here, there]) => progress.merge(here, there).map((r) => [r.id, r.grade])"""
    later = {**GOOD, "id": "b", "at_utc": "2026-11-29T00:00:00Z"}
    earlier = {**GOOD, "id": "c", "at_utc": "2026-11-27T00:00:00Z"}
    twin = {**GOOD, "grade": "good"}
    merged = run_script(script, [[GOOD], [later, twin, earlier, later]])
    assert merged == [["c", "again"], ["5f0c", "again"], ["b", "again"]]


def test_a_skill_is_weak_after_a_wrong_answer_and_strong_after_three_right_ones(
    run_script: Callable[..., Any],
) -> None:
    script = """(grades) => progress.stateOf(progress.standings(grades.map((grade, n) => ({
      id: String(n), skill: "s", template: "t", grade, at_utc: `2026-11-28T18:0${n}:00Z`,
    }))).get("s"))"""
    stated = {
        "": "new",
        "good": "learning",
        "good good good": "strong",
        "good good hard": "learning",
        "good good good again": "weak",
        "again good": "learning",
    }
    for grades, state in stated.items():
        assert run_script(script, grades.split()) == state, grades


@pytest.mark.parametrize("review", [GOOD])
def test_what_the_page_writes_the_terminal_reads(
    run_script: Callable[..., Any], review: dict[str, Any]
) -> None:
    written = run_script("(reviews) => progress.dump(reviews)", [review])
    assert [each.id for each in parse_progress(written.encode())] == [review["id"]]

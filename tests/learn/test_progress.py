"""Progress as JSON: both ways, and nothing hostile gets in."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foveal.errors import ProgressError
from foveal.learn.progress import Review, dump_progress, parse_progress, review_from_json

AT = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
GOOD: dict[str, Any] = {
    "id": "a1", "skill": "output-size", "template": "convolution-size", "seed": 7, "level": 1,
    "grade": "again", "hinted": False, "answer": {"size": "63.5"}, "mistakes": ["no-floor"],
    "at_utc": "2026-11-28T12:00:00+00:00",
}  # fmt: skip


def file_of(**changes: Any) -> bytes:
    review = {**GOOD, **changes}
    content = {"schema": "foveal.learn.progress", "version": 1, "reviews": [review]}
    return json.dumps(content).encode()


def test_a_file_comes_back_as_it_was() -> None:
    review = Review("a1", "s", "t", 7, 1, "hard", True, {"n": "73 856"}, ("no-floor",), AT)
    assert parse_progress(dump_progress([review])) == (review,)


texts = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=0, max_size=40)


@given(st.dictionaries(st.sampled_from(["a", "b", "flat"]), texts), st.integers(0, 2**53 - 1))
def test_any_answer_survives(answer: dict[str, str], seed: int) -> None:
    review = Review("a1", "s", "t", seed, 3, "good", False, answer, (), AT)
    assert parse_progress(dump_progress([review])) == (review,)


def test_a_time_of_another_zone_becomes_utc() -> None:
    (review,) = parse_progress(file_of(at_utc="2026-11-28T21:00:00+09:00"))
    assert review.at_utc == AT
    assert review.at_utc.tzinfo is UTC


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id": ""}, "'id' is ''"),
        ({"id": "../../etc"}, "'id'"),
        ({"id": 5}, "'id' is 5"),
        ({"skill": "a\x1b[2Jb"}, r"'skill' is 'a\\x1b"),
        ({"skill": "x" * 121}, "'skill'"),
        ({"skill": "\u202ekcatta"}, "'skill'"),
        ({"template": None}, "'template' is None"),
        ({"seed": -1}, "'seed' is -1, expected 0 to"),
        ({"seed": 2**53}, "'seed'"),
        ({"seed": 1.5}, "'seed' is 1.5, expected a whole number"),
        ({"seed": True}, "'seed' is True"),
        ({"level": 0}, "'level' is 0, expected 1 to 9"),
        ({"grade": "easy"}, "'grade' is 'easy', expected again, hard or good"),
        ({"grade": ["good"]}, "'grade'"),
        ({"hinted": 1}, "'hinted' is 1, expected true or false"),
        ({"answer": "63"}, "'answer'"),
        ({"answer": {"a": 1}}, "'answer'"),
        ({"answer": {"a": "x" * 5001}}, "'answer'"),
        ({"answer": {"a\nb": "1"}}, "'answer'"),
        ({"answer": {str(i): "" for i in range(65)}}, "'answer'"),
        ({"mistakes": "no-floor"}, "'mistakes'"),
        ({"mistakes": ["a\x00"]}, "'mistakes'"),
        ({"at_utc": "yesterday"}, "'at_utc' is 'yesterday'"),
        ({"at_utc": "2026-11-28T12:00:00"}, "'at_utc'"),
        ({"at_utc": "0001-01-01T00:00:00+14:00"}, "'at_utc'"),
        ({"at_utc": "9999-12-31T23:59:59-14:00"}, "'at_utc'"),
        ({"at_utc": 1764331200}, "'at_utc'"),
    ],
)
def test_a_review_that_cannot_be_is_refused_by_name(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ProgressError, match=message):
        parse_progress(file_of(**changes))


@pytest.mark.parametrize("name", list(GOOD))
def test_a_missing_part_is_named(name: str) -> None:
    rest = {key: value for key, value in GOOD.items() if key != name}
    with pytest.raises(ProgressError, match=f"'{name}' is missing"):
        review_from_json(rest)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no JSON file"),
        (b"\xff\xfe\x00", "no JSON file"),
        (b"[" * 100_000, "no JSON file"),
        (b'{"schema": NaN}', "NaN is no number of JSON"),
        (b'{"n": ' + b"9" * 10_000 + b"}", "no JSON file"),
        (b"[]", "not of the kind"),
        (b'{"schema": "other"}', "not of the kind"),
        (b'{"schema": "foveal.learn.progress", "version": "1"}', "version is '1'"),
        (b'{"schema": "foveal.learn.progress", "version": 2}', "got version 2, .* reads up to 1"),
        (b'{"schema": "foveal.learn.progress", "version": 1}', "'reviews' is None"),
        (b'{"schema": "foveal.learn.progress", "version": 1, "reviews": [7]}', r"reviews\[0\]"),
    ],
)
def test_a_file_that_is_none_is_refused_in_words(content: bytes, message: str) -> None:
    with pytest.raises(ProgressError, match=message):
        parse_progress(content)


def test_unknown_parts_of_a_later_writer_are_passed_over() -> None:
    (review,) = parse_progress(file_of(browser="Firefox"))
    assert review.id == "a1"


def test_reviews_are_written_oldest_first() -> None:
    old = Review("b", "s", "t", 1, 1, "good", False, {}, (), AT - timedelta(days=1))
    new = Review("a", "s", "t", 1, 1, "good", False, {}, (), AT)
    assert [review.id for review in parse_progress(dump_progress([new, old]))] == ["b", "a"]

"""Reviews as data, and the JSON that terminal, web page and teachers exchange.

::

    {"schema": "foveal.learn.progress", "version": 1, "reviews": [
      {"id": "5f0c...", "skill": "output-size", "template": "convolution-size", "seed": 7,
       "level": 1, "grade": "again", "hinted": false, "answer": {"size": "63.5"},
       "mistakes": ["no-floor"], "at_utc": "2026-11-28T18:00:00+00:00"}]}

A review's id is unique, so two files are merged by taking each id once. What comes from
outside is checked before any of it is kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal, cast, get_args

from foveal.errors import ProgressError
from foveal.text import printable

SCHEMA: Final = "foveal.learn.progress"
VERSION: Final = 1
MAX_BYTES: Final = 64 * 1024 * 1024

Grade = Literal["again", "hard", "good"]
GRADES: Final[tuple[Grade, ...]] = get_args(Grade)
"""Wrong, right with a hint, right."""

_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_MAX_NAME = 120
_MAX_ANSWER = 5000
_MAX_PARTS = 64
_MAX_WHOLE = 2**53 - 1  # what JavaScript counts exactly
_YEARS = range(2000, 2200)


@dataclass(frozen=True, slots=True)
class Review:
    """One exercise that was answered.

    Attributes:
        id: Unique for ever; merging relies on it.
        skill: What was trained.
        template: The drill or question.
        seed: Which variant.
        level: Of the variant.
        grade: ``"again"`` wrong, ``"hard"`` right with a hint, ``"good"`` right.
        hinted: Whether a hint was seen before the answer.
        answer: The first answer as it was typed, by field.
        mistakes: Codes of the mistakes in it.
        at_utc: When, in ``timezone.utc``.
    """

    id: str
    skill: str
    template: str
    seed: int
    level: int
    grade: Grade
    hinted: bool
    answer: Mapping[str, str]
    mistakes: tuple[str, ...]
    at_utc: datetime

    def to_json(self) -> dict[str, Any]:
        """Returns the review as JSON holds it."""
        return {
            "id": self.id,
            "skill": self.skill,
            "template": self.template,
            "seed": self.seed,
            "level": self.level,
            "grade": self.grade,
            "hinted": self.hinted,
            "answer": dict(self.answer),
            "mistakes": list(self.mistakes),
            "at_utc": self.at_utc.isoformat(),
        }


def review_from_json(content: object, *, where: str = "review") -> Review:
    """Returns the review, checked.

    Raises:
        ProgressError: A part is missing or cannot be such; names it.
    """
    if not isinstance(content, Mapping):
        raise ProgressError(f"{where}: got {_shown(content)}, expected an object.")

    def part(name: str) -> object:
        if name not in content:
            raise ProgressError(f"{where}: {name!r} is missing.")
        return content[name]

    def refuse(name: str, expected: str) -> ProgressError:
        return ProgressError(
            f"{where}: {name!r} is {_shown(content.get(name))}, expected {expected}."
        )

    def name_in(name: str) -> str:
        value = part(name)
        if not _is_name(value):
            raise refuse(name, f"a printable word of at most {_MAX_NAME} characters")
        return cast(str, value)

    def whole(name: str, lowest: int, highest: int) -> int:
        value = part(name)
        if isinstance(value, bool) or not isinstance(value, int):
            raise refuse(name, "a whole number")
        if not lowest <= value <= highest:
            raise refuse(name, f"{lowest} to {highest}")
        return value

    identity = part("id")
    if not isinstance(identity, str) or not _ID.fullmatch(identity):
        raise refuse("id", "1 to 64 letters, digits, dots, colons and dashes")
    grade = part("grade")
    if grade not in GRADES:
        raise refuse("grade", "again, hard or good")
    hinted = part("hinted")
    if not isinstance(hinted, bool):
        raise refuse("hinted", "true or false")
    answer = part("answer")
    if not (
        isinstance(answer, Mapping)
        and len(answer) <= _MAX_PARTS
        and all(_is_name(key) for key in answer)
        and all(isinstance(text, str) and len(text) <= _MAX_ANSWER for text in answer.values())
    ):
        raise refuse("answer", f"an object of texts, each of at most {_MAX_ANSWER:,} characters")
    mistakes = part("mistakes")
    if not (
        isinstance(mistakes, list)
        and len(mistakes) <= _MAX_PARTS
        and all(_is_name(code) for code in mistakes)
    ):
        raise refuse("mistakes", "a list of codes")
    return Review(
        id=identity,
        skill=name_in("skill"),
        template=name_in("template"),
        seed=whole("seed", 0, _MAX_WHOLE),
        level=whole("level", 1, 9),
        grade=grade,
        hinted=hinted,
        answer=dict(answer),
        mistakes=tuple(mistakes),
        at_utc=_time(part("at_utc"), refuse("at_utc", "a time such as 2026-11-28T18:00:00+00:00")),
    )


def dump_progress(reviews: Sequence[Review]) -> bytes:
    """Returns the reviews as a JSON file's bytes, oldest first."""
    ordered = sorted(reviews, key=lambda review: (review.at_utc, review.id))
    content = {
        "schema": SCHEMA,
        "version": VERSION,
        "reviews": [review.to_json() for review in ordered],
    }
    return (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode("utf-8", "replace")


def parse_progress(content: bytes) -> tuple[Review, ...]:
    """Returns the reviews of a JSON file.

    Raises:
        ProgressError: It is no such file, of a newer version, or a review in it is damaged.
    """
    if len(content) > MAX_BYTES:
        raise ProgressError(
            f"progress: got {len(content):,} bytes, expected at most {MAX_BYTES:,}."
        )
    try:
        data = json.loads(content.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        reason = printable(str(error))[:100]
        raise ProgressError(
            f"progress: this is no JSON file ({reason}).",
            next_step="Write one with: foveal learn progress export FILE",
        ) from error
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        raise ProgressError(
            f"progress: this file is not of the kind {SCHEMA!r}.",
            next_step="Write one with: foveal learn progress export FILE",
        )
    version = data.get("version")
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise ProgressError(f"progress: version is {_shown(version)}, expected {VERSION}.")
    if version > VERSION:
        raise ProgressError(
            f"progress: got version {version}, and this Foveal reads up to {VERSION}.",
            next_step="Install a newer Foveal.",
        )
    reviews = data.get("reviews")
    if not isinstance(reviews, list):
        raise ProgressError(f"progress: 'reviews' is {_shown(reviews)}, expected a list.")
    return tuple(
        review_from_json(each, where=f"progress: reviews[{index}]")
        for index, each in enumerate(reviews)
    )


def _is_name(value: object) -> bool:
    return (
        isinstance(value, str)
        and 0 < len(value) <= _MAX_NAME
        and printable(value) == value
        and value.strip() == value
    )


def _time(value: object, refusal: ProgressError) -> datetime:
    if not isinstance(value, str):
        raise refusal
    try:
        found = datetime.fromisoformat(value)
        if found.tzinfo is None:
            raise refusal
        # FSRS compares with `timezone.utc` itself, not with what is equal to it.
        found = found.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise refusal from error
    if found.year not in _YEARS:
        raise refusal
    return found


def _shown(value: object) -> str:
    text = printable(repr(value))
    return text if len(text) <= 60 else f"{text[:59]}…"


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")

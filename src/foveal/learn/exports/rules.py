"""What marks a blank, as a list of rules that other programs can hold.

The first rule that fits decides. They stand in the order in which ``marking`` looks: what is
right, each named mistake, and then rounded forms of a mistake's value.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from foveal.learn.answers import read, spell
from foveal.learn.exercise import Field, Value

# As in marking: a learner's 503 is a mistake's 503.04, and 0.119 its 0.1185.
_NEAR_INTEGER = 0.006
_NEAR_NUMBER = 0.01


@dataclass(frozen=True, slots=True)
class Rule:
    """One answer, or a range of them, and what is said to it.

    Attributes:
        value: The answer; of a range its middle.
        is_right: Whether it is a right one.
        feedback: What to say, in the course's markup.
        mistake: Code of the named mistake; empty where there is none.
        tolerance: Greatest distance from ``value``, where that is a number.
        spellings: Ways to write it, where an answer is compared as text; the first one is
            the plainest. None of them is a spelling of an earlier rule.
        is_rounded: Whether it is a rounded form of a mistake's value, told of already.
    """

    value: Value
    is_right: bool
    feedback: str
    mistake: str = ""
    tolerance: float = 0.0
    spellings: tuple[str, ...] = ()
    is_rounded: bool = False


def rules_of(field: Field) -> tuple[Rule, ...]:
    """Returns the rules of a blank, none for one that is answered in words."""
    if field.kind == "open":
        return ()
    rules = list(_rules(field))
    if field.kind in ("integer", "number"):
        return tuple(rules)
    seen: set[str] = set()
    spelled = []
    for rule in rules:
        ways = tuple(way for way in _spellings(field, rule.value) if way.casefold() not in seen)
        seen.update(way.casefold() for way in ways)
        if ways:
            spelled.append(replace(rule, spellings=ways))
    return tuple(spelled)


def how_to_write(field: Field) -> str:
    """Returns how an answer is to be typed where spellings are not read as freely as here."""
    match field.kind:
        case "integer":
            return "Write digits only, like 12345."
        case "number":
            return "Write a decimal number, like 0.25."
        case "shape" if isinstance(field.answer, tuple):
            sizes = (3, 32, 48, 5, 7, 9)[: len(field.answer)]
            return f"Write the sizes like {'x'.join(map(str, sizes))}, without the batch axis."
        case "order":
            return f"Write the {len(field.choices)} letters in order, with a space between them."
        case "match":
            return f"Write {len(field.items)} letters, with a space between them."
        case "boolean":
            return "Write true or false."
        case "choice":
            return "Write the letter."
        case _:
            return ""


def _rules(field: Field) -> Iterator[Rule]:
    for value in (field.answer, *field.also):
        told = next((c.feedback for c in field.choices if c.key == value and c.feedback), "")
        right = f"{_shown(field, value)} is right. {told}".strip()
        yield Rule(value, True, right, tolerance=field.tolerance)
    named = {mistake.value for mistake in field.mistakes}
    for mistake in field.mistakes:
        is_between = field.kind == "integer" and isinstance(mistake.value, float)
        tolerance = _NEAR_INTEGER if is_between else field.tolerance
        yield Rule(mistake.value, False, mistake.feedback, mistake.code, tolerance)
    for mistake in field.mistakes:
        rule = Rule(mistake.value, False, mistake.feedback, mistake.code, is_rounded=True)
        yield from _rounded(field, rule)
    if isinstance(field.answer, bool) and not named:
        yield Rule(not field.answer, False, f"{_shown(field, not field.answer)} is not right.")
    if field.kind == "choice":
        for choice in field.choices:
            if choice.key != field.answer and choice.key not in named:
                told = choice.feedback or f"{_shown(field, choice.key)} is not right."
                yield Rule(choice.key, False, told, choice.mistake)


def _rounded(field: Field, rule: Rule) -> Iterator[Rule]:
    value = rule.value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    if field.kind == "number" and value:
        # |given - value| <= 1 % of the larger of the two.
        ends = sorted((value * (1 - _NEAR_NUMBER), value / (1 - _NEAR_NUMBER)))
        middle = (ends[0] + ends[1]) / 2
        yield replace(rule, value=middle, tolerance=(ends[1] - ends[0]) / 2)
    elif field.kind == "integer" and isinstance(value, float):
        yield replace(rule, value=math.floor(value))
        yield replace(rule, value=math.ceil(value))


def _shown(field: Field, value: Value) -> str:
    text = next((choice.text for choice in field.choices if choice.key == value), None)
    return spell(value, field.unit) if text is None else text.rstrip(".")


def _spellings(field: Field, value: Value) -> Iterator[str]:
    """Yields ways to write a value that are read as this value, and as no other."""
    for way in dict.fromkeys(_candidates(field, value)):
        if read(field, way) == value:
            yield way


def _candidates(field: Field, value: Value) -> Iterator[str]:
    if isinstance(value, bool):
        yield from ("true", "yes", "t") if value else ("false", "no", "f")
    elif isinstance(value, str):
        yield value
    elif isinstance(value, tuple) and field.kind == "shape":
        for sizes in (value, (1, *value)):
            parts = [str(size) for size in sizes]
            for between in ("x", "×", " x ", " × ", ", ", ",", "*", " "):
                yield between.join(parts)
            yield f"({', '.join(parts)})"
            yield f"({','.join(parts)})"
            yield f"[{', '.join(parts)}]"
    elif isinstance(value, tuple):
        keys = [str(key) for key in value]
        for between in (" ", "", ", ", ",", " > ", "-"):
            yield between.join(keys)
        yield " ".join(f"{number}{key}" for number, key in enumerate(keys, start=1))

"""Makes an ``Exercise`` of a question in the words in which it is written.

One function a kind of question. The position of the right choice is drawn from the question's own
name, so that it is the same everywhere and nowhere a habit.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from foveal.learn.exercise import Choice, Exercise, Field, Mistake, Step, Value

KEYS = "abcdefgh"
PREFIX = "quiz:"

Wrong = tuple[str, str]
"""A wrong choice and what is wrong with the reasoning that leads to it."""


def choose(
    name: str, question: str, right: str, *wrong: Wrong, reasons: str, hint: str
) -> Exercise:
    """Returns a question with one right choice; each wrong one comes with its feedback."""
    options = [(right, ""), *wrong]
    _shuffle(name, options)
    choices = tuple(
        Choice(KEYS[index], text, feedback or reasons)
        for index, (text, feedback) in enumerate(options)
    )
    answer = next(choice.key for choice in choices if choice.text == right)
    field = Field("answer", "Your choice", "choice", answer, choices=choices)
    return _exercise(name, question, (field,), reasons=reasons, hint=hint)


def decide(
    name: str, statement: str, answer: bool, *, otherwise: str, reasons: str, hint: str
) -> Exercise:
    """Returns a statement that is true or false.

    Args:
        name: Topic and number, as ``"15-2"``.
        statement: What is claimed.
        answer: Whether it holds.
        otherwise: Where the reasoning of those who say the opposite goes wrong.
        reasons: Why it holds or does not.
        hint: A help to begin.
    """
    field = Field(
        "answer",
        "True or false",
        "boolean",
        answer,
        mistakes=(Mistake("other-way-round", not answer, 0, otherwise),),
    )
    return _exercise(name, f"True or false? {statement}", (field,), reasons=reasons, hint=hint)


def compute(
    name: str,
    question: str,
    *fields: Field,
    steps: Sequence[str],
    proof: str,
    reasons: str,
    hint: str,
) -> Exercise:
    """Returns a question whose answers are numbers or shapes.

    Args:
        name: Topic and number, as ``"15-1"``.
        question: What is asked.
        *fields: The blanks.
        steps: The worked solution, line by line.
        proof: Runnable PyTorch that prints the answers, one line for each blank.
        reasons: Why it is so.
        hint: A help to begin.
    """
    worked = tuple(Step(text) for text in steps)
    return _exercise(name, question, fields, steps=worked, proof=proof, reasons=reasons, hint=hint)


def arrange(name: str, question: str, *steps: tuple[str, str], reasons: str, hint: str) -> Exercise:
    """Returns a question whose parts are to be put in order.

    Args:
        name: Topic and number, as ``"14-1"``.
        question: What is asked.
        *steps: In the right order: what is shown, and why it stands there.
        reasons: Why this order.
        hint: A help to begin.
    """
    options = list(steps)
    drawn = name
    while _is_straight([options.index(step) for step in steps]):
        _shuffle(drawn, options)
        drawn += "'"
    keys = {text: KEYS[index] for index, (text, _) in enumerate(options)}
    field = Field(
        "answer",
        "The order",
        "order",
        tuple(keys[text] for text, _ in steps),
        choices=tuple(Choice(keys[text], text, why) for text, why in options),
    )
    worked = tuple(Step(f"{text} ({why})", keys[text]) for text, why in steps)
    return _exercise(name, question, (field,), steps=worked, reasons=reasons, hint=hint)


def assign(
    name: str,
    question: str,
    options: Sequence[str],
    *pairs: tuple[str, str, str],
    reasons: str,
    hint: str,
) -> Exercise:
    """Returns a question that matches items with options.

    Args:
        name: Topic and number, as ``"3-1"``.
        question: What is asked.
        options: What there is to match with, in the order shown.
        *pairs: An item, its option, and why; shown in another order.
        reasons: Why it is so.
        hint: A help to begin.
    """
    keys = {text: KEYS[index] for index, text in enumerate(options)}
    items = list(pairs)
    drawn = name
    while _is_straight([keys[option] for _, option, _ in items]):
        random.Random(drawn).shuffle(items)
        drawn += "'"
    field = Field(
        "answer",
        "A letter for each number",
        "match",
        tuple(keys[option] for _, option, _ in items),
        choices=tuple(Choice(key, text) for text, key in keys.items()),
        items=tuple(item for item, _, _ in items),
    )
    worked = tuple(
        Step(f"{item}: {option}. {why[:1].upper()}{why[1:]}", keys[option])
        for item, option, why in items
    )
    return _exercise(name, question, (field,), steps=worked, reasons=reasons, hint=hint)


def explain(
    name: str, question: str, *, model: str, checklist: Sequence[str], hint: str
) -> Exercise:
    """Returns an open question; the learner marks it by a checklist beside a model answer."""
    field = Field("answer", "In your own words", "open", model, checklist=tuple(checklist))
    return _exercise(name, question, (field,), reasons=model, hint=hint)


def number(
    key: str,
    label: str,
    answer: float,
    *mistakes: tuple[str, float, str],
    unit: str = "",
    tolerance: float = 0.0,
    follow: str = "",
) -> Field:
    """Returns a blank for a number; whole numbers are exact unless a tolerance is given."""
    exact = isinstance(answer, int) and not tolerance
    return Field(
        key,
        label,
        "integer" if exact else "number",
        answer,
        mistakes=tuple(Mistake(code, value, 0, told) for code, value, told in mistakes),
        unit=unit,
        tolerance=tolerance,
        follow=follow,
    )


def shape(
    key: str,
    label: str,
    answer: tuple[int, ...],
    *mistakes: tuple[str, tuple[int, ...], str],
    follow: str = "",
) -> Field:
    """Returns a blank for a shape, without the batch axis."""
    return Field(
        key,
        label,
        "shape",
        answer,
        mistakes=tuple(Mistake(code, value, 0, told) for code, value, told in mistakes),
        follow=follow,
    )


def _shuffle(name: str, options: list[tuple[str, str]]) -> None:
    # A shuffle of a seeded generator is the same on every machine and version of Python.
    order = list(options)
    while True:
        random.Random(name).shuffle(options)
        if len(options) < 3 or options != order:
            return
        name += "'"


def _is_straight(positions: Sequence[str] | Sequence[int]) -> bool:
    """Returns whether an answer only runs through the letters, forwards or backwards."""
    return list(positions) in (sorted(positions), sorted(positions, reverse=True))


def _exercise(
    name: str,
    question: str,
    fields: tuple[Field, ...],
    *,
    reasons: str,
    hint: str,
    steps: tuple[Step, ...] = (),
    proof: str = "",
) -> Exercise:
    topic = int(name.split("-")[0])
    return Exercise(
        template=f"{PREFIX}{name}",
        seed=0,
        level=1,
        topic=topic,
        skill=f"facts-{topic}",
        question=question,
        fields=fields,
        steps=steps,
        hint=hint,
        proof=proof,
        reasons=reasons,
    )


__all__ = [
    "PREFIX",
    "Value",
    "arrange",
    "assign",
    "choose",
    "compute",
    "decide",
    "explain",
    "number",
    "shape",
]

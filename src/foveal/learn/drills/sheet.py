"""Writes one instance of a drill: the blanks, their mistakes and the worked solution together.

The right value comes from the engine. Next to it stands the formula that a learner would use,
and it must give the same; the formulas of mistakes are followed in the same way.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from foveal.learn.answers import equal, spell
from foveal.learn.drills.chance import Chance
from foveal.learn.exercise import Choice, Field, Figure, Kind, Mistake, Step, Value
from foveal.learn.formula import FormulaError, evaluate, pretty, substituted
from foveal.learn.mistakes import mistake_kind

_LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Wrong:
    """A mistake and the formula that one follows with it.

    Attributes:
        code: Of ``MISTAKES``.
        formula: Its value; may use the keys of earlier blanks.
        step: The worked step where it enters; None: the step that fills the blank.
    """

    code: str
    formula: str
    step: int | None = None


@dataclass
class Sheet:
    """An instance in the making.

    Attributes:
        question: What is asked.
        hint: One sentence that helps to begin.
        proof: PyTorch that prints the answers, one line a blank.
        reasons: Why it is so.
        figure: A drawing for the question.
        solution_figure: A drawing that gives the answer away.
        traps: The traps that hold, by the instance's own numbers.
        lenient: Whether mistakes that cannot be told apart here are named together, and those
            that give the right answer left out. Otherwise such an instance is rejected.
        given: What the question gives, by name; formulas may use it.
        values: The right values of the blanks so far, by key.
    """

    question: str = ""
    hint: str = ""
    proof: str = ""
    reasons: str = ""
    figure: Figure | None = None
    solution_figure: Figure | None = None
    traps: frozenset[str] = frozenset()
    fields: list[Field] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    lenient: bool = False
    given: dict[str, Value] = field(default_factory=dict)
    values: dict[str, Value] = field(default_factory=dict)

    def step(self, text: str, value: Value | None = None) -> int:
        """Adds a step to the worked solution and returns its index."""
        self.steps.append(Step(text, value))
        return len(self.steps) - 1

    def blank(
        self,
        key: str,
        label: str,
        answer: Value,
        formula: str,
        *,
        wrong: Iterable[Wrong | tuple[str, str]] = (),
        kind: Kind | None = None,
        unit: str = "",
        tolerance: float = 0.0,
        told: str = "",
    ) -> None:
        """Adds a blank and the step that fills it.

        Args:
            key: Name, for formulas of later blanks.
            label: What stands before it.
            answer: The right value, from the engine.
            formula: The way to it; may use the keys of earlier blanks.
            wrong: Mistakes. One whose formula has no value here is left out.
            kind: integer or shape by the answer's type if None.
            unit: Said after the blank.
            tolerance: Only for kind ``"number"``.
            told: What the step says before its formula.
        """
        formula = self._grounded(formula)
        if not _same(evaluate(formula, self.values), answer):
            raise AssertionError(f"{key}: {formula} is not {answer}")
        shown = pretty(formula, self.values)
        result = spell(answer, unit)
        own = f"{shown} = {result}" if shown != _bare(answer) else result
        index = self.step(f"{told} {own}" if told else f"{label}: {own}", answer)
        if kind is None:
            kind = "shape" if isinstance(answer, tuple) else "integer"
        field = Field(
            key,
            label,
            kind,
            answer,
            unit=unit,
            tolerance=tolerance,
            follow=formula if self._uses_values(formula) else "",
            step=index,
        )
        found = tuple(
            mistake
            for each in wrong
            if (mistake := self._mistake(each if isinstance(each, Wrong) else Wrong(*each), index))
        )
        if self.lenient:
            found = _told_apart(field, found)
        self.fields.append(replace(field, mistakes=found))
        self.values[key] = answer

    def choice(
        self,
        key: str,
        label: str,
        right: tuple[str, str],
        wrong: Sequence[tuple[str, str, str]],
        order: Sequence[str],
        *,
        told: str,
    ) -> None:
        """Adds a multiple choice.

        Args:
            key: Name of the blank.
            label: What is asked.
            right: Text and feedback of the right choice.
            wrong: Text, code of the mistake and feedback of each wrong one.
            order: All the texts, in the order in which they are shown.
            told: The step of the solution.
        """
        index = self.step(told)
        entries = [(right[0], "", right[1]), *wrong]
        ordered = sorted(entries, key=lambda entry: order.index(entry[0]))
        choices = tuple(
            Choice(_LETTERS[position], text, feedback, mistake)
            for position, (text, mistake, feedback) in enumerate(ordered)
        )
        answer = next(choice.key for choice in choices if not choice.mistake)
        self.fields.append(
            Field(
                key,
                label,
                "choice",
                answer,
                choices=choices,
                mistakes=tuple(
                    Mistake(each.mistake, each.key, index, each.feedback)
                    for each in choices
                    if each.mistake
                ),
                step=index,
            )
        )
        self.values[key] = answer

    def boolean(self, key: str, label: str, answer: bool, code: str, *, told: str) -> None:
        """Adds a statement that is true or false, and the mistake of those who say otherwise."""
        index = self.step(told, answer)
        kind = mistake_kind(code)
        feedback = f"It looks like {kind.title}. {told}"
        mistakes = (Mistake(code, not answer, index, feedback),)
        self.fields.append(Field(key, label, "boolean", answer, mistakes, step=index))
        self.values[key] = answer

    def order(
        self,
        key: str,
        label: str,
        letters: str,
        values: Sequence[float],
        wrong: Mapping[str, Sequence[float]],
        texts: Sequence[str],
    ) -> None:
        """Adds things to be put in order, the smallest first, and a step for each of them.

        Args:
            key: Name of the blank.
            label: Which end comes first.
            letters: Keys of the things.
            values: What they are ordered by.
            wrong: For each mistake the values that one orders by with it. It is left out where
                two of them are equal or where the order stays right.
            texts: The things.
        """
        for letter, text, value in zip(letters, texts, values, strict=True):
            self.step(f"{letter}) {text}: {spell(value)}", value)
        answer = _ordered(letters, values)
        index = self.step(f"{label}: {' '.join(answer)}", answer)
        orders = {answer}
        mistakes = []
        for code, others in wrong.items():
            other = _ordered(letters, others)
            if len(set(others)) < len(others) or other in orders:
                continue
            orders.add(other)
            kind = mistake_kind(code)
            told = f"It looks like {kind.title}: {' '.join(other)}. {kind.sentence}"
            mistakes.append(Mistake(code, other, index, told))
        choices = tuple(Choice(*each) for each in zip(letters, texts, strict=True))
        self.fields.append(
            Field(key, label, "order", answer, tuple(mistakes), choices=choices, step=index)
        )
        self.values[key] = answer

    def _grounded(self, formula: str) -> str:
        """Returns the formula with numbers for what is given; only keys of blanks are left."""
        return substituted(formula, self.given) if self.given else formula

    def _uses_values(self, formula: str) -> bool:
        return any(re.search(rf"\b{key}\b", formula) for key in self.values)

    def _mistake(self, wrong: Wrong, index: int) -> Mistake | None:
        formula = self._grounded(wrong.formula)
        try:
            value = evaluate(formula, self.values)
        except FormulaError:
            return None
        kind = mistake_kind(wrong.code)
        shown = pretty(formula, self.values)
        way = f" {shown} = {spell(value)}" if shown != _bare(value) else ""
        return Mistake(
            wrong.code,
            value,
            index if wrong.step is None else wrong.step,
            f"It looks like {kind.title}:{way}. {kind.sentence}"
            if way
            else f"It looks like {kind.title}. {kind.sentence}",
            follow=formula if self._uses_values(formula) else "",
        )


Make = Callable[[Chance, int, str], Sheet | None]


def _bare(value: Value) -> str:
    """Returns the value as ``pretty`` would write it."""
    return spell(value).replace(",", "").replace("-", "−")


def bracketed(number: int) -> str:
    """Returns the number for a formula, a negative one in brackets.

    >>> bracketed(3), bracketed(-3)
    ('3', '(-3)')
    """
    return f"({number})" if number < 0 else str(number)


def enumerated(parts: Sequence[str]) -> str:
    """Returns the parts as English lists them.

    >>> enumerated(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))


def _same(value: Value, answer: Value) -> bool:
    if isinstance(value, int | float) and isinstance(answer, int | float):
        return math.isclose(value, answer, rel_tol=1e-9, abs_tol=1e-12)
    return value == answer


def _ordered(letters: str, values: Sequence[float]) -> tuple[str, ...]:
    return tuple(letter for _, letter in sorted(zip(values, letters, strict=True)))


def _told_apart(field: Field, mistakes: tuple[Mistake, ...]) -> tuple[Mistake, ...]:
    """Returns mistakes with different values; one that stands for two names both."""
    found: list[Mistake] = []
    for mistake in mistakes:
        if equal(field, mistake.value, field.answer):
            continue
        position = next(
            (n for n, m in enumerate(found) if equal(field, m.value, mistake.value)), None
        )
        if position is None:
            found.append(mistake)
        else:
            also = mistake.feedback.replace("It looks like", "Or")
            found[position] = replace(
                found[position], feedback=f"{found[position].feedback} {also}"
            )
    return tuple(found)

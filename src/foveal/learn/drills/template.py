"""A drill: a pure function from template, seed and level to an exercise.

The seed chooses the trap, ``traps[seed % len(traps)]``, so that over any n seeds each trap
comes in equal share; the rest is drawn, again and again, until that trap and no other holds
and no mistake leads to the right answer or to another mistake's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from foveal.errors import UsageError
from foveal.learn.answers import equal
from foveal.learn.drills.chance import Chance
from foveal.learn.drills.sheet import Make, Sheet
from foveal.learn.exercise import Exercise, Field, Value

LEVELS = (1, 2, 3)
PLAIN = "plain"  # the stratum without a trap
_MAX_ATTEMPTS = 400


@dataclass(frozen=True, slots=True)
class Template:
    """One drill.

    Attributes:
        name: Stable name, such as ``"convolution-size"``.
        title: What it asks, as a noun phrase.
        topic: Number of the topic, 1 to 27.
        skill: What it trains; reviews schedule skills.
        make: Draws an instance for a level and a trap; None: try again.
        traps: The strata; ``"plain"`` is the one without a trap.
        also_topics: Further topics that it belongs to.
        direction: Whether the result is asked or a setting that leads to it.
        proof: Whether the proof needs only shapes or real numbers.
    """

    name: str
    title: str
    topic: int
    skill: str
    make: Make
    traps: tuple[str, ...] = (PLAIN,)
    also_topics: tuple[int, ...] = ()
    direction: Literal["forwards", "backwards"] = "forwards"
    proof: Literal["shapes", "numbers"] = "shapes"

    def exercise(self, seed: int, level: int = 1) -> Exercise:
        """Returns the instance of a seed.

        Raises:
            UsageError: The level is not 1, 2 or 3, or the seed is negative.
        """
        if level not in LEVELS:
            raise UsageError(f"drill: level is {level}, expected 1, 2 or 3.")
        if seed < 0:
            raise UsageError(f"drill: seed is {seed}, expected at least 0.")
        trap = self.traps[seed % len(self.traps)]
        wanted = frozenset((trap,)) - {PLAIN}
        for attempt in range(_MAX_ATTEMPTS):
            chance = Chance(f"{self.name}/{level}/{seed}/{attempt}")
            sheet = self.make(chance, level, trap)
            if sheet is None or self._traps(sheet) != wanted:
                continue
            if fault(sheet) is None:
                return self._finished(sheet, seed, level)
        raise AssertionError(f"{self.name}: no instance for seed {seed} at level {level}")

    def _traps(self, sheet: Sheet) -> frozenset[str]:
        return sheet.traps & (frozenset(self.traps) - {PLAIN})

    def _finished(self, sheet: Sheet, seed: int, level: int) -> Exercise:
        return Exercise(
            template=self.name,
            seed=seed,
            level=level,
            topic=self.topic,
            skill=self.skill,
            question=sheet.question.strip(),
            fields=tuple(sheet.fields),
            steps=tuple(sheet.steps),
            hint=sheet.hint,
            proof=sheet.proof.strip() + "\n",
            figure=sheet.figure,
            solution_figure=sheet.solution_figure,
            traps=self._traps(sheet),
            reasons=sheet.reasons,
        )


def fault(sheet: Sheet) -> str | None:
    """Returns why an instance is of no use: values that collide; None if it is good."""
    for field in sheet.fields:
        seen = [field.answer, *field.also]
        for mistake in field.mistakes:
            if any(_collide(field, mistake.value, value) for value in seen):
                return f"{field.key}: {mistake.code} gives a value that is taken."
            seen.append(mistake.value)
        texts = [choice.text for choice in field.choices]
        if len(set(texts)) < len(texts):
            return f"{field.key}: two choices read the same."
    return None


def _collide(field: Field, value: Value, other: Value) -> bool:
    """Returns whether two values are too near for a rounded answer to tell them apart."""
    if field.kind == "number" and isinstance(value, int | float) and isinstance(other, int | float):
        return math.isclose(value, other, rel_tol=0.03, abs_tol=field.tolerance)
    return equal(field, value, other)

"""A terminal without a terminal: lines go in, text comes out."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from foveal.learn.exercise import Exercise
from foveal.learn.store import Store
from foveal.learn.terminal.learner import Learner
from foveal.learn.terminal.screen import Screen

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)


@dataclass
class Desk:
    """A learner with a script; ``KeyboardInterrupt`` in it is Ctrl-C, its end is Ctrl-D."""

    lines: list[str | type[KeyboardInterrupt]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    now: datetime = NOW
    answer_with: Callable[[str], str] | None = None

    def read(self, prompt: str) -> str:
        self.said.append(prompt)
        if not self.lines:
            raise EOFError
        line = self.lines.pop(0)
        if not isinstance(line, str):
            raise KeyboardInterrupt
        self.said[-1] += line
        self.now += timedelta(seconds=20)
        return line

    @property
    def text(self) -> str:
        return "\n".join(self.said)

    @property
    def flat(self) -> str:
        """All that was said, as one line: where it was broken does not matter."""
        return " ".join(self.text.split())

    def learner(
        self, *lines: str | type[KeyboardInterrupt], store: Store | None = None, seed: int = 0,
        plain: bool = False, columns: int = 80,
    ) -> Learner:  # fmt: skip
        self.lines = list(lines)
        screen = Screen(write=self.said.append, read=self.read, is_plain=plain, columns=columns)
        return Learner(screen, store or Store(None), lambda: self.now, random.Random(seed))


@pytest.fixture
def desk() -> Desk:
    return Desk()


def right_lines(exercise: Exercise) -> Iterable[str]:
    """What to type to get every blank right."""
    from foveal.learn.answers import spell

    for each in exercise.fields:
        yield repr(each.answer) if isinstance(each.answer, float) else spell(each.answer)

"""Who is learning: the screen, what is kept, the clock and chance, handed to every part."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from foveal.errors import ProgressError
from foveal.learn.exercise import Exercise
from foveal.learn.progress import Grade, Review
from foveal.learn.review import Standing, State, standings
from foveal.learn.skills import all_skills
from foveal.learn.store import Store
from foveal.learn.terminal.screen import Screen


@dataclass(slots=True)
class Learner:
    """Keeps what is answered, and goes on in memory where it cannot be kept.

    Attributes:
        screen: Where to print and ask.
        store: Where answers are kept.
        clock: Returns the time in ``timezone.utc``.
        chance: For new variants.
        new_id: Returns a new unique id.
        was_kept: Whether something was kept before keeping failed.
    """

    screen: Screen
    store: Store
    clock: Callable[[], datetime]
    chance: random.Random
    new_id: Callable[[], str] = field(default=lambda: uuid.uuid4().hex)
    was_kept: bool = False

    def reviews(self) -> tuple[Review, ...]:
        """Returns all that was answered."""
        try:
            return self.store.reviews()
        except ProgressError as error:
            self._go_on_in_memory(error, ())
            return ()

    def record(
        self,
        exercise: Exercise,
        grade: Grade,
        *,
        hinted: bool,
        answer: Mapping[str, str],
        mistakes: tuple[str, ...],
    ) -> None:
        """Keeps an answer; on disk when this returns, or the screen has said why not."""
        review = Review(
            id=self.new_id(),
            skill=exercise.skill,
            template=exercise.template,
            seed=exercise.seed,
            level=exercise.level,
            grade=grade,
            hinted=hinted,
            answer=dict(answer),
            mistakes=mistakes,
            at_utc=self.clock(),
        )
        self._keep(lambda store: store.add(review))

    def sitting(self, name: str) -> Mapping[str, Any] | None:
        """Returns an unfinished sitting; None if there is none."""
        try:
            return self.store.sitting(name)
        except ProgressError as error:
            self._go_on_in_memory(error, self._known())
            return None

    def keep_sitting(self, name: str, content: Mapping[str, Any]) -> None:
        """Keeps an unfinished sitting."""
        self._keep(lambda store: store.keep_sitting(name, content))

    def drop_sitting(self, name: str) -> None:
        """Forgets a sitting."""
        self._keep(lambda store: store.drop_sitting(name))

    def standings(self) -> dict[str, Standing]:
        """Returns where each skill stands that was tried."""
        return standings(self.reviews(), now=self.clock())

    def states(self) -> dict[str, State]:
        """Returns where each skill stands, in one word."""
        found, now = self.standings(), self.clock()
        return {
            skill.name: found[skill.name].state(now) if skill.name in found else "new"
            for skill in all_skills()
        }

    def _keep(self, write: Callable[[Store], None]) -> None:
        try:
            write(self.store)
        except ProgressError as error:
            self._go_on_in_memory(error, self._known())
            write(self.store)

    def _known(self) -> tuple[Review, ...]:
        try:
            return self.store.reviews()
        except ProgressError:
            return ()

    def _go_on_in_memory(self, error: ProgressError, known: tuple[Review, ...]) -> None:
        self.screen.say(f"From here on answers are **not kept**: {error}")
        self.was_kept = self.was_kept or bool(known)
        self.store.close()
        self.store = Store(None)
        self.store.merge(known)

"""What can be practised: the skills, and a new variant of each.

A drill trains the skill that its template names; the questions of a topic train the skill
``facts-N``. Reviews schedule skills, never single exercises.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Protocol

from foveal.learn.drills import TEMPLATES, Template, template
from foveal.learn.exercise import Exercise
from foveal.learn.progress import Review
from foveal.learn.quiz import PREFIX, QUESTIONS, find_question
from foveal.learn.review import Standing, State, fresh_seed, level_for, summary_state


class Find(Protocol):
    """Makes the instance of a drill or question."""

    def __call__(self, name: str, *, seed: int, level: int) -> Exercise:
        """Returns the instance of that name."""
        ...  # pragma: no cover


@dataclass(frozen=True, slots=True)
class Skill:
    """Something to be able to do.

    Attributes:
        name: Stable name; reviews refer to it.
        topic: The topic that it belongs to.
        sources: Names of the drills, or of the questions, that train it.
    """

    name: str
    topic: int
    sources: tuple[str, ...]

    @property
    def is_drilled(self) -> bool:
        """Whether drills train it, and not questions."""
        return not self.sources[0].startswith(PREFIX)


@cache
def all_skills() -> tuple[Skill, ...]:
    """Returns every skill, drilled ones first."""
    asked = ((each.skill, each.topic, each.template) for each in QUESTIONS)
    return (*skills_in(TEMPLATES), *_grouped(asked))


def skills_in(templates: Iterable[Template]) -> tuple[Skill, ...]:
    """Returns the skills that these drills train."""
    return _grouped((each.skill, each.topic, each.name) for each in templates)


def _grouped(rows: Iterable[tuple[str, int, str]]) -> tuple[Skill, ...]:
    topics: dict[str, int] = {}
    sources: dict[str, list[str]] = {}
    for skill, topic, source in rows:
        topics.setdefault(skill, topic)
        sources.setdefault(skill, []).append(source)
    return tuple(Skill(name, topics[name], tuple(names)) for name, names in sources.items())


def skills_of(topic: int) -> tuple[Skill, ...]:
    """Returns the skills of a topic, drilled ones first."""
    return tuple(skill for skill in all_skills() if skill.topic == topic)


def skill_topics() -> Mapping[str, int]:
    """Returns the topic of each skill."""
    return {skill.name: skill.topic for skill in all_skills()}


def find_exercise(name: str, *, seed: int, level: int) -> Exercise:
    """Returns the instance of a drill, or the question, of that name.

    Raises:
        UsageError: There is none.
    """
    if name.startswith(PREFIX):
        return find_question(name)
    return template(name).exercise(seed, level)


def next_variant(
    skill: Skill,
    *,
    reviews: Iterable[Review],
    standing: Standing | None,
    chance: random.Random,
    find: Find,
) -> Exercise:
    """Returns a new variant: of the drill or question that was met least often so far.

    Args:
        skill: What to practise.
        reviews: What was met so far.
        standing: Where the skill stands; None if it was never tried.
        chance: For the choice and the seed.
        find: Makes the exercise; ``find_exercise``, except for drills of another network.
    """
    met = Counter(review.template for review in reviews)
    fewest = min(met[source] for source in skill.sources)
    source = chance.choice([source for source in skill.sources if met[source] == fewest])
    return find(source, seed=fresh_seed(chance), level=level_for(standing))


def topic_state(topic: int, states: Mapping[str, State]) -> State:
    """Returns where a topic stands, from where its skills stand; those not in it are new."""
    return summary_state([states.get(skill.name, "new") for skill in skills_of(topic)])

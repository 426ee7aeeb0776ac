"""Practice: drills without end, a test without marks until its end, and reviews that are due."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from foveal.errors import UsageError
from foveal.learn.drills import TEMPLATES, Template, templates_of
from foveal.learn.exercise import Exercise
from foveal.learn.marking import mark
from foveal.learn.review import due_skills, fresh_seed, level_for
from foveal.learn.skills import (
    Find,
    Skill,
    all_skills,
    find_exercise,
    next_variant,
    skill_topics,
    skills_in,
    skills_of,
)
from foveal.learn.terminal.ladder import (
    Tried,
    after,
    say_wrong,
    show_solution,
    try_exercise,
    try_in_test,
)
from foveal.learn.terminal.learner import Learner
from foveal.learn.terminal.prompts import SkippedError
from foveal.learn.topics import TOPICS, find_topic
from foveal.text import count_noun

Draw = Callable[[Skill], Exercise]

TEST_LENGTH = 10


def drilled_skills(topic: int | None) -> tuple[Skill, ...]:
    """Returns the skills that have drills, of one topic or of all.

    Raises:
        UsageError: The topic has none.
    """
    if topic is None:
        return tuple(skill for skill in all_skills() if skill.is_drilled)
    found = tuple(skill for skill in skills_of(topic) if skill.is_drilled)
    if not found:
        found = tuple(
            skill
            for skill in all_skills()
            if any(each.skill == skill.name for each in templates_of(topic))
        )
    if not found:
        find_topic(topic)
        having = sorted({each.topic for each in all_skills() if each.is_drilled})
        raise UsageError(
            f"topic {topic} has no drills, because its fact is none to compute.",
            next_step=f"foveal learn quiz {topic} asks about it. Drills are there for "
            f"{', '.join(map(str, having))}.",
        )
    return found


def drills_among(
    templates: Sequence[Template], topic: int | None
) -> tuple[tuple[Skill, ...], Find]:
    """Returns the skills of drills that are not in the table, and what makes their exercises.

    Args:
        templates: Drills of a network, say.
        topic: Only those of this topic; all if None.

    Raises:
        UsageError: There are none.
    """
    chosen = {each.name: each for each in _of_topic(templates, topic)}
    if not chosen:
        there = sorted({each.topic for each in templates})
        raise UsageError(
            f"this network has no drills on topic {topic}.",
            next_step=f"It has some on {', '.join(map(str, there))}.",
        )

    def find(name: str, *, seed: int, level: int) -> Exercise:
        return chosen[name].exercise(seed, level)

    return skills_in(chosen.values()), find


def list_drills(topic: int | None, templates: Sequence[Template] = TEMPLATES) -> str:
    """Returns a line for each drill: its topic, name and title."""
    return "\n".join(
        f"{each.topic:>2}  {each.name:<26} {each.title}" for each in _of_topic(templates, topic)
    )


def _of_topic(templates: Sequence[Template], topic: int | None) -> list[Template]:
    if topic is None:
        return list(templates)
    number = find_topic(topic).number
    return [each for each in templates if number in (each.topic, *each.also_topics)]


def practise(
    learner: Learner,
    skills: Sequence[Skill],
    *,
    only_wrong: bool = False,
    find: Find = find_exercise,
) -> list[Tried]:
    """Asks one exercise after the other until the learner leaves.

    Those skills come first that were wrong last, then what is due, then what is least known.

    Args:
        learner: Who.
        skills: What to practise.
        only_wrong: Only skills whose last answer was wrong; ends when there are none.
        find: Makes the exercises.

    Raises:
        LeftError: The learner wants to leave.
    """
    tried: list[Tried] = []
    last = ""
    while True:
        skill = _next_skill(learner, skills, last=last, only_wrong=only_wrong)
        if skill is None:
            learner.screen.say(
                "Nothing is left that you got wrong." if tried else "You got nothing wrong so far."
            )
            return tried
        last = skill.name
        exercise = _draw(learner, skill, find)
        while True:
            try:
                tried.append(try_exercise(learner, exercise))
            except SkippedError:
                learner.screen.say("Skipped.")
                break
            if after(learner, exercise, again=skill.is_drilled) != "v":
                break
            exercise = _like(learner, skill, exercise, find)


def take_test(
    learner: Learner,
    skills: Sequence[Skill],
    *,
    length: int = TEST_LENGTH,
    find: Find = find_exercise,
) -> list[Tried]:
    """Asks a number of exercises, and marks all of them at the end, or where one leaves.

    Raises:
        LeftError: The learner wants to leave.
    """
    screen = learner.screen
    screen.say(f"A test of {count_noun(length, 'exercise')}. Marks come at the end.")
    tried: list[Tried] = []
    order = list(skills)
    learner.chance.shuffle(order)
    try:
        for number in range(length):
            skill = order[number % len(order)]
            exercise = _draw(learner, skill, find)
            tried.append(try_in_test(learner, exercise, heading=f"{number + 1} of {length}"))
    finally:
        if tried:
            _show_marks(learner, tried)
    return tried


def _show_marks(learner: Learner, tried: Sequence[Tried]) -> None:
    screen = learner.screen
    right = sum(each.grade != "again" for each in tried)
    screen.write("")
    screen.write(screen.style(f"{right} of {len(tried)} right.", "heading"))
    for number, each in enumerate(tried, start=1):
        if each.grade != "again":
            continue
        screen.write("")
        screen.say(f"**{number}.** {each.exercise.question}")
        say_wrong(screen, each.exercise, mark(each.exercise, each.answer))
        show_solution(screen, each.exercise)


def review_due(learner: Learner) -> list[Tried]:
    """Asks a new variant of each skill that is due, topics interleaved.

    Raises:
        LeftError: The learner wants to leave.
    """
    screen = learner.screen
    by_name = {skill.name: skill for skill in all_skills()}
    tried: list[Tried] = []
    met: set[str] = set()
    while True:
        found, now = learner.standings(), learner.clock()
        due = [s for s in due_skills(found, now=now, topics=skill_topics()) if s not in met]
        if not due:
            break
        met.add(due[0])
        skill = by_name[due[0]]
        exercise = _draw(learner, skill, find_exercise)
        try:
            tried.append(try_exercise(learner, exercise, heading=f"{len(due)} due"))
        except SkippedError:
            continue
        after(learner, exercise)
    if tried:
        right = sum(each.grade != "again" for each in tried)
        screen.say(f"Review done: {right} of {len(tried)} right.")
    else:
        screen.say(nothing_due(learner) or "What is due was skipped.")
    return tried


def nothing_due(learner: Learner) -> str:
    """Returns when the next review is due, in words; empty if one is due now."""
    found, now = learner.standings(), learner.clock()
    if due_skills(found, now=now, topics=skill_topics()):
        return ""
    waiting = [each.due for each in found.values() if each.due > now]
    if not waiting:
        return "Nothing is due: nothing was answered so far. `foveal learn` begins."
    seconds = (min(waiting) - now).total_seconds()
    days, hours, minutes = seconds // 86400, seconds // 3600, max(1, seconds // 60)
    wait = (
        count_noun(int(days), "day")
        if days >= 2
        else count_noun(int(hours), "hour")
        if hours >= 2
        else count_noun(int(minutes), "minute")
    )
    return f"Nothing is due now. The next review is in {wait}."


def begin_topic(learner: Learner, topic: int) -> None:
    """Asks about one topic, its drills first, until the learner leaves."""
    skills = skills_of(topic)
    if not any(skill.name in learner.standings() for skill in skills):
        learner.screen.say("New here. Predict first; type r to read the page before you answer.")
    practise(learner, skills)


def _next_skill(
    learner: Learner, skills: Sequence[Skill], *, last: str, only_wrong: bool
) -> Skill | None:
    found, now = learner.standings(), learner.clock()
    order = {topic.number: index for index, topic in enumerate(TOPICS)}

    def urgency(skill: Skill) -> tuple[bool, int, float, int]:
        standing = found.get(skill.name)
        if standing is None:
            return (skill.name == last, 2, 0.0, order[skill.topic])
        rank = {"weak": 0, "due": 1, "learning": 3, "strong": 4}[standing.state(now)]
        return (skill.name == last, rank, standing.recall_ahead, order[skill.topic])

    if only_wrong:
        skills = [s for s in skills if s.name in found and found[s.name].last_grade == "again"]
    return min(skills, key=urgency) if skills else None


def _draw(learner: Learner, skill: Skill, find: Find) -> Exercise:
    return next_variant(
        skill,
        reviews=learner.reviews(),
        standing=learner.standings().get(skill.name),
        chance=learner.chance,
        find=find,
    )


def _like(learner: Learner, skill: Skill, exercise: Exercise, find: Find) -> Exercise:
    """Returns another variant of the same drill."""
    level = level_for(learner.standings().get(skill.name))
    return find(exercise.template, seed=fresh_seed(learner.chance), level=level)

"""The quiz at the terminal: one question of each topic, or all of one; and its result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from foveal.draw.text_layout import wrap
from foveal.learn.exercise import Exercise
from foveal.learn.progress import GRADES
from foveal.learn.quiz import QUESTIONS, find_question, questions_of
from foveal.learn.terminal.ladder import after, try_exercise
from foveal.learn.terminal.learner import Learner
from foveal.learn.terminal.markup import styled
from foveal.learn.terminal.prompts import SkippedError
from foveal.learn.terminal.screen import LeftError
from foveal.learn.terminal.topic_page import lab_shows
from foveal.learn.topics import TOPICS, Topic, find_topic
from foveal.text import count_noun

SKIPPED = "skipped"
_NAMES = frozenset(question.template for question in QUESTIONS)


def sit_quiz(learner: Learner, topic: int | None = None) -> None:
    """Asks the questions, from where an unfinished quiz was left, and shows the result.

    Raises:
        LeftError: The learner wants to leave; the same quiz goes on from there.
        UsageError: There is no such topic.
    """
    name = "quiz" if topic is None else f"quiz-{find_topic(topic).number}"
    questions, results = _begun(learner, name)
    if not questions:
        questions = _drawn(learner, topic)
        results = {}
    screen = learner.screen
    if topic is None and not results:
        screen.say(
            f"{count_noun(len(questions), 'question')}, one of each topic. Try before you look; "
            "the first answer counts. Leave with q at any time: the quiz waits for you."
        )
    for number, question in enumerate(questions, start=1):
        if question.template in results:
            continue
        results[question.template] = SKIPPED
        known = len(learner.reviews())
        try:
            tried = try_exercise(learner, question, heading=f"{number} of {len(questions)}")
            results[question.template] = tried.grade
        except SkippedError:
            continue
        except LeftError:
            # Left after a wrong answer: that was the first try, and it counts.
            answered = learner.reviews()[known:]
            if answered:
                results[question.template] = answered[0].grade
            else:
                del results[question.template]
            raise
        finally:
            if results:
                learner.keep_sitting(name, _content(questions, results))
        after(learner, question)
    learner.drop_sitting(name)
    _show_result(learner, questions, results)


def unfinished(learner: Learner) -> tuple[int, int] | None:
    """Returns how many questions of an unfinished quiz are answered, and of how many."""
    questions, results = _begun(learner, "quiz")
    return (len(results), len(questions)) if results else None


def forget_unfinished(learner: Learner, topic: int | None) -> None:
    """Forgets an unfinished quiz, so that the next one is new."""
    learner.drop_sitting("quiz" if topic is None else f"quiz-{topic}")


def _drawn(learner: Learner, topic: int | None) -> list[Exercise]:
    """Returns all questions of a topic, or one of each: that which was met least often."""
    if topic is not None:
        return list(questions_of(topic))
    met = Counter(review.template for review in learner.reviews())
    chosen = []
    for each in TOPICS:
        questions = questions_of(each.number)
        fewest = min(met[question.template] for question in questions)
        rare = [question for question in questions if met[question.template] == fewest]
        chosen.append(learner.chance.choice(rare))
    return chosen


def _begun(learner: Learner, name: str) -> tuple[list[Exercise], dict[str, str]]:
    content = learner.sitting(name)
    if content is None:
        return [], {}
    names, results = content.get("questions"), content.get("results")
    if not isinstance(names, list) or not isinstance(results, Mapping):
        return [], {}
    # Questions of another version are gone; the others go on.
    known = [find_question(each) for each in names if each in _NAMES]
    kept = {
        key: value
        for key, value in results.items()
        if key in _NAMES and value in (*GRADES, SKIPPED)
    }
    return known, kept


def _content(questions: list[Exercise], results: Mapping[str, str]) -> dict[str, Any]:
    return {"questions": [each.template for each in questions], "results": dict(results)}


def _show_result(learner: Learner, questions: list[Exercise], results: Mapping[str, str]) -> None:
    screen = learner.screen
    right = sum(results[each.template] in ("good", "hard") for each in questions)
    screen.write("")
    screen.write(screen.style(f"{right} of {len(questions)} right at the first try.", "heading"))
    # A topic counts as its worst answer.
    groups: dict[str, list[Topic]] = {}
    for number in dict.fromkeys(each.topic for each in questions):
        own = {results[each.template] for each in questions if each.topic == number}
        worst = next(each for each in ("again", SKIPPED, "hard", "good") if each in own)
        groups.setdefault(worst, []).append(find_topic(number))
    for outcome, title in (
        ("good", "Right"),
        ("hard", "Right with a hint"),
        ("again", "Not yet"),
        (SKIPPED, "Skipped"),
    ):
        if outcome in groups:
            named = ", ".join(f"{topic.number} {topic.title}" for topic in groups[outcome])
            text = wrap(named, columns=screen.columns, indent="  ", first="  ")
            screen.write(f"{title}:\n{styled(text, screen.style)}")
    weak = [*groups.get("again", []), *groups.get(SKIPPED, [])]
    if not weak:
        screen.say("Next: `foveal learn review` keeps it that way.")
        return
    screen.write("")
    screen.write(screen.style("Where to go next", "heading"))
    for topic in weak[:5]:
        ways = [f"foveal learn topic {topic.number}"]
        if "drill" in topic.activities:
            ways.append(f"foveal learn drill {topic.number}")
        if lab_shows(topic):
            ways.append(f"foveal lab {topic.lab}")
        first = f"{topic.number:>3}  "
        screen.write(wrap(", ".join(ways), columns=screen.columns, indent="     ", first=first))
    if len(weak) > 5:
        screen.say("Begin with these; `foveal learn` shows the others.")

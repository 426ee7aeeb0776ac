"""The map: the twenty-seven topics, what is strong, weak and due, and one key to go on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby, zip_longest
from typing import Literal

from foveal.draw.text_layout import COLUMNS, Role, pad, shorten_end
from foveal.learn.review import State, due_skills
from foveal.learn.skills import skill_topics, topic_state
from foveal.learn.terminal.learner import Learner
from foveal.learn.terminal.practice import begin_topic, review_due
from foveal.learn.terminal.quiz_sitting import sit_quiz, unfinished
from foveal.learn.terminal.screen import LeftError, Screen
from foveal.learn.terminal.topic_page import show_topic
from foveal.learn.topics import TOPICS, Topic, find_topic
from foveal.text import count_noun

# A sign, so that it is told without colour too; and a role, where there is colour.
SIGNS: Mapping[State, tuple[str, Role]] = {
    "weak": ("!", "error"),
    "due": ("*", "warning"),
    "learning": ("~", "info"),
    "strong": ("+", "good"),
    "new": (" ", "quiet"),
}
_CELL = 38


@dataclass(frozen=True, slots=True)
class Step:
    """What Enter does next.

    Attributes:
        kind: Review what is due, begin a topic, or sit the quiz.
        text: The same in words.
        topic: The topic to begin.
    """

    kind: Literal["review", "topic", "quiz"]
    text: str
    topic: int = 0


def show_map(learner: Learner) -> None:
    """Prints the map."""
    screen = learner.screen
    states = topic_states(learner)
    counts = Counter(states.values())
    screen.write("")
    screen.write(screen.style("Learn: convolutional networks in 27 topics", "heading"))
    if counts["new"] == len(TOPICS):
        screen.say("Nothing tried yet. Guess boldly: each mistake is met by name.", "quiet")
    else:
        screen.say(
            f"{counts['strong']} strong · {counts['learning']} learning · {counts['due']} due · "
            f"{counts['weak']} weak · {counts['new']} new",
            "quiet",
        )
    screen.write("")
    if screen.is_plain:
        _write_linear(screen, states)
    else:
        _write_columns(screen, states)
    if learner.store.damaged:
        screen.say(f"{count_noun(learner.store.damaged, 'kept answer')} could not be read.")


def walk_map(learner: Learner) -> None:
    """Shows the map and goes where the learner wants, again and again.

    Raises:
        LeftError: The learner wants to leave.
    """
    screen = learner.screen
    while True:
        show_map(learner)
        step = next_step(learner)
        half = unfinished(learner)
        screen.write("")
        screen.say(f"**Enter**: {step.text}")
        rest = "A number opens its topic · z quiz of all topics · q leave"
        if half is not None:
            rest = rest.replace("of all topics", f"goes on ({half[0]} of {half[1]} answered)")
        screen.say(rest, "quiet")
        typed = screen.ask("> ").strip().lower()
        if typed in ("q", "quit"):
            raise LeftError("asked")
        try:
            if typed == "":
                _take(learner, step)
            elif typed in ("z", "quiz"):
                sit_quiz(learner)
                screen.ask("Enter: the map ")
            elif typed.isdecimal() and 1 <= int(typed[:4]) <= len(TOPICS):
                _open_topic(learner, int(typed))
            else:
                screen.say(
                    f"{typed!r} is none of these. Press Enter, or type a number from 1 to "
                    f"{len(TOPICS)}, z or q."
                )
        except LeftError as left:
            if left.how == "interrupted":
                raise
            # Leaving a topic leads back to the map.


def next_step(learner: Learner) -> Step:
    """Returns what to do next: what is due, else the next new topic, else the quiz."""
    found, now = learner.standings(), learner.clock()
    due = due_skills(found, now=now, topics=skill_topics())
    if due:
        return Step("review", f"review {count_noun(len(due), 'skill')} that {_are(len(due))} due")
    states = topic_states(learner)
    for state, words in (("weak", "practise"), ("new", "begin with" if not found else "go on to")):
        for topic in TOPICS:
            if states[topic.number] == state:
                return Step("topic", f"{words} topic {topic.number}, {topic.title}", topic.number)
    return Step("quiz", "sit the quiz, one question of each topic")


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _take(learner: Learner, step: Step) -> None:
    if step.kind == "review":
        review_due(learner)
        learner.screen.ask("Enter: the map ")
    elif step.kind == "topic":
        begin_topic(learner, step.topic)
    else:
        sit_quiz(learner)
        learner.screen.ask("Enter: the map ")


def _open_topic(learner: Learner, number: int) -> None:
    show_topic(learner.screen, find_topic(number))
    if learner.screen.choose("", enter="practise", b="back to the map", q="leave") == "":
        begin_topic(learner, number)


def topic_states(learner: Learner) -> dict[int, State]:
    """Returns where each topic stands, by its number."""
    states = learner.states()
    return {topic.number: topic_state(topic.number, states) for topic in TOPICS}


def _chapters() -> list[tuple[str, list[Topic]]]:
    return [(name, list(group)) for name, group in groupby(TOPICS, key=lambda t: t.chapter)]


def _write_linear(screen: Screen, states: Mapping[int, State]) -> None:
    for chapter, topics in _chapters():
        screen.write(screen.style(f"{chapter}", "heading"))
        for topic in topics:
            screen.write(f"{topic.number}. {topic.title}: {states[topic.number]}")


def _write_columns(screen: Screen, states: Mapping[int, State]) -> None:
    columns: list[list[tuple[str, Role | None]]] = [[], []]
    is_narrow = screen.columns < COLUMNS
    for chapter, topics in _chapters():
        is_left = is_narrow or chapter in ("Counting", "Seeing", "Looking inside")
        column = columns[0] if is_left else columns[1]
        if column:
            column.append(("", None))
        column.append((chapter, "heading"))
        for topic in topics:
            sign, role = SIGNS[states[topic.number]]
            column.append((f"{sign} {topic.number:>2} {shorten_end(topic.title, 32)}", role))
    for left, right in zip_longest(*columns, fillvalue=("", None)):
        cells = [_cell(screen, *left, width=_CELL + 2), _cell(screen, *right, width=0)]
        screen.write("".join(cells).rstrip())
    screen.write("")
    screen.say("! weak · * due · ~ learning · + strong", "quiet")


def _cell(screen: Screen, text: str, role: Role | None, *, width: int) -> str:
    padded = pad(text, width)
    return padded if role is None else screen.style(text, role) + padded[len(text) :]

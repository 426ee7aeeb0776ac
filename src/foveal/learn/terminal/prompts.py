"""Asks for the answer to an exercise, blank by blank, with help at every prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from foveal.draw.text_layout import wrap
from foveal.learn.answers import Unreadable, read
from foveal.learn.exercise import Exercise, Field
from foveal.learn.markup import plain_text
from foveal.learn.terminal.markup import capitalised, render, styled
from foveal.learn.terminal.screen import LeftError, Screen
from foveal.learn.terminal.topic_page import show_topic
from foveal.learn.topics import find_topic
from foveal.text import printable

Help = Literal["all", "none"]

# What can be typed instead of an answer. None of the letters is a choice's or true or false.
COMMANDS: tuple[tuple[str, str, str], ...] = (
    ("?", "help", "these words"),
    ("h", "hint", "a hint; a right answer then counts as hard"),
    ("w", "solution", "the worked solution"),
    ("s", "skip", "another one instead"),
    ("r", "read", "the page of the topic"),
    ("q", "quit", "leave; everything answered is kept"),
)
REMINDER = "h hint · r read the topic · w solution · s skip · ? all commands"

_EXPECTED = {
    "integer": "a whole number; 73,856 or 64*9+1 are read as well",
    "number": "a number; 0.118 or 1/9",
    "shape": "sizes, such as 64×28×28 or (64, 28, 28)",
    "choice": "the letter of your choice",
    "boolean": "true or false",
    "order": "the letters in order, such as b a c",
    "match": "a letter for each number, in their order, such as b a c",
    "open": "a sentence or two, on one line",
    "code": "one expression of Python",
}


class SkippedError(Exception):
    """The learner wants another exercise."""


class GivenUpError(Exception):
    """The learner wants to see the solution."""


@dataclass(slots=True)
class Asked:
    """What happened while asking.

    Attributes:
        hinted: Whether the hint was seen.
        answers: What was typed, by field.
    """

    hinted: bool = False
    answers: dict[str, str] = field(default_factory=dict)


def show_question(screen: Screen, exercise: Exercise, *, heading: str = "") -> None:
    """Prints the question with its choices."""
    topic = find_topic(exercise.topic)
    parts = [heading, f"topic {topic.number}: {topic.title}"]
    if not exercise.template.startswith("quiz:"):
        parts.append(f"level {exercise.level}")
    screen.write("")
    if not screen.is_plain:
        screen.say("─" * screen.columns, "quiet")
    screen.say(" · ".join(part for part in parts if part), "heading")
    screen.write("")
    screen.say(exercise.question)
    screen.draw(exercise.figure)
    for each in exercise.fields:
        _show_options(screen, each)
    screen.write("")


def ask_fields(
    screen: Screen, exercise: Exercise, asked: Asked, fields: Sequence[Field], *, help: Help = "all"
) -> None:
    """Asks for the blanks; what cannot be read is asked for again.

    Raises:
        LeftError: The learner wants to leave.
        SkippedError: Another exercise is wanted.
        GivenUpError: The solution is wanted.
    """
    for each in fields:
        while True:
            typed = screen.ask(f"{_label(each)} ").strip()
            if _is_command(typed, each):
                _obey(screen, exercise, asked, each, typed.lower(), help)
                continue
            given = read(each, typed)
            if isinstance(given, Unreadable):
                reason = f"Expected: {_EXPECTED[each.kind]}." if not typed else given.reason
                screen.say(printable(reason))
                continue
            asked.answers[each.key] = typed
            break


def _label(each: Field) -> str:
    label = plain_text(capitalised(each.label)).strip()
    is_said = each.unit.rstrip("s").lower() in label.lower()
    unit = f" ({each.unit})" if each.unit and not is_said else ""
    return f"{label}{unit}:"


def _is_command(typed: str, each: Field) -> bool:
    word = typed.lower()
    if any(choice.key == word for choice in each.choices):
        return False
    return any(word in (letter, name) for letter, name, _ in COMMANDS)


def _obey(
    screen: Screen, exercise: Exercise, asked: Asked, each: Field, word: str, help: Help
) -> None:
    command = next(name for letter, name, _ in COMMANDS if word in (letter, name))
    if command == "quit":
        raise LeftError("asked")
    if command == "help":
        lines = (f"{letter}  {what}" for letter, _, what in COMMANDS)
        screen.write("\n".join(lines))
        screen.say(f"Otherwise type {_EXPECTED[each.kind]}.")
    elif help == "none":
        screen.say("Not in a test. Type an answer, or q to leave.")
    elif command == "skip":
        raise SkippedError
    elif command == "solution":
        raise GivenUpError
    elif command == "hint":
        asked.hinted = True
        screen.say(f"**Hint.** {exercise.hint}")
    else:
        show_topic(screen, find_topic(exercise.topic))
        screen.write("")


def _show_options(screen: Screen, each: Field) -> None:
    if each.items:
        screen.write("")
        for number, item in enumerate(each.items, start=1):
            screen.write(_option(screen, str(number), item))
    if each.choices:
        screen.write("")
        for choice in each.choices:
            screen.write(_option(screen, choice.key, choice.text))


def _option(screen: Screen, key: str, text: str) -> str:
    if "```" in text:
        return f"  {key}\n{render(text, style=screen.style, columns=screen.columns, indent='  ')}"
    laid_out = wrap(text, columns=screen.columns, indent=" " * 5, first=f"  {key}  ")
    return styled(laid_out, screen.style)

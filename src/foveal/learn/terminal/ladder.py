"""One exercise from question to understanding.

Answer, hint, where it first goes wrong, another try, the worked solution, the proof. The first
answer is the one that counts, and it is kept before anything is said about it.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from foveal.draw.text_layout import facts, wrap
from foveal.learn.answers import spell
from foveal.learn.exercise import Exercise, Field
from foveal.learn.marking import Marked, mark
from foveal.learn.progress import Grade
from foveal.learn.rechecking import CHECKED, mark_first_answer
from foveal.learn.review import grade_answer
from foveal.learn.terminal.learner import Learner
from foveal.learn.terminal.markup import capitalised, styled
from foveal.learn.terminal.prompts import (
    REMINDER,
    Asked,
    GivenUpError,
    SkippedError,
    ask_fields,
    show_question,
)
from foveal.learn.terminal.screen import Screen
from foveal.learn.terminal.topic_page import ways_on
from foveal.learn.topics import find_topic
from foveal.text import printable

_PROOF_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Tried:
    """An exercise that was answered or given up.

    Attributes:
        exercise: Which.
        grade: Of the first answer; giving up counts as wrong.
        answer: The first answer.
    """

    exercise: Exercise
    grade: Grade
    answer: dict[str, str]


def try_exercise(learner: Learner, exercise: Exercise, *, heading: str = "") -> Tried:
    """Asks until it is right or given up, and keeps the first answer.

    Raises:
        LeftError: The learner wants to leave.
        SkippedError: Another exercise is wanted; nothing is kept of this one.
    """
    screen = learner.screen
    show_question(screen, exercise, heading=heading)
    screen.say(REMINDER, "quiet")
    asked = Asked()
    tried: Tried | None = None
    wanted: Sequence[Field] = exercise.fields
    while True:
        try:
            ask_fields(screen, exercise, asked, wanted)
        except SkippedError:
            if tried is None:
                raise
            return tried
        except GivenUpError:
            if tried is None:
                # What was typed so far is no answer: it was not finished.
                asked.answers.clear()
                tried = _keep(learner, exercise, asked, is_right=False, mistakes=())
            show_solution(screen, exercise)
            return tried
        marked, is_right = judge(screen, exercise, asked)
        if tried is None:
            tried = _keep(learner, exercise, asked, is_right=is_right, mistakes=marked.mistakes)
            first = True
        else:
            first = False
        screen.write("")
        if is_right:
            _say_right(screen, exercise, first=first)
            return tried
        if _is_open(exercise):
            _say_open(screen, exercise)
            return tried
        wanted = say_wrong(screen, exercise, marked)
        if _has_one_other_answer(exercise):
            # Another try would be no thought.
            screen.say(exercise.reasons)
            return tried
        screen.write("")
        screen.say("Try again. " + REMINDER, "quiet")


def try_in_test(learner: Learner, exercise: Exercise, *, heading: str) -> Tried:
    """Asks once and says nothing about the answer, which is kept all the same.

    Raises:
        LeftError: The learner wants to leave.
    """
    show_question(learner.screen, exercise, heading=heading)
    asked = Asked()
    ask_fields(learner.screen, exercise, asked, exercise.fields, help="none")
    marked, is_right = judge(learner.screen, exercise, asked)
    return _keep(learner, exercise, asked, is_right=is_right, mistakes=marked.mistakes)


def after(learner: Learner, exercise: Exercise, *, again: bool = False) -> str:
    """Offers what there is after an answer; returns ``""`` to go on, ``"v"`` for a variant.

    Raises:
        LeftError: The learner wants to leave.
    """
    words = {"enter": "go on", "w": "solution"}
    if exercise.proof:
        words["p"] = "proof in PyTorch"
    words["m"] = "more"
    if again:
        words["v"] = "variant"
    words["q"] = "leave"
    while True:
        chosen = learner.screen.choose("", **words)
        if chosen == "w":
            show_solution(learner.screen, exercise)
        elif chosen == "p":
            show_proof(learner.screen, exercise)
        elif chosen == "m":
            learner.screen.write(
                facts(
                    ways_on(find_topic(exercise.topic)),
                    style=learner.screen.style,
                    columns=learner.screen.columns,
                )
            )
        else:
            return chosen


def judge(screen: Screen, exercise: Exercise, asked: Asked) -> tuple[Marked, bool]:
    """Marks the answers; an open one is marked by the learner with the checklist."""
    marked = mark(exercise, asked.answers)
    if not _is_open(exercise):
        return marked, marked.is_right
    (only,) = exercise.fields
    screen.write("")
    screen.say(f"**A good answer.** {spell(only.answer)}")
    screen.write("")
    screen.say("Compare it with yours. Does yours say this?")
    ticks = ""
    for point in only.checklist:
        while True:
            typed = screen.ask(f"{point} (y/n) ").strip().lower()
            if typed in ("y", "yes", "n", "no"):
                break
            screen.say("Type y or n.")
        ticks += typed[0]
    asked.answers[CHECKED] = ticks
    return marked, mark_first_answer(exercise, asked.answers)[0]


def say_wrong(screen: Screen, exercise: Exercise, marked: Marked) -> tuple[Field, ...]:
    """Says where it first goes wrong; returns the blanks to ask for again."""
    first = marked.first_wrong
    if first is None:
        return exercise.fields
    keys = [field.key for field in exercise.fields]
    index = keys.index(first.key)
    where = ""
    if len(keys) > 1:
        label = exercise.fields[index].label
        before = " Up to there it is right." if index else ""
        where = f"It first goes wrong at **{label}**.{before}"
    screen.say(f"**Not yet.** {where}".strip())
    screen.say(_told(exercise.fields[index], first.given, first.message))
    if any(each.verdict == "follows" for each in marked.fields):
        screen.say("What comes after it follows rightly from your own value.")
    return exercise.fields[index:]


def show_solution(screen: Screen, exercise: Exercise) -> None:
    """Prints the worked solution."""
    screen.write("")
    screen.write(screen.style("Worked solution", "heading"))
    for number, step in enumerate(exercise.steps, start=1):
        if "```" in step.text:
            screen.say(f"{number}. {step.text}")
        else:
            laid_out = wrap(step.text, columns=screen.columns, indent="   ", first=f"{number}. ")
            screen.write(styled(laid_out, screen.style))
    screen.draw(exercise.solution_figure)
    for each in exercise.fields:
        # A number's last step says it already.
        if each.kind in ("choice", "boolean", "order", "match", "code") or not exercise.steps:
            screen.write(_answer_line(screen, each))
    if exercise.reasons:
        screen.say(exercise.reasons)


def show_proof(screen: Screen, exercise: Exercise) -> None:
    """Prints a snippet of PyTorch that gives the answer, runs it, and prints what it says."""
    screen.write("")
    screen.say(f"```\n{exercise.proof.rstrip()}\n```")
    screen.write("")
    screen.say("Running it …", "quiet")
    try:
        done = subprocess.run(
            [sys.executable, "-c", exercise.proof],
            capture_output=True,
            text=True,
            timeout=_PROOF_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        screen.say(f"It could not be run here: {printable(str(error))}")
        return
    printed = done.stdout if done.returncode == 0 else done.stderr[-500:]
    screen.write("\n".join("    " + printable(line) for line in printed.rstrip().split("\n")))


def _keep(
    learner: Learner,
    exercise: Exercise,
    asked: Asked,
    *,
    is_right: bool,
    mistakes: tuple[str, ...],
) -> Tried:
    grade = grade_answer(is_right=is_right, hinted=asked.hinted)
    answer = dict(asked.answers)
    learner.record(exercise, grade, hinted=asked.hinted, answer=answer, mistakes=mistakes)
    return Tried(exercise, grade, answer)


def _is_open(exercise: Exercise) -> bool:
    return any(field.kind == "open" for field in exercise.fields)


def _has_one_other_answer(exercise: Exercise) -> bool:
    (first, *others) = exercise.fields
    return not others and (first.kind == "boolean" or len(first.choices) == 2)


def _say_right(screen: Screen, exercise: Exercise, *, first: bool) -> None:
    screen.write(screen.style("Right." if first else "Now it is right.", "good"))
    if exercise.reasons and not _is_open(exercise):
        screen.say(exercise.reasons)


def _say_open(screen: Screen, exercise: Exercise) -> None:
    screen.say("**Not all of it yet.** It comes back soon; say it then in your own words.")


def _told(field: Field, given: object, message: str) -> str:
    if field.kind == "shape" and isinstance(given, tuple) and isinstance(field.answer, tuple):
        if len(given) != len(field.answer) and message.endswith("is not right."):
            return f"A shape here has {len(field.answer)} sizes; yours has {len(given)}."
        return message
    if field.kind not in ("order", "match") or not isinstance(given, tuple):
        return message
    assert isinstance(field.answer, tuple)
    pairs = list(zip(given, field.answer, strict=True))
    right = sum(mine == true for mine, true in pairs)
    wrong = next(index for index, (mine, true) in enumerate(pairs) if mine != true)
    if field.kind == "match":
        return (
            f"{right} of {len(pairs)} are right. Look again at {wrong + 1}, {field.items[wrong]}."
        )
    texts = {choice.key: choice for choice in field.choices}
    chosen = texts[str(given[wrong])]
    return (
        f"{right} of {len(pairs)} are in their places. The first that is not: "
        f"{chosen.text} cannot be number {wrong + 1}."
    )


def _answer_line(screen: Screen, field: Field) -> str:
    if field.kind == "open":
        return styled(wrap(str(field.answer), columns=screen.columns, indent="   "), screen.style)
    if field.kind == "choice":
        text = next(choice.text for choice in field.choices if choice.key == field.answer)
        shown = f"{spell(field.answer)}, {text}" if "```" not in text else spell(field.answer)
    else:
        shown = spell(field.answer, field.unit)
    label = capitalised(field.label)
    return styled(wrap(f"{label}: **{shown}**", columns=screen.columns, indent="   "), screen.style)

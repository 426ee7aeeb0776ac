"""A drill in a notebook or a script: it shows itself, and checks an answer."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from foveal.errors import UsageError
from foveal.learn.drills import TEMPLATES, Template, template, templates_of
from foveal.learn.exercise import Exercise
from foveal.learn.marking import Marked, mark
from foveal.learn.markup import choices_html, figure_html, inline_html, solution_html, to_html

if TYPE_CHECKING:
    from torch import nn

Given = str | bool | int | float | tuple[int, ...]
"""An answer: as one would type it, or as Python has it."""

_MARKS = {"right": "✓", "follows": "✓", "open": "·", "unreadable": "?", "empty": "?"}


class Shown(str):
    """Text that a notebook shows as HTML, and a script prints as it is."""

    html: str

    def __new__(cls, text: str, html: str) -> Shown:
        """Returns the text; ``html`` is the same, for a notebook."""
        shown = super().__new__(cls, text)
        shown.html = html
        return shown

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return self.html


@dataclass(frozen=True, slots=True)
class Checked:
    """An answer, marked; printing it says where it first goes wrong.

    Attributes:
        exercise: What was asked.
        marked: The marks of each blank.
    """

    exercise: Exercise
    marked: Marked

    @property
    def is_right(self) -> bool:
        """Whether every blank is right."""
        return self.marked.is_right

    def __bool__(self) -> bool:
        return self.is_right

    def _lines(self) -> list[tuple[str, str]]:
        return [
            (
                _MARKS.get(each.verdict, "✗"),
                f"{self.exercise.field(each.key).label}: {each.message}",
            )
            for each in self.marked.fields
        ]

    def __str__(self) -> str:
        return "\n".join(f"{sign} {text}" for sign, text in self._lines())

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        rows = "".join(f"<li>{sign} {inline_html(text)}</li>" for sign, text in self._lines())
        return f'<ul style="list-style:none;padding-left:0">{rows}</ul>'


@dataclass(frozen=True, slots=True)
class Drill:
    """One instance, to be shown, answered and explained.

    Attributes:
        exercise: The instance.
        source: The template that it came from.
    """

    exercise: Exercise
    source: Template

    def check(self, *answers: Given, **by_blank: Given) -> Checked:
        """Marks an answer.

        Args:
            *answers: One for each blank, in their order.
            **by_blank: Or by the keys of the blanks.

        Raises:
            UsageError: There are more answers than blanks, or no blank of that key.
        """
        keys = [field.key for field in self.exercise.fields]
        if len(answers) > len(keys):
            raise UsageError(
                f"check: got {len(answers)} answers, expected at most {len(keys)}: "
                f"{', '.join(keys)}."
            )
        given = dict(zip(keys, map(str, answers), strict=False))
        for key, answer in by_blank.items():
            given[self.exercise.field(key).key] = str(answer)
        return Checked(self.exercise, mark(self.exercise, given))

    def hint(self) -> Shown:
        """Returns one sentence that helps to begin."""
        return Shown(self.exercise.hint, to_html(self.exercise.hint))

    def solution(self) -> Shown:
        """Returns the worked solution and the reasons."""
        steps = [f"{n}. {step.text}" for n, step in enumerate(self.exercise.steps, start=1)]
        figure = self.exercise.solution_figure
        drawn = [] if figure is None else ["", figure.text]
        text = "\n".join([*steps, *drawn, "", self.exercise.reasons])
        return Shown(text, solution_html(self.exercise))

    def proof(self) -> Shown:
        """Returns PyTorch that prints the answers."""
        code = self.exercise.proof
        return Shown(code, to_html(f"```\n{code}\n```"))

    def another(self) -> Drill:
        """Returns a new variant."""
        exercise = self.source.exercise(self.exercise.seed + 1, self.exercise.level)
        return Drill(exercise, self.source)

    def harder(self) -> Drill:
        """Returns a variant one level up; at level 3 another one of level 3."""
        level = min(self.exercise.level + 1, 3)
        seed = self.exercise.seed + (level == self.exercise.level)
        return Drill(self.source.exercise(seed, level), self.source)

    def __str__(self) -> str:
        figure = self.exercise.figure
        parts = [self.exercise.question] + ([] if figure is None else [figure.text])
        blanks = []
        for field in self.exercise.fields:
            blanks.append(f"{field.key}: {field.label} = ____ {field.unit}".rstrip())
            blanks += [f"    {n}. {item}" for n, item in enumerate(field.items, start=1)]
            blanks += [f"    {choice.key}) {choice.text}" for choice in field.choices]
        return "\n\n".join([*parts, "\n".join(blanks)])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        title = escape(f"{self.source.title} · level {self.exercise.level}")
        drawn = figure_html(self.exercise.figure)
        blanks = "".join(
            f"<li><code>{escape(field.key)}</code> {inline_html(field.label)}"
            + choices_html(field)
            + "</li>"
            for field in self.exercise.fields
        )
        call = ", ".join('"…"' for _ in self.exercise.fields)
        return (
            f"<div><strong>{title}</strong>{to_html(self.exercise.question)}{drawn}"
            f"<ul>{blanks}</ul><p>Answer with <code>.check({escape(call)})</code>; "
            "<code>.hint()</code>, <code>.solution()</code>, <code>.proof()</code> and "
            "<code>.another()</code> help.</p></div>"
        )


def drill(
    what: str | int,
    *,
    seed: int = 0,
    level: int = 1,
    on: str | nn.Module | None = None,
    input_shape: tuple[int, ...] | None = None,
) -> Drill:
    """Returns an instance of a drill, to be answered in a notebook or a script.

    Args:
        what: Name of a drill, or number of a topic; a topic's drills take turns by the seed.
        seed: Which variant.
        level: 1 to 3.
        on: Make it from this network: a module, or MODEL as on the command line. The drills are
            then ``own-shapes``, ``own-parameters``, ``own-macs`` and ``own-fields``.
        input_shape: ``(C, H, W)`` of one image for ``on``; what is usual if None.

    Raises:
        UsageError: No such drill, level or seed, or the topic has none.

    >>> question = drill("convolution-parameters", seed=0)
    >>> bool(question.check(question.exercise.fields[0].answer))
    True
    """
    if on is not None:
        from foveal.learn.drills.from_network import network_templates

        known = network_templates(on, input_shape)
        chosen = [t for t in known if what in (t.name, t.topic)]
        if not chosen:
            names = ", ".join(each.name for each in known)
            raise UsageError(f"There is no drill {what!r} of this network; it has {names}.")
    elif isinstance(what, str):
        chosen = [template(what)]
    else:
        chosen = list(templates_of(what))
        if not chosen:
            topics = sorted({topic for t in TEMPLATES for topic in (t.topic, *t.also_topics)})
            raise UsageError(
                f"Topic {what} has no drills; topics with drills are {', '.join(map(str, topics))}."
            )
    source = chosen[seed % len(chosen)] if seed >= 0 else chosen[0]
    return Drill(source.exercise(seed, level), source)

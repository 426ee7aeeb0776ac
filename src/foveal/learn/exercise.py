"""What drills and questions share: an exercise as data, and its JSON both ways.

An exercise holds everything that is needed to show it, to mark it and to explain it. It needs
no engine any more: the web page and the exports read the same JSON as the terminal.

Plain text with little markup: ```code```, ``**bold**``, blank lines between paragraphs and
fenced blocks of code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from foveal.errors import UsageError

Value = bool | int | float | str | tuple[int, ...] | tuple[str, ...]
Kind = Literal[
    "integer",  # int; a float only as the value of a mistake (63.5: nothing was rounded down)
    "number",  # float or int, right within `tolerance`
    "shape",  # tuple of int, without the batch axis
    "choice",  # key of one of `choices`
    "boolean",  # True or False
    "order",  # keys of `choices`, in the right order
    "match",  # for each of `items` the key of one of `choices`
    "open",  # a model answer; the learner marks it by the `checklist`
    "code",  # one expression of Python
]


@dataclass(frozen=True, slots=True)
class Mistake:
    """A wrong way that was followed to its end in this instance.

    Attributes:
        code: Stable name of the mistake, such as ``"no-floor"``; see ``mistakes``.
        value: The answer that one gets with it.
        step: Index of the worked step where it enters.
        feedback: One or two sentences about this instance, with its numbers.
        follow: The same value as a formula of earlier fields, so that the mistake is known
            after an earlier one as well. Empty: the value does not depend on them.
    """

    code: str
    value: Value
    step: int
    feedback: str
    follow: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing to choose, to order or to match with.

    Attributes:
        key: What is typed: ``"a"``, ``"b"``, ...
        text: What is shown.
        feedback: Why it is wrong, or why it is right.
        mistake: Code of the mistake that leads here; empty for the right one.
    """

    key: str
    text: str
    feedback: str = ""
    mistake: str = ""


@dataclass(frozen=True, slots=True)
class Field:
    """One blank to fill.

    Attributes:
        key: Name of the field; formulas of later fields use it.
        label: What stands before the blank.
        kind: How an answer is read and compared.
        answer: The right value.
        mistakes: Wrong values that are known by name; none of them equals the answer.
        choices: For choice, order and match.
        items: For match: what stands on the left.
        unit: Said after the blank, and accepted after the answer.
        tolerance: Greatest distance from ``answer`` that is right; only for ``"number"``.
        follow: How the right value follows from earlier fields, as a formula in their keys
            (see ``formula``). Empty: it depends on none of them.
        step: Index of the worked step that finds this value.
        also: Further right answers.
        checklist: For open: what a good answer says.
    """

    key: str
    label: str
    kind: Kind
    answer: Value
    mistakes: tuple[Mistake, ...] = ()
    choices: tuple[Choice, ...] = ()
    items: tuple[str, ...] = ()
    unit: str = ""
    tolerance: float = 0.0
    follow: str = ""
    step: int = 0
    also: tuple[Value, ...] = ()
    checklist: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the worked solution.

    Attributes:
        text: What is done and what comes out.
        value: What comes out; None where it is no single value.
    """

    text: str
    value: Value | None = None


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of cells, some of them marked: a kernel over a map, a field through layers.

    Attributes:
        title: What it shows.
        rows: The cells' text; an empty text is an empty cell.
        row_labels: One for each row; may be empty.
        marked: ``(row, column)`` of the marked cells.
    """

    title: str
    rows: tuple[tuple[str, ...], ...]
    row_labels: tuple[str, ...] = ()
    marked: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Figure:
    """A drawing as text, as words, and as the cells that a page draws.

    Attributes:
        text: Lines of at most 76 columns.
        alternative: The same in words, for those who cannot see it.
        grids: What is drawn, side by side.
    """

    text: str
    alternative: str
    grids: tuple[Grid, ...]


@dataclass(frozen=True, slots=True)
class Exercise:
    """A drill's instance or a question of the quiz.

    Attributes:
        template: Name of the drill, or ``"quiz:15-2"``.
        seed: Which variant.
        level: 1 to 3; harder means more steps.
        topic: Number of the topic, 1 to 27.
        skill: What it trains; reviews schedule skills.
        question: What is asked.
        fields: The blanks, in the order in which they are to be filled.
        steps: The worked solution.
        hint: One sentence that helps to begin.
        proof: Runnable PyTorch that prints the answers, one line for each field.
        figure: A drawing that belongs to the question.
        traps: What makes this variant treacherous, such as ``"dilation"``.
        reasons: Why it is so; shown after the answer.
        solution_figure: A drawing that would give the answer away; shown with the solution.
    """

    template: str
    seed: int
    level: int
    topic: int
    skill: str
    question: str
    fields: tuple[Field, ...]
    steps: tuple[Step, ...]
    hint: str
    proof: str = ""
    figure: Figure | None = None
    traps: frozenset[str] = frozenset()
    reasons: str = ""
    solution_figure: Figure | None = None

    def field(self, key: str) -> Field:
        """Returns the field of that key.

        Raises:
            UsageError: There is none.
        """
        for field in self.fields:
            if field.key == key:
                return field
        known = ", ".join(field.key for field in self.fields)
        raise UsageError(f"{self.template} has no blank {key!r}; expected one of {known}.")


def to_json(exercise: Exercise) -> dict[str, Any]:
    """Returns the exercise as dictionaries, lists, strings and numbers.

    What is empty is left out, so that thousands of variants stay small.
    """
    content = _plain(exercise)
    assert isinstance(content, dict)
    return content


def from_json(content: Mapping[str, Any]) -> Exercise:
    """Returns the exercise that ``to_json`` wrote.

    Raises:
        UsageError: Something is missing, unknown or of another kind.
    """
    try:
        return Exercise(
            **{
                **content,
                "fields": tuple(_field(each) for each in content["fields"]),
                "steps": tuple(
                    Step(each["text"], _frozen(each.get("value")))
                    for each in content.get("steps", ())
                ),
                "figure": _figure(content.get("figure")),
                "solution_figure": _figure(content.get("solution_figure")),
                "traps": frozenset(content.get("traps", ())),
            }
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"exercise: got JSON that is no exercise of this version ({error}).",
            next_step="Write it again with the installed version of Foveal.",
        ) from error


def _plain(value: object) -> Any:
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Exercise | Field | Mistake | Choice | Step | Figure | Grid):
        pairs = ((each, getattr(value, each.name)) for each in fields(value))
        return {
            each.name: _plain(content)
            for each, content in pairs
            if not (content is None or content in ("", (), frozenset()))
            and not (each.name == "tolerance" and content == 0.0)
        }
    return value


def _frozen(value: Any) -> Any:
    return tuple(_frozen(each) for each in value) if isinstance(value, list) else value


def _field(content: Mapping[str, Any]) -> Field:
    plain = {name: _frozen(value) for name, value in content.items()}
    plain["mistakes"] = tuple(
        Mistake(**{name: _frozen(value) for name, value in each.items()})
        for each in content.get("mistakes", ())
    )
    plain["choices"] = tuple(Choice(**each) for each in content.get("choices", ()))
    return Field(**plain)


def _figure(content: Mapping[str, Any] | None) -> Figure | None:
    if content is None:
        return None
    grids = tuple(
        Grid(**{name: _frozen(value) for name, value in each.items()}) for each in content["grids"]
    )
    return Figure(content["text"], content["alternative"], grids)

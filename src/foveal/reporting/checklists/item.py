"""What a reporting checklist is: items in our own words, and what a run answers of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from foveal.evaluation.evidence import Evidence
from foveal.reporting.report_input import AuditLike, Provenance
from foveal.shortcuts.explained_run import ExplainedRun


@dataclass(frozen=True, slots=True)
class RunFacts:
    """All that a run knows and a checklist may ask for.

    ``config`` are the choices of its training by name; ``external`` is what ``foveal evaluate``
    measured on data from elsewhere, where that was given.
    """

    evidence: Evidence
    audit: AuditLike
    provenance: Provenance
    explanations: ExplainedRun
    config: Mapping[str, Any]
    external: Evidence | None = None


@dataclass(frozen=True, slots=True)
class RunAnswer:
    """What the run says to an item.

    Attributes:
        text: With figures.
        section: Where in its report; "" is outside it.
        is_whole: Whether it is all of an item of which a run mostly knows one half.
    """

    text: str
    section: str = ""
    is_whole: bool = False


Knows = Callable[[RunFacts], RunAnswer | None]


@dataclass(frozen=True, slots=True)
class Item:
    """One row of a checklist.

    Attributes:
        number: As the guideline numbers it, such as ``"12a"``.
        topic: What it is about, in our words.
        run: Returns what the run answers; ``None`` where this run does not know. No function
            where no run can know.
        owner: The question of ``statement.toml`` that answers it. With both, the owner's answer
            is needed beside the run's where ``needs_both``, and else only where the run has none.
        needs_both: Whether the run's answer is one half alone, unless it says that it is whole.
    """

    number: str
    topic: str
    run: Knows | None = None
    owner: str | None = None
    needs_both: bool = False


@dataclass(frozen=True, slots=True)
class Checklist:
    """A guideline: its items in its order.

    Attributes:
        key: As ``--checklist`` takes it.
        name: With the year.
        source: Where it was published.
        unit: What is counted, in the plural.
        items: One row an item.
    """

    key: str
    name: str
    source: str
    unit: str
    items: tuple[Item, ...]


Status = Literal["run", "owner", "both", "half", "open"]


@dataclass(frozen=True, slots=True)
class FilledItem:
    """An item with its answers.

    Attributes:
        item: The row.
        status: Who answered: the run, the owner, both; ``"half"`` where one half is missing,
            ``"open"`` where nothing is said.
        run_answer: What the run says.
        owner_answer: What ``statement.toml`` says.
        question: What is asked of the owner where an answer is missing.
    """

    item: Item
    status: Status
    run_answer: RunAnswer | None
    owner_answer: str
    question: str

    @property
    def is_answered(self) -> bool:
        """Whether nothing is missing."""
        return self.status in ("run", "owner", "both")


@dataclass(frozen=True, slots=True)
class FilledChecklist:
    """A checklist as far as a run and its owner answer it."""

    checklist: Checklist
    items: tuple[FilledItem, ...]
    run_name: str

    @property
    def num_answered(self) -> int:
        """Items with a whole answer."""
        return sum(one.is_answered for one in self.items)

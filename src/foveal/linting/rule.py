"""A rule: frozen data and one pure function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from foveal.linting.context import LintContext
from foveal.linting.finding import Outcome, Severity

Family = Literal["structure", "weights", "behaviour", "training"]
FAMILIES: dict[str, Family] = {
    "S": "structure",
    "W": "weights",
    "B": "behaviour",
    "T": "training",
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that can be wrong with a network.

    Attributes:
        code: A letter for the family and three digits: S1.. structure, W2.. weights,
            B3.. behaviour, T4.. training. The same code names the page and the test.
        title: What is wrong, as a noun phrase in lower case.
        severity: The gravest that its findings have; one of them may be milder.
        check: Looks at a model. Pure: same context, same outcome, nothing changed.
        topics: Numbers of the course's topics that the rule belongs to.
    """

    code: str
    title: str
    severity: Severity
    check: Callable[[LintContext], Outcome]
    topics: tuple[int, ...] = ()

    @property
    def family(self) -> Family:
        """What the rule looks at."""
        return FAMILIES[self.code[0]]

    @property
    def docs(self) -> str:
        """The page that teaches it, relative to the project's root."""
        return f"docs/rules/{self.code}.md"

"""What an operating point should do, as typed: ``sensitivity>=0.95 for defective``, or costs.

A rule names one class. It stands against all the others: "yes" is that class.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NoReturn

from foveal.errors import UsageError
from foveal.text import near_names, printable

Measure = Literal["sensitivity", "specificity", "ppv", "npv"]

_MEASURES: dict[str, Measure] = {
    "sensitivity": "sensitivity",
    "recall": "sensitivity",
    "tpr": "sensitivity",
    "specificity": "specificity",
    "tnr": "specificity",
    "ppv": "ppv",
    "precision": "ppv",
    "npv": "npv",
}
_SPOKEN: dict[Measure, str] = {
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "ppv": "PPV",
    "npv": "NPV",
}
_EXAMPLE = 'Write it as "sensitivity>=0.95 for NAME-OF-A-CLASS"; also specificity, ppv or npv.'
_COSTS_EXAMPLE = 'Write them as "missed=10,false=1 for NAME-OF-A-CLASS".'


@dataclass(frozen=True, slots=True)
class AtLeast:
    """A rate that must be reached: the threshold that gives away least of its counterpart."""

    measure: Measure
    target: float
    class_name: str

    @property
    def text(self) -> str:
        """The rule as one would type it, in one spelling.

        >>> AtLeast("ppv", 0.9, "a").text
        'ppv>=0.9 for a'
        """
        return f"{self.measure}>={self.target:.12g} for {_quoted(self.class_name)}"

    @property
    def spoken(self) -> str:
        """What is asked for, as a phrase.

        >>> AtLeast("npv", 0.995, "a").spoken
        'an NPV of at least 99.5%'
        """
        article = "an" if self.measure == "npv" else "a"
        return f"{article} {_SPOKEN[self.measure]} of at least {100 * self.target:.6g}%"

    @property
    def spoken_measure(self) -> str:
        """The measure, as a reader knows it."""
        return _SPOKEN[self.measure]


@dataclass(frozen=True, slots=True)
class LeastCost:
    """What mistakes cost: the threshold whose answers cost least.

    ``missed`` is the cost of an image of the class that is not answered with it, ``false`` that
    of another that is. A right answer costs nothing.
    """

    missed: float
    false: float
    class_name: str

    @property
    def text(self) -> str:
        """The costs as one would type them, in one spelling.

        >>> LeastCost(10, 1, "a").text
        'missed=10,false=1 for a'
        """
        return f"missed={self.missed:.12g},false={self.false:.12g} for {_quoted(self.class_name)}"

    @property
    def spoken(self) -> str:
        """What is asked for, as a phrase.

        >>> LeastCost(10, 1, "a").spoken
        'the least cost, where a missed image costs 10 and a false alarm 1'
        """
        return (
            f"the least cost, where a missed image costs {self.missed:.6g} and a false alarm "
            f"{self.false:.6g}"
        )


Rule = AtLeast | LeastCost


def read_rule(text: str) -> AtLeast:
    """Returns the rule that a text such as ``sensitivity>=0.95 for defective`` is.

    The name of the class is whatever follows the first "for"; quotes around it are taken off.

    >>> read_rule("Recall ≥ 95% for for sale")
    AtLeast(measure='sensitivity', target=0.95, class_name='for sale')

    Raises:
        UsageError: It is none; the message says which part.
    """
    pattern = r"\s*([^<>=≥≤\s]*)\s*([<>=≥≤]*)\s*(\S*)(?:\s+for\s+(.+?))?\s*"
    match = re.fullmatch(pattern, text, flags=re.DOTALL)
    if match is None:
        _refuse(text, "a measure, >=, a share and the class that it is for", _EXAMPLE)
    word, sign, number, name = match.groups()
    measure = _MEASURES.get(word.casefold())
    if measure is None:
        near = near_names(word.casefold(), _MEASURES)
        hint = f"Did you mean {near[0]}? " if near else ""
        _refuse(text, "it to begin with sensitivity, specificity, ppv or npv", f"{hint}{_EXAMPLE}")
    if sign not in (">=", "≥"):
        _refuse(text, f"{word}>= and a share", _EXAMPLE)
    target = _share(number)
    if target is None:
        _refuse(text, f"a share above 0 and up to 1 after {word}{sign}", _EXAMPLE)
    return AtLeast(measure, target, _class_name(text, name, _EXAMPLE))


def read_costs(text: str) -> LeastCost:
    """Returns the costs that a text such as ``missed=10,false=1 for defective`` states.

    >>> read_costs("false=1, missed=10 for defective")
    LeastCost(missed=10.0, false=1.0, class_name='defective')

    Raises:
        UsageError: It states none; the message says which part.
    """
    match = re.fullmatch(r"\s*(.*?)(?:\s+for\s+(.+?))?\s*", text, flags=re.DOTALL)
    assert match is not None  # every text matches
    stated, name = match.groups()
    costs: dict[str, float] = {}
    for part in stated.split(","):
        word, sign, number = (one.strip() for one in part.partition("="))
        word = word.casefold()
        if word not in ("missed", "false") or not sign or word in costs:
            _refuse(text, "missed=COST,false=COST, each once", _COSTS_EXAMPLE)
        costs[word] = _cost(text, number)
    if len(costs) != 2:
        _refuse(text, "both missed=COST and false=COST", _COSTS_EXAMPLE)
    if not any(costs.values()):
        _refuse(text, "a cost above 0", _COSTS_EXAMPLE)
    return LeastCost(costs["missed"], costs["false"], _class_name(text, name, _COSTS_EXAMPLE))


def parse_rule(text: str) -> Rule:
    """Returns the rule or the costs that a text is, as ``Rule.text`` writes them.

    Raises:
        UsageError: It is neither.
    """
    is_costs = text.lstrip().casefold().startswith(("missed", "false"))
    return read_costs(text) if is_costs else read_rule(text)


def find_class(rule: Rule, class_names: Sequence[str]) -> int:
    """Returns the index of the class that a rule is for.

    Raises:
        UsageError: There is no such class; near names are offered.
    """
    names = [printable(name) for name in class_names]
    wanted = printable(rule.class_name)
    if wanted in names:
        return names.index(wanted)
    folded = [index for index, name in enumerate(names) if name.casefold() == wanted.casefold()]
    near = [names[folded[0]]] if folded else near_names(wanted, names)
    known = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
    raise UsageError(
        f"The operating point is for a class {wanted!r}, which the data do not have.",
        next_step=f"Did you mean {near[0]!r}?" if near else f"The classes are {known}.",
    )


def _quoted(name: str) -> str:
    """Returns a name in quotes where it would not be read back as it is."""
    is_plain = name == name.strip() and name[:1] not in ("'", '"')
    return name if is_plain and name else f"'{name}'"


def _share(number: str) -> float | None:
    is_percent = number.endswith("%")
    try:
        value = float(number.removesuffix("%"))
    except ValueError:
        return None
    # 95/100 and not 0.01 * 95, so that "95%" is the same number as "0.95".
    value = value / 100.0 if is_percent else value
    return value if 0.0 < value <= 1.0 else None


def _cost(text: str, number: str) -> float:
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0.0):
        _refuse(text, f"a cost of 0 or more in place of {number!r}", _COSTS_EXAMPLE)
    return value


def _class_name(text: str, name: str | None, example: str) -> str:
    if name is None or not name.strip():
        _refuse(text, "the class that it is for at its end", example)
    name = name.strip()
    if len(name) >= 2 and name[0] == name[-1] and name[0] in "\"'":
        return name[1:-1]
    return name


def _refuse(text: str, expected: str, next_step: str) -> NoReturn:
    raise UsageError(
        f"operating point: got {printable(text)!r}, expected {expected}.", next_step=next_step
    )

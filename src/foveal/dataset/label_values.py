"""Checks what a label column holds: words for "no label", lists of labels, quantities."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from foveal.errors import DataError
from foveal.text import count_noun, printable

_MISSING = frozenset(("nan", "null", "n/a", "<na>", "#n/a", "na", "nat", "?", "-", "--", "."))
_MISSING_AS_WRITTEN = frozenset(("None", "NONE"))  # a human's "none" may well be a class
_SEPARATORS = ("|", ";", ",", "+", "&")
_MIN_QUANTITIES = 20
_AS_WRITTEN = "If each is a class all the same: --labels-as-written."


def is_missing(label: str) -> bool:
    """Whether a label is a word for "there is none", as pandas and databases write it.

    >>> [is_missing(word) for word in ("NaN", "?", "None", "none", "nancy")]
    [True, True, True, False, False]
    """
    return label in _MISSING_AS_WRITTEN or label.casefold() in _MISSING


def whole_numbers(values: Sequence[str]) -> list[str]:
    """Returns the values of a column, whole numbers without the ``.0`` that some programs add.

    Only where every value is a number: ``1.0`` and ``1`` are then one patient, not two.

    >>> whole_numbers(["1.0", "2", ""]), whole_numbers(["1.0", "v2"])
    (['1', '2', ''], ['1.0', 'v2'])
    """
    if not all(re.fullmatch(r"-?\d+(\.\d*)?|", value) for value in values):
        return list(values)
    return [re.sub(r"\.0*$", "", value) for value in values]


@dataclass(frozen=True, slots=True)
class WrittenLabel:
    """A label as a row of a table has it. ``where`` reads ``"line 7"``."""

    text: str
    where: str


def refuse_what_is_no_class(labels: Sequence[WrittenLabel], *, column: str, table: str) -> None:
    """Refuses labels that one class an image cannot stand for; the first such row is named.

    Args:
        labels: Of the rows that have one.
        column: Their column.
        table: The table's name, for messages.

    Raises:
        DataError: Cells hold several labels, or the labels are probabilities or quantities.
    """
    counts = Counter(label.text for label in labels)
    what = f"The column '{printable(column)}' of '{table}'"
    if _are_probability_lists(counts):
        raise DataError(
            f"{what} holds probabilities of several classes in one cell, such as "
            f"'{printable(labels[0].text)}' in {labels[0].where}. Foveal learns from one class an "
            "image.",
            next_step="Write a column with the name of the most probable class, and name it by "
            f"--label-column. {_AS_WRITTEN}",
        )
    separator = _find_separator(counts)
    if separator is not None:
        several = [label for label in labels if separator in label.text]
        raise DataError(
            f"{what} holds several labels in one cell, such as '{printable(several[0].text)}' in "
            f"{several[0].where} ({count_noun(len(several), 'row')}). Foveal tells one class an "
            "image.",
            next_step="Keep the rows with one label, or make a column that says yes or no about "
            f"one of them and name it by --label-column. {_AS_WRITTEN}",
        )
    if _are_probabilities(counts):
        first = next(label for label in labels if not float(label.text).is_integer())
        raise DataError(
            f"{what} holds probabilities, such as {printable(first.text)} in {first.where}, and "
            f"{len(counts):,} different ones in all. Foveal learns from one class an image.",
            next_step="Write a column with a class for each row, such as 'yes' from 0.5 on and "
            f"'no' below, and name it by --label-column. {_AS_WRITTEN}",
        )
    if _are_quantities(counts):
        low, high = min(counts, key=float), max(counts, key=float)
        first = labels[0]
        raise DataError(
            f"{what} holds {len(counts):,} different numbers from {low} to {high} "
            f"({printable(first.text)} in {first.where}): a quantity, not classes.",
            next_step=f"Write a column with ranges as classes ('low', 'high'). {_AS_WRITTEN}",
        )


def describe_class_columns(rows: Sequence[tuple[str, Mapping[str, str]]]) -> str:
    """Returns what to do where every class has a column of its own; empty where none has.

    Args:
        rows: Where each row stands, and its values by column.
    """
    names = list(rows[0][1]) if rows else []
    shares = {name: _shares([values[name] for _, values in rows]) for name in names}
    flags = {name: found for name, found in shares.items() if found is not None}
    if len(flags) < 2:
        return ""
    shown = ", ".join(map(printable, list(flags)[:3])) + (" and more" if len(flags) > 3 else "")
    if any(not value.is_integer() for found in flags.values() for value in found):
        return (
            f" The columns {shown} hold probabilities: write one column with the name of the most "
            "probable."
        )
    for (where, _), *values in zip(rows, *flags.values(), strict=True):
        if sum(values) > 1:
            return (
                f" The columns {shown} hold zeros and ones, several ones in {where}: several "
                "labels an image, of which Foveal learns one at a time. Name one of them: "
                f"--label-column {printable(next(iter(flags)))}."
            )
    return (
        f" The columns {shown} hold zeros and ones: write one column with the name of the one "
        "that is 1."
    )


def _shares(values: Sequence[str]) -> list[float] | None:
    """Returns the values of a column where all are numbers from 0 to 1."""
    try:
        numbers = [float(value) for value in values]
    except ValueError:
        return None
    return numbers if all(0.0 <= number <= 1.0 for number in numbers) else None


def _find_separator(counts: Counter[str]) -> str | None:
    """Returns what parts the labels of a cell, where the parts are labels themselves."""
    listed = [label for label in counts if re.fullmatch(r"[\[({].*,.*[\])}]", label)]
    if len(listed) > 1:
        return ","
    for separator in _SEPARATORS:
        cells = {
            label: [p.strip() for p in label.split(separator) if p.strip()] for label in counts
        }
        several = [parts for parts in cells.values() if len(parts) > 1]
        alone = {parts[0] for parts in cells.values() if len(parts) == 1}
        parts_of_several = {part for parts in several for part in parts}
        lengths = {len(parts) for parts in cells.values()}
        # 'Apple|scab' and 'Corn|rust' are names; 'a', 'b' and 'a|b' are labels and a list.
        if (
            len(several) > 1
            and len(lengths) > 1
            and len(parts_of_several & alone) > len(parts_of_several) / 2
        ):
            return separator
        if len(several) == 1 and parts_of_several <= alone:
            return separator
        # 'a;b', 'b;c', 'c;a': what stands first in one cell stands second in another.
        places = {(place, part) for parts in several for place, part in enumerate(parts)}
        wandering = len(places) - len({part for _, part in places})
        if len(several) > 1 and wandering > 1:
            return separator
    return None


def _are_probability_lists(counts: Counter[str]) -> bool:
    """Whether every cell is a list of numbers from 0 to 1: '0.2;0.8', '[0.1, 0.9]', '0.5 0.5'."""
    parts = [re.split(r"[\s;,|]+", label.strip("[](){} ")) for label in counts]
    values = [_shares(one) for one in parts if len(one) > 1]
    known = [one for one in values if one is not None]
    return (
        len(counts) > 1
        and len(known) == len(counts)
        and any(not value.is_integer() for one in known for value in one)
    )


def _are_probabilities(counts: Counter[str]) -> bool:
    values = _shares(list(counts))
    return (
        values is not None and len(values) > 2 and any(not value.is_integer() for value in values)
    )


def _are_quantities(counts: Counter[str]) -> bool:
    try:
        values = [float(label) for label in counts]
    except ValueError:
        return False
    if len(values) < _MIN_QUANTITIES:
        return False
    is_whole = all(value.is_integer() for value in values)
    single = sum(number == 1 for number in counts.values())
    return single > len(counts) / 2 or not is_whole

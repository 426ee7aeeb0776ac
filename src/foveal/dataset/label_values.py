"""Checks what a label column holds: words for "no label", lists of labels, quantities."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

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


def refuse_lists_and_quantities(labels: Sequence[str], *, column: str, table: str) -> None:
    """Refuses labels that one class an image cannot stand for.

    Args:
        labels: Of the rows that have one.
        column: Their column.
        table: The table's name, for messages.

    Raises:
        DataError: Cells hold several labels, or the labels are quantities.
    """
    counts = Counter(labels)
    separator = _find_separator(counts)
    if separator is not None:
        several = [label for label in counts if separator in label]
        number = sum(counts[label] for label in several)
        raise DataError(
            f"The column '{printable(column)}' of '{table}' holds several labels in one cell, "
            f"such as '{printable(several[0])}' ({count_noun(number, 'row')}). Foveal tells one "
            "class an image.",
            next_step="Keep the rows with one label, or make a column that says yes or no about "
            f"one of them and name it by --label-column. {_AS_WRITTEN}",
        )
    if _are_quantities(counts):
        low, high = min(counts, key=float), max(counts, key=float)
        raise DataError(
            f"The column '{printable(column)}' of '{table}' holds "
            f"{len(counts):,} different numbers from {low} to {high}: a quantity, not classes.",
            next_step=f"Write a column with ranges as classes ('low', 'high'). {_AS_WRITTEN}",
        )


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
    return None


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

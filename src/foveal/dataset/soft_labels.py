"""Shares of the classes that a table gives for every image, to be learned instead of one label."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from foveal.dataset.manifest import Manifest
from foveal.errors import DataError, UsageError
from foveal.text import near_names, printable

_TOLERANCE = 1e-3  # of written thirds


def read_soft_labels(manifest: Manifest, choices: Sequence[str]) -> NDArray[np.float32]:
    """Returns the shares [N, K] of the usable images, each row with a sum of 1.

    The label stays what is judged, so it must be the likeliest class of its row, and no other
    may be as likely.

    Args:
        manifest: The data, before files are numbered.
        choices: Each ``"COLUMN=CLASS"``, for every class, or for all but one, which gets the rest.

    Raises:
        UsageError: A column or class is unknown, named twice, or missing.
        DataError: A cell is empty or no share; a row does not add up, or its label is not its
            likeliest class.
    """
    names = manifest.class_names
    columns = _columns(manifest, choices)
    records = manifest.usable
    shares = np.zeros((len(records), len(names)))
    for number, position in columns.items():
        shares[:, number] = [
            _share(record.told[position] if record.told else "", record.path, choices)
            for record in records
        ]
    sums = shares.sum(1)
    if len(columns) < len(names):
        rest = next(number for number in range(len(names)) if number not in columns)
        shares[:, rest] = np.maximum(0, 1 - sums)
        wrong, expected = sums > 1 + _TOLERANCE, "1 at most"
    else:
        wrong, expected = abs(sums - 1) > _TOLERANCE, "1"
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(
            f"The shares of {printable(records[row].path)} add up to {sums[row]:.4g}; expected "
            f"{expected}. {int(wrong.sum()):,} images are like that.",
            next_step="Correct the table: every share is from 0 to 1.",
        )
    shares /= shares.sum(1, keepdims=True)
    own = shares[np.arange(len(records)), manifest.labels]
    others = shares.copy()
    others[np.arange(len(records)), manifest.labels] = -1
    tied = others.max(1) >= own - 1e-9
    if tied.any():
        row = int(tied.argmax())
        other, label = int(others[row].argmax()), int(manifest.labels[row])
        raise DataError(
            f"{printable(records[row].path)} has the label {printable(names[label])} with a share "
            f"of {own[row]:.4g}, and {printable(names[other])} with {shares[row, other]:.4g}: its "
            f"label is not its likeliest class. {int(tied.sum()):,} images are like that.",
            next_step="A label is what is judged. Give each image its likeliest class, and leave "
            "out images whose likeliest are equal, such as 0.5 and 0.5.",
        )
    return shares.astype(np.float32)


def _columns(manifest: Manifest, choices: Sequence[str]) -> dict[int, int]:
    """Returns the column's position by the class's number."""
    names, found = list(manifest.class_names), dict[int, int]()
    for choice in choices:
        column, _, name = (part.strip() for part in choice.rpartition("="))
        if not column:
            raise UsageError(
                f"--soft-labels {printable(choice)}: expected COLUMN=CLASS.",
                next_step=f"Say which class a share is of, such as {printable(choice)}="
                f"{printable(names[-1])}.",
            )
        for noun, word, known in (
            ("column", column.casefold(), list(manifest.column_names)),
            ("class", name, names),
        ):
            if word not in known:
                near = near_names(word, known)
                shown = ", ".join(printable(one) for one in near or known[:8])
                raise UsageError(
                    f"--soft-labels {printable(choice)}: there is no {noun} {printable(word)!r}.",
                    next_step=(f"Did you mean {shown}?" if near else f"Known: {shown}.")
                    if shown
                    else "Give a table with path,label and the columns of shares.",
                )
        if names.index(name) in found:
            raise UsageError(
                f"--soft-labels names the class {printable(name)} twice.",
                next_step="Name one column a class.",
            )
        found[names.index(name)] = manifest.column_names.index(column.casefold())
    if len(found) < len(names) - 1:
        missing = [printable(one) for number, one in enumerate(names) if number not in found]
        raise UsageError(
            f"--soft-labels names columns for {len(found)} of {len(names)} classes; missing are "
            f"{', '.join(missing[:5])}.",
            next_step="Name a column for every class; one of them may be left out and gets the "
            "rest.",
        )
    return found


def _share(text: str, path: str, choices: Sequence[str]) -> float:
    try:
        share = float(text)
    except ValueError:
        share = np.nan
    if not 0 <= share <= 1:
        raise DataError(
            f"The share of {printable(path)} is {printable(text)!r}; expected a number from 0 to 1 "
            f"({printable(', '.join(choices))}).",
            next_step="Correct the table, or leave the image out.",
        )
    return share

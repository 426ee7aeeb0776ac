"""What was asked of an operating point, from the three options that ask it."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from foveal.errors import UsageError
from foveal.evaluation.operating_rule import LeastCost, Rule, read_costs, read_rule
from foveal.evaluation.rates import check_prevalence
from foveal.text import printable


def read_choice(operate: str | None, costs: str | None, prevalence: float | None) -> Rule | None:
    """Returns the rule of ``--operate`` or ``--costs``; ``None`` without either.

    Raises:
        UsageError: One cannot be read, or they do not go together.
    """
    if prevalence is not None:
        check_prevalence(prevalence)
    if operate is not None and costs is not None:
        raise UsageError(
            "A run has one operating point: got both --operate and --costs.",
            next_step="Leave one of them out.",
        )
    if operate is not None:
        return read_rule(operate)
    if costs is not None:
        # What has the form of costs is no file: a file is meant only where there is none.
        is_file = "=" not in costs or Path(costs).is_file()
        return read_cost_file(Path(costs)) if is_file else read_costs(costs)
    if prevalence is not None:
        raise UsageError(
            "--prevalence is that of the class that an operating point is for, and none was asked "
            "for.",
            next_step='Add --operate "sensitivity>=0.95 for NAME-OF-A-CLASS".',
        )
    return None


def read_cost_file(file: Path) -> LeastCost:
    """Returns the costs that a CSV of two classes states: the class by row, the answer by column.

    What a right answer costs is taken off the wrong one's. The class that is dearer to miss is
    the one with a threshold.

    Raises:
        UsageError: It cannot be read, or is no such table.
    """
    name = printable(str(file))
    try:
        rows = [row for row in csv.reader(file.read_text("utf-8-sig").splitlines()) if any(row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(
            f"The costs {name} cannot be read: {printable(str(error))}.",
            next_step='Name a CSV file, or write "missed=10,false=1 for NAME-OF-A-CLASS".',
        ) from None
    names = [one.strip() for one in rows[0][1:]] if rows else []
    told = [[cell.strip() for cell in row] for row in rows[1:]]
    if len(names) > 2:
        raise UsageError(
            f"The costs {name} are of {len(names)} classes; a threshold parts one class from the "
            "others.",
            next_step='Write "missed=10,false=1 for NAME-OF-A-CLASS" for the class that matters.',
        )
    example = "Write a line ',good,bad', then 'good,0,1' and 'bad,10,0'."
    if (
        len(names) != 2
        or len(set(names)) != 2
        or not all(names)
        or [row[0] for row in told] != names
        or any(len(row) != 3 for row in told)
    ):
        raise UsageError(
            f"The costs {name}: expected the names of two classes in the first line, and a line a "
            "class in that order with two costs.",
            next_step=example,
        )
    try:
        costs = np.array([row[1:] for row in told], dtype=np.float64)
    except ValueError:
        costs = np.full((2, 2), np.nan)
    extra = costs - np.diag(costs)[:, None]
    if not np.isfinite(costs).all() or (extra < 0).any() or not extra.any():
        raise UsageError(
            f"The costs {name}: expected numbers, with no wrong answer cheaper than the right one "
            "of its class, and one dearer.",
            next_step=example,
        )
    own = int(extra[1, 0] >= extra[0, 1])
    return LeastCost(float(extra[own, 1 - own]), float(extra[1 - own, own]), names[own])

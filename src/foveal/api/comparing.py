"""A run compared with another run, or with somebody's answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from foveal.errors import UsageError
from foveal.text import printable

if TYPE_CHECKING:
    from foveal.api.runs import PathLike
    from foveal.dataset import DataOptions
    from foveal.runs.classifier import Classifier
    from foveal.runs.comparing import RunComparison


def compare(
    first: PathLike | Classifier,
    second: PathLike | Classifier,
    *,
    margin: float | None = None,
    figure: Literal["accuracy", "balanced_accuracy", "auroc"] = "accuracy",
    reading: DataOptions | None = None,
    seed: int = 0,
) -> RunComparison:
    """Compares a run with another one, or with a table of answers, on their common images.

    Every answer of a run is out of fold. The differences are paired, with intervals from a
    bootstrap over groups.

    >>> foveal.compare("runs/linear", "runs/tuned").verdict          # doctest: +SKIP

    Args:
        first: A run folder, or its classifier.
        second: Another run; or a CSV, TSV or Parquet table with the columns path and label (the
            answer), and perhaps one of probabilities a class.
        margin: How much worse the first may be, as a share chosen beforehand; 0.02 is two points.
        figure: What the margin is about.
        reading: Which columns of the table are path and label.
        seed: Seeds the bootstrap.

    Raises:
        DataError: There are no common images, or an answer is no class of the run.
        RunError: A run cannot be read.
        UsageError: The margin is no share, or the first is no run.
    """
    from foveal.evaluation import FIGURES
    from foveal.runs.comparing import compare_sides
    from foveal.runs.sides import read_answers_side, read_run_side

    if figure not in FIGURES:
        raise UsageError(
            f"figure: got {figure!r}, expected one of {', '.join(FIGURES)}.",
            next_step="Choose what the margin is about.",
        )
    if margin is not None and not 0.0 < margin < 1.0:
        raise UsageError(
            f"margin: got {margin}, expected a number above 0 and below 1.",
            next_step="Give it as a share: 0.02 is two percentage points.",
        )
    run, other = _folder(first), _folder(second)
    if run.is_file():
        raise UsageError(
            f"{printable(str(run))} is a file, expected a run folder.",
            next_step="Give the run first and the table of answers second.",
        )
    one = read_run_side(run)
    side = (
        read_answers_side(other, one.class_names, options=reading)
        if other.is_file()
        else read_run_side(other)
    )
    return compare_sides(one, side, margin=margin, figure=figure, seed=seed)


def _folder(run: PathLike | Classifier) -> Path:
    from foveal.runs.classifier import Classifier

    return run.folder if isinstance(run, Classifier) else Path(run)

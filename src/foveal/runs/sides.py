"""The two sides of a comparison: a run's out-of-fold answers, or a table of somebody's answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from foveal.dataset import DataOptions
from foveal.dataset.label_values import is_missing, whole_numbers
from foveal.dataset.layouts import label_of
from foveal.dataset.rows import Row, Table, read_table
from foveal.dataset.tables import LABEL_NAMES, PATH_NAMES, find_roles
from foveal.errors import DataError
from foveal.evaluation import log_softmax
from foveal.runs.folder import (
    EVALUATION_NAME,
    MANIFEST_TABLE_NAME,
    OUT_OF_FOLD_NAME,
    read_manifest,
    verify_files,
)
from foveal.runs.reading import read_evidence
from foveal.runs.tables import read_identities, read_out_of_fold
from foveal.text import count_noun, near_names, printable

# A column of one of these names is the answer even where another is called label, which is
# then the truth as the table's owner has it.
ANSWER_NAMES = (
    *("answer", "prediction", "predicted", "predicted_label", "predicted_class", "pred"),
    *("reading", "response", "decision"),
)
_SCORE_PREFIXES = ("probability_", "prob_", "p_", "score_", "")
_SUM_TOLERANCE = 0.01


@dataclass(frozen=True)
class Side:
    """What one side answered, one entry an image.

    Attributes:
        name: As the reader gave it, printable.
        kind: A run, or a table of answers.
        class_names: K names, in the order of ``scores``.
        paths: Printable.
        digests: SHA-256 of each file, and of its pixels; empty where they are unknown.
        predicted: The class that was answered.
        scores: Higher means more likely of the class, shape [N, K], NaN in the column of a class
            without any; ``None`` where labels alone were given.
        labels: The true classes; ``None`` for a table.
        groups: Images that belong together, shape [N]; ``None`` for a table.
        folds: In which each image was held out, shape [N]; ``None`` for a table.
        trained_on: Digests of the files that the run was made from.
        has_numbered_paths: Whether the paths are numbers in place of names.
        notes: What was assumed, as sentences.
    """

    name: str
    kind: Literal["run", "answers"]
    class_names: tuple[str, ...]
    paths: tuple[str, ...]
    digests: tuple[tuple[str, str], ...]
    predicted: tuple[str, ...]
    scores: NDArray[np.float64] | None
    labels: tuple[str, ...] | None = None
    groups: NDArray[np.int64] | None = None
    folds: NDArray[np.int64] | None = None
    trained_on: frozenset[str] = field(default_factory=frozenset)
    has_numbered_paths: bool = False
    notes: tuple[str, ...] = ()


def read_run_side(folder: Path, *, name: str | None = None) -> Side:
    """Reads what a run answered to images that the answering model had not seen.

    Raises:
        RunIncompleteError: The folder is missing, unfinished or no run.
        RunAlteredError: A file is not as it was written.
    """
    manifest = read_manifest(folder)
    verify_files(folder, manifest, (EVALUATION_NAME, MANIFEST_TABLE_NAME, OUT_OF_FOLD_NAME))
    names = read_evidence(folder)[0].data.class_names
    table = read_out_of_fold(folder, names)
    logits = np.array([table[f"logit_{one}"] for one in names], np.float64).T
    known = read_identities(folder)
    judged = [known[path] for path in table["path"]]
    config = manifest.get("config")
    return Side(
        name=name or printable(str(folder)),
        kind="run",
        class_names=names,
        paths=tuple(table["path"]),
        digests=tuple((one.digest, one.pixel_digest) for one in judged),
        predicted=tuple(names[best] for best in logits.argmax(axis=1)),
        scores=log_softmax(logits),
        labels=tuple(table["label"]),
        groups=np.array([one.group for one in judged], np.int64),
        folds=np.array(table["fold"], np.int64),
        trained_on=frozenset(one.digest for one in known.values() if one.digest),
        has_numbered_paths=isinstance(config, dict) and bool(config.get("anonymous_paths")),
    )


def read_answers_side(
    file: Path, class_names: Sequence[str], *, options: DataOptions | None = None
) -> Side:
    """Reads a table with the columns path, label and perhaps one of probabilities a class.

    A row whose label is empty, or a word for "there is none", is no answer.

    Args:
        file: CSV, TSV or Parquet.
        class_names: Of the run that the answers are compared with.
        options: Which columns are path and label.

    Raises:
        DataError: The table cannot be read, names an image twice with different answers, or has
            a label that the run does not know or a probability that cannot be.
    """
    from dataclasses import replace

    wanted = options or DataOptions()
    likely = (*PATH_NAMES, *ANSWER_NAMES, *LABEL_NAMES)
    table = read_table(file, likely=likely, encoding=wanted.encoding)
    notes = []
    if wanted.label_column is None:
        answer = next((name for name in ANSWER_NAMES if name in table.columns), None)
        if answer is not None:
            wanted = replace(wanted, label_column=answer)
            rest = [name for name in LABEL_NAMES if name in table.columns]
            unused = f" The column '{printable(rest[0])}' is not used." if rest else ""
            notes.append(f"The column '{answer}' was read as the answer.{unused}")
    paths, labels, told = find_roles(table, wanted)
    notes += told
    answers = whole_numbers([row.values[labels] for row in table.rows])
    rows = [
        (row, label)
        for row, text in zip(table.rows, answers, strict=True)
        if (label := _label_of(text, class_names))
    ]
    kept, repeated = _one_row_an_image(table, rows, paths)
    if repeated:
        notes.append(f"{count_noun(repeated, 'row')} repeated another one and counted once.")
    _require_known([label for _, label in kept], class_names, table)
    if not kept:
        raise DataError(
            f"The table '{printable(file.name)}' has no answer: its column '{printable(labels)}' "
            "is empty.",
            next_step="Write the class of each image into it, as the run names it.",
        )
    return Side(
        name=printable(file.name),
        kind="answers",
        class_names=tuple(class_names),
        paths=tuple(printable(_as_posix(row.values[paths])) for row, _ in kept),
        digests=(("", ""),) * len(kept),
        predicted=tuple(label for _, label in kept),
        scores=_read_scores(table, [row for row, _ in kept], class_names, taken=(paths, labels)),
        notes=tuple(notes),
    )


def _label_of(text: str, class_names: Sequence[str]) -> str | None:
    """Returns the answer, or ``None`` where the cell says that there is none."""
    label = label_of(text)
    if label in class_names:
        return label
    # `foveal predict --out` puts an apostrophe before what a spreadsheet would compute.
    if label.startswith("'") and label[1:] in class_names:
        return label[1:]
    return None if not label or is_missing(label) else label


def _as_posix(path: str) -> str:
    path = path.replace("\\", "/")
    while path.startswith("./"):
        path = path[2:]
    return path


def _one_row_an_image(
    table: Table, rows: Sequence[tuple[Row, str]], paths: str
) -> tuple[list[tuple[Row, str]], int]:
    """Returns one row an image, and how many said the same again."""
    first: dict[str, tuple[Row, str]] = {}
    for row, label in rows:
        path = _as_posix(row.values[paths])
        if not path:
            raise DataError(
                f"The table '{printable(table.path.name)}' has no path in {row.where}.",
                next_step=f"Fill the column '{printable(paths)}', or remove the row.",
            )
        before, answer = first.setdefault(path, (row, label))
        if answer != label:
            raise DataError(
                f"The table '{printable(table.path.name)}' has two answers for "
                f"{printable(path)}: '{answer}' in {before.where} and '{label}' in {row.where}.",
                next_step="Keep one row an image; compare each reader in a table of their own.",
            )
    return list(first.values()), len(rows) - len(first)


def _require_known(labels: Sequence[str], class_names: Sequence[str], table: Table) -> None:
    unknown = Counter(label for label in labels if label not in class_names)
    if not unknown:
        return
    shown = ", ".join(f"'{name}' ({number:,})" for name, number in unknown.most_common(5))
    near = near_names(next(iter(unknown)), class_names)
    hint = f"Did you mean '{near[0]}'? " if near else f"It knows {', '.join(class_names)}. "
    raise DataError(
        f"The table '{printable(table.path.name)}' answers with classes that the run does not "
        f"know: {shown}.",
        next_step=f"{hint}Write each class as the run does, and leave the cell empty where "
        "there is no answer.",
    )


def _read_scores(
    table: Table, rows: Sequence[Row], class_names: Sequence[str], *, taken: tuple[str, str]
) -> NDArray[np.float64] | None:
    """Returns the probabilities, shape [N, K], or ``None`` where there is no such column."""
    names = [name for name in table.columns if name not in taken]
    columns = [_score_column(names, name) for name in class_names]
    if not any(columns):
        return None
    scores = np.full((len(rows), len(class_names)), np.nan)
    for k, column in enumerate(columns):
        if column is not None:
            scores[:, k] = [_probability(row, column, table) for row in rows]
    if len(class_names) == 2 and columns.count(None) == 1:
        scores[:, columns.index(None)] = 1.0 - scores[:, 1 - columns.index(None)]
    if None not in columns:
        sums = scores.sum(axis=1)
        wrong = np.flatnonzero(np.abs(sums - 1.0) > _SUM_TOLERANCE)
        if len(wrong):
            raise DataError(
                f"The probabilities in {rows[wrong[0]].where} of '{printable(table.path.name)}' "
                f"add up to {sums[wrong[0]]:.4g}, expected 1.",
                next_step="Give one probability a class, from 0 to 1.",
            )
    return scores


def _score_column(columns: Sequence[str], class_name: str) -> str | None:
    wanted = [f"{prefix}{class_name}".casefold() for prefix in _SCORE_PREFIXES]
    return next((name for name in wanted if name in columns), None)


def _probability(row: Row, column: str, table: Table) -> float:
    try:
        value = float(row.values[column])
    except ValueError:
        value = float("nan")
    if not 0.0 <= value <= 1.0:
        raise DataError(
            f"The column '{printable(column)}' of '{printable(table.path.name)}' holds "
            f"'{printable(row.values[column])}' in {row.where}, expected a probability from 0 to "
            "1.",
            next_step="Fill it in every row that has an answer, or remove the column.",
        )
    return value

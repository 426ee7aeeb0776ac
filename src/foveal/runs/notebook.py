"""What a classifier shows in a notebook: an overview of one screen, and tables for pandas."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any, Literal, get_args

from foveal.draw.numbers import percent, percent_span
from foveal.errors import UsageError
from foveal.evaluation import Evidence
from foveal.evaluation.wording import (
    describe_against_baseline,
    describe_interval,
    describe_judged,
)
from foveal.runs.tables import read_out_of_fold
from foveal.text import count_noun, printable

TableName = Literal["classes", "images"]
_MAX_CLASSES = 12
_FIGURES = ("precision", "recall", "f1", "auroc")


def columns(evidence: Evidence, folder: Path, name: TableName | str) -> dict[str, list[Any]]:
    """Returns a table as columns; see ``Classifier.table``."""
    if name == "classes":
        return _class_columns(evidence)
    if name == "images":
        return _image_columns(evidence, folder)
    known = ", ".join(get_args(TableName))
    raise UsageError(f"got table {name!r}, expected one of {known}")


def overview(evidence: Evidence, folder: Path, *, size_px: tuple[int, int]) -> str:
    """Returns the headline and the classes as a piece of HTML without style sheet or script."""
    data, metrics = evidence.data, evidence.metrics
    facts = (
        f"{count_noun(data.num_images, 'image')} in "
        f"{count_noun(data.num_classes, 'class', 'classes')}, input {size_px[0]}×{size_px[1]} px"
    )
    rows = [
        (
            one.name,
            f"{one.num_images:,}",
            *(_shown(getattr(one, key)) for key in ("precision", "recall")),
        )
        for one in metrics.per_class[:_MAX_CLASSES]
    ]
    more = len(metrics.per_class) - _MAX_CLASSES
    lines = [
        f"<b>Accuracy {escape(describe_interval(metrics.accuracy))}</b> "
        f"on {escape(describe_judged(evidence))}",
        escape(f"It is {describe_against_baseline(metrics, evidence.baseline)}."),
        escape(printable(evidence.protocol.sentence)),
        escape(f"{facts}. Run: {printable(str(folder))}"),
    ]
    names = ("Class", "Images", "Precision (95% interval)", "Recall (95% interval)")
    head = "".join(f"<th>{one}</th>" for one in names)
    body = "".join(
        f"<tr><td>{escape(printable(name))}</td>"
        f"{''.join(f'<td align=right>{escape(printable(cell))}</td>' for cell in figures)}</tr>"
        for name, *figures in rows
    )
    rest = f"<p>and {count_noun(more, 'more class', 'more classes')}</p>" if more > 0 else ""
    return (
        f"<div>{''.join(f'<p>{line}</p>' for line in lines)}"
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{rest}</div>"
    )


def _shown(interval: Any) -> str:
    if interval.low is None or interval.high is None:
        return percent(interval.estimate)
    return f"{percent(interval.estimate)} ({percent_span(interval.low, interval.high)})"


def _class_columns(evidence: Evidence) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {
        "class": [one.name for one in evidence.metrics.per_class],
        "num_images": [one.num_images for one in evidence.metrics.per_class],
    }
    for figure in _FIGURES:
        intervals = [getattr(one, figure) for one in evidence.metrics.per_class]
        found[figure] = [one.estimate for one in intervals]
        found[f"{figure}_low"] = [one.low for one in intervals]
        found[f"{figure}_high"] = [one.high for one in intervals]
    return found


def _image_columns(evidence: Evidence, folder: Path) -> dict[str, list[Any]]:
    names = evidence.data.class_names
    table = read_out_of_fold(folder, names)
    logits = [table[f"logit_{name}"] for name in names]
    best = [max(range(len(names)), key=row.__getitem__) for row in zip(*logits, strict=True)]
    found = {key: table[key] for key in ("path", "label", "group", "fold")}
    found["predicted"] = [names[index] for index in best]
    return found | {key: table[key] for key in table if key.startswith("logit_")}

"""Checks of how the images are stored, above all whether that alone tells the class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from foveal.dataset.findings import (
    AuditFinding,
    AuditSubject,
    examples,
    mode_of,
    size_of,
)
from foveal.dataset.manifest import ImageRecord
from foveal.draw.numbers import percent
from foveal.text import count_noun

# A gain is the share of the baseline's mistakes that knowing the stored form avoids.
_GAIN_WARNING = 0.3
_GAIN_ERROR = 0.8
_MAX_P_VALUE = 1e-3

_ATTRIBUTES: tuple[tuple[str, Callable[[ImageRecord], str]], ...] = (
    ("file format", lambda record: record.format or "unknown"),
    ("pixel mode", mode_of),
    ("image size", size_of),
    (
        "combination of format, mode and size",
        lambda record: f"{record.format}, {mode_of(record)}, {size_of(record)}",
    ),
)


def check_mixed_sizes(subject: AuditSubject) -> Iterator[AuditFinding]:
    """D009: images of more than one size."""
    sizes = subject.forms[0]
    if len(sizes) < 2:
        return
    widths = np.array([record.width_px or 0 for record in subject.usable])
    heights = np.array([record.height_px or 0 for record in subject.usable])
    common, count = sizes.most_common(1)[0]
    aspects = widths / np.maximum(heights, 1)
    yield AuditFinding(
        code="D009",
        severity="info",
        title=f"{count_noun(len(sizes), 'different image size')}",
        detail=f"Widths from {widths.min():,} to {widths.max():,} px, heights from "
        f"{heights.min():,} to {heights.max():,} px; {percent(count / len(widths))} are {common}. "
        f"Width to height runs from {aspects.min():.2f} to {aspects.max():.2f}. All are brought "
        "to one size.",
        fix="",
        num_affected=len(widths) - count,
    )


def check_mixed_modes(subject: AuditSubject) -> Iterator[AuditFinding]:
    """D010: gray among colour, or different depths."""
    modes = subject.forms[1]
    if len(modes) < 2:
        return
    common = modes.most_common(1)[0][0]
    others = [record for record in subject.usable if mode_of(record) != common]
    shown = "; ".join(f"{mode}: {count:,}" for mode, count in modes.most_common(5))
    yield AuditFinding(
        code="D010",
        severity="info",
        title=f"{count_noun(len(modes), 'different pixel mode')}",
        detail=f"{shown}. All are brought to one form.",
        fix="Check that the odd ones come from the same source as the rest.",
        paths=examples(others),
        num_affected=len(others),
    )


def check_form_predicts_class(subject: AuditSubject) -> Iterator[AuditFinding]:
    """D011: size, mode or format tells the class, so a classifier may learn that instead."""
    if len(subject.manifest.class_names) < 2:
        return
    labels = subject.manifest.labels
    best: tuple[float, float, str, Callable[[ImageRecord], str]] | None = None
    for name, attribute in _ATTRIBUTES:
        accuracy, p_value = predictability([attribute(r) for r in subject.usable], labels)
        # The combination, which comes last, has to be clearly better to be named.
        if p_value <= _MAX_P_VALUE and (best is None or accuracy > best[0] + 0.02):
            best = (accuracy, p_value, name, attribute)
    baseline = float(subject.class_counts.max() / len(labels))
    if best is None or best[0] - baseline < _GAIN_WARNING * (1 - baseline):
        return
    accuracy, _, name, attribute = best
    gain = (accuracy - baseline) / (1 - baseline)
    yield AuditFinding(
        code="D011",
        severity="error" if gain >= _GAIN_ERROR else "warning",
        title=f"The {name} gives the class away",
        detail=f"Without looking at the picture, the {name} alone predicts the class in "
        f"{percent(accuracy)} of images; always answering the commonest class would reach "
        f"{percent(baseline)}. {_describe(subject, attribute)} A classifier can learn this "
        "shortcut and fail on new images.",
        fix="Store all images in the same way, from the originals, or collect every class "
        "from every source.",
        num_affected=len(labels),
    )


def predictability(values: Sequence[str], labels: NDArray[np.int64]) -> tuple[float, float]:
    """Returns how well a value predicts the class, and how likely chance would do so.

    The accuracy is that of answering the commonest class among the other images of the same
    value, each image left out in turn, so that values which occur once predict nothing but
    the commonest class of all. The p-value is that of the chi-squared test of independence.

    Args:
        values: One for each image.
        labels: Class of each image, [N].

    Returns:
        Accuracy in [0, 1] and p-value.
    """
    if not len(labels):
        return 0.0, 1.0
    _, rows = np.unique(np.asarray(values, dtype=object).astype(str), return_inverse=True)
    num_classes = int(labels.max()) + 1
    table = np.zeros((int(rows.max()) + 1, num_classes))
    np.add.at(table, (rows, labels), 1)
    commonest = int(table.sum(axis=0).argmax())
    others = table[rows]
    others[np.arange(len(labels)), labels] -= 1
    guess = np.where(others.sum(axis=1) > 0, others.argmax(axis=1), commonest)
    accuracy = float((guess == labels).mean())
    table = table[:, table.sum(axis=0) > 0]
    if min(table.shape) < 2:
        return accuracy, 1.0
    from scipy.stats import chi2_contingency

    return accuracy, float(chi2_contingency(table, correction=False).pvalue)


def _describe(subject: AuditSubject, attribute: Callable[[ImageRecord], str]) -> str:
    """Returns for the largest classes which value they mostly have."""
    parts = []
    for k in np.argsort(-subject.class_counts, kind="stable")[:3]:
        name = subject.manifest.class_names[k]
        values = Counter(attribute(r) for r in subject.usable if r.label == name)
        value, count = values.most_common(1)[0]
        parts.append(f"'{name}' is {value} in {percent(count / subject.class_counts[k])}")
    return "; ".join(parts) + "."

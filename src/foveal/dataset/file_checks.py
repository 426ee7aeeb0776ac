"""Checks of the files: what cannot be read, and whether how images are stored tells the class."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from foveal.dataset.duplicates import BLANK_STD
from foveal.dataset.findings import (
    AuditFinding,
    AuditSubject,
    examples,
    mode_of,
    size_of,
)
from foveal.dataset.layouts import name_some
from foveal.dataset.manifest import ImageRecord, Manifest
from foveal.draw.numbers import percent
from foveal.images import ChosenWindow, choose_window
from foveal.text import count_noun


def choose_grey_window(
    manifest: Manifest, choice: str = "set", *, keeps_split: bool = True
) -> ChosenWindow:
    """Returns one window for the set; see ``foveal.images.choose_window``.

    Tested images of a given split have no part in it. With cross-validation, or a share held
    out, all images have: their labels are not looked at.

    Args:
        manifest: As scanned.
        choice: A word or two levels.
        keeps_split: Whether a split that came with the data is followed.

    Raises:
        UsageError: The choice is unknown.
    """
    records = _trained_on(manifest) if keeps_split and manifest.has_splits else manifest.usable
    return choose_window([one.levels for one in records if one.levels is not None], choice)


def _trained_on(manifest: Manifest) -> tuple[ImageRecord, ...]:
    splits = {record.split for record in manifest.usable}
    tested = "test" if "test" in splits else "val"
    return tuple(one for one in manifest.usable if one.split not in (tested, None))


# Title and remedy for every code in PROBLEM_CODES.
_REASONS: dict[str, tuple[str, str]] = {
    "empty_file": ("with no content", "Copy the originals again."),
    "not_an_image": ("holding no image", "Move them out of the data folder."),
    "unsupported_format": (
        "in a format that is not read",
        "Convert them to PNG, JPEG or DICOM.",
    ),
    "corrupt": ("damaged", "Copy the originals again."),
    "truncated": ("cut short", "Copy the originals again."),
    "too_large": ("with too many pixels", "Scale them down."),
    "unreadable": ("that cannot be opened", "Check their kind and their permissions."),
    "missing": ("not found", "Correct their paths, or bring the files back."),
    "outside_folder": (
        "outside the data folder",
        "Copy them into the data folder, or read them where they are: --follow-links.",
    ),
    "missing_codec": ("whose decoder is not installed", "Install the package that is named."),
    "missing_label": (
        "without a label",
        "Give them a label, or move them into the folder of their class.",
    ),
    "repeated_row": ("named more than once by the table", "Remove the rows that repeat others."),
    "conflicting_rows": (
        "about which the rows of the table disagree",
        "Find out which row is right and remove the others.",
    ),
    "small_class": ("of classes that were left out for their size", "Add images of the class."),
}


def check_bad_files(subject: AuditSubject) -> Iterator[AuditFinding]:
    """D001: files that were set aside, one finding a reason."""
    by_code: defaultdict[str, list[ImageRecord]] = defaultdict(list)
    for record in subject.manifest.bad:
        if record.problem is not None:
            by_code[record.problem.code].append(record)
    for code, records in sorted(by_code.items(), key=lambda item: -len(item[1])):
        what, fix = _REASONS[code]
        messages = dict.fromkeys(record.problem.message for record in records if record.problem)
        yield AuditFinding(
            code="D001",
            severity="warning",
            title=f"{count_noun(len(records), 'file')} {what}",
            detail=f"Set aside as '{code}': {'; '.join(list(messages)[:3])}.",
            fix=fix,
            paths=examples(records),
            num_affected=len(records),
        )


def check_blank_images(subject: AuditSubject) -> Iterator[AuditFinding]:
    """D012: images that show next to nothing."""
    blank = [
        record
        for record in subject.usable
        if record.grey_std is not None and record.grey_std < BLANK_STD
    ]
    if blank:
        yield AuditFinding(
            code="D012",
            severity="warning",
            title=f"{count_noun(len(blank), 'image')} blank or nearly so",
            detail=f"Their grey levels spread by less than {percent(BLANK_STD)} of the range from "
            f"black to white. They are {percent(len(blank) / len(subject.usable))} of the "
            "images and are trained on like the others.",
            fix="Look at them; remove those that show nothing.",
            paths=examples(blank),
            num_affected=len(blank),
        )


def check_deep_images(subject: AuditSubject) -> Iterator[AuditFinding]:
    """D016: more grey levels than a screen shows, brought into range by a window."""
    deep = [record for record in subject.usable if (record.bits_per_sample or 8) > 8]
    if deep:
        depths = sorted({record.bits_per_sample or 0 for record in deep})
        chosen = subject.window or choose_grey_window(subject.manifest)
        yield AuditFinding(
            code="D016",
            severity="info",
            title=f"{count_noun(len(deep), 'image')} with more than 8 bits a sample",
            detail=f"Stored with {' and '.join(str(depth) for depth in depths)} bits. "
            f"{' '.join(chosen.sentences)} Levels beyond a window are shown as black or white. "
            "A window is kept with the classifier and the same at prediction; train --window "
            "chooses another.",
            fix="",
            paths=examples(deep),
            num_affected=len(deep),
        )


def check_reading_notes(subject: AuditSubject) -> Iterator[AuditFinding]:
    """D017: what the decoder had to say, such as that only the first frame was used."""
    by_note: defaultdict[str, list[ImageRecord]] = defaultdict(list)
    for record in subject.usable:
        for note in record.notes:
            by_note[note].append(record)
    for note, records in sorted(by_note.items(), key=lambda item: (-len(item[1]), item[0])):
        yield AuditFinding(
            code="D017",
            severity="info",
            title=f"{count_noun(len(records), 'image')} read in a special way",
            detail=note,
            fix="",
            paths=examples(records),
            num_affected=len(records),
        )


def check_scan_notes(subject: AuditSubject) -> Iterator[AuditFinding]:
    """D020: what the scan passed over or assumed."""
    for note in subject.manifest.notes:
        yield AuditFinding("D020", "info", "Note of the scan", note, fix="")


def check_lost_classes(subject: AuditSubject) -> Iterator[AuditFinding]:
    """D019: classes of which no image can be used."""
    kept = set(subject.manifest.class_names)
    lost: defaultdict[str, list[ImageRecord]] = defaultdict(list)
    for record in subject.manifest.bad:
        if record.label is not None and record.label not in kept:
            lost[record.label].append(record)
    if lost:
        records = [record for members in lost.values() for record in members]
        yield AuditFinding(
            code="D019",
            severity="error",
            title=f"{count_noun(len(lost), 'class', 'classes')} without a usable image",
            detail=f"The classifier will not know {name_some(list(lost))}.",
            fix="Repair the files, or remove the class.",
            paths=examples(records),
            num_affected=len(records),
        )


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
        detail=f"Without looking at the image, the {name} alone predicts the class in "
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

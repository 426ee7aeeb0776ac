"""Checks of single files: what cannot be used, and what was read in a special way."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from foveal.dataset.duplicates import BLANK_STD
from foveal.dataset.findings import AuditFinding, AuditSubject, examples
from foveal.dataset.grey_window import choose_grey_window
from foveal.dataset.layouts import name_some
from foveal.dataset.manifest import ImageRecord
from foveal.draw.numbers import percent
from foveal.text import count_noun

# Title and remedy for every code in PROBLEM_CODES.
_REASONS: dict[str, tuple[str, str]] = {
    "empty_file": ("with no content", "Copy the originals again."),
    "not_an_image": ("holding no image", "Move them out of the data folder."),
    "unsupported_format": (
        "in a format that is not read",
        "Convert them to PNG, JPEG, TIFF, WebP, BMP, GIF or DICOM.",
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

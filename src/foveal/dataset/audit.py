"""What is in the data and what is wrong with it, before anything is trained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from foveal.dataset.class_checks import (
    check_conflicting_labels,
    check_copies_across_splits,
    check_exact_duplicates,
    check_imbalance,
    check_large_sets,
    check_near_duplicates,
    check_similar_names,
    check_single_class,
    check_split_classes,
    check_tiny_classes,
)
from foveal.dataset.duplicates import Duplicates, find_duplicates
from foveal.dataset.file_checks import (
    check_bad_files,
    check_blank_images,
    check_deep_images,
    check_form_predicts_class,
    check_lost_classes,
    check_mixed_modes,
    check_mixed_sizes,
    check_reading_notes,
    check_scan_notes,
)
from foveal.dataset.findings import AuditFinding, AuditSubject, Severity
from foveal.dataset.group_checks import (
    check_groups_across_splits,
    check_groups_known,
    check_groups_predict_class,
    check_structure,
)
from foveal.dataset.manifest import Layout, Manifest
from foveal.images import ChosenWindow
from foveal.schema import Counts, from_json, to_json

CHECKS: tuple[Callable[[AuditSubject], Iterator[AuditFinding]], ...] = (
    check_bad_files,
    check_exact_duplicates,
    check_near_duplicates,
    check_conflicting_labels,
    check_imbalance,
    check_tiny_classes,
    check_single_class,
    check_similar_names,
    check_mixed_sizes,
    check_mixed_modes,
    check_form_predicts_class,
    check_blank_images,
    check_copies_across_splits,
    check_groups_across_splits,
    check_groups_predict_class,
    check_deep_images,
    check_reading_notes,
    check_large_sets,
    check_lost_classes,
    check_scan_notes,
    check_split_classes,
    check_groups_known,
)
"""In the order of their codes, D001 to D022 (which also yields D023); then ``check_structure``."""

_RANK: dict[Severity, int] = {"error": 0, "warning": 1, "info": 2}


@dataclass(frozen=True, slots=True)
class Audit:
    """The data in figures, and what was found.

    Attributes:
        findings: Errors first, then warnings, then what is good to know; by code within.
        layout: The form that the data came in.
        class_names: The classes with usable images, in natural order.
        class_counts: Usable images of each class.
        split_counts: Usable images of each given split; empty without splits.
        num_images: Usable images.
        num_bad: Files that were set aside.
        num_groups: Groups, with copies fused; an image alone is a group of one.
        group_source: Where the groups come from; ``None`` without.
        groups_are_approximate: Whether the groups are a guess.
        sizes: Number of images by ``"WIDTHxHEIGHT"``, commonest first.
        modes: Number of images by stored pixel mode, commonest first.
        formats: Number of images by file format, commonest first.
        total_bytes: Size of all usable files together.
    """

    findings: tuple[AuditFinding, ...]
    layout: Layout
    class_names: tuple[str, ...]
    class_counts: tuple[int, ...]
    split_counts: Counts
    num_images: int
    num_bad: int
    num_groups: int
    group_source: str | None
    groups_are_approximate: bool
    sizes: Counts
    modes: Counts
    formats: Counts
    total_bytes: int

    @property
    def num_errors(self) -> int:
        """Findings that make results wrong."""
        return sum(finding.severity == "error" for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """Returns the audit as JSON values; counts by name become objects."""
        content: dict[str, Any] = to_json(self)
        return content

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Audit:
        """Reads what :meth:`to_json` wrote, and nothing else.

        Raises:
            SchemaError: A field is missing, unknown, or cannot be; it is named.
        """
        return from_json(cls, content)


def audit(
    manifest: Manifest,
    *,
    duplicates: Duplicates | None = None,
    structure: Sequence[AuditFinding] | None = None,
    window: ChosenWindow | None = None,
) -> Audit:
    """Checks a data set.

    Args:
        manifest: As scanned.
        duplicates: As found before; they are looked for when not given.
        structure: What there is to say about structure that could be groups, where it was
            tested; otherwise it is looked for.
        window: How deep images are windowed; what training would choose when not given.
    """
    if duplicates is None:
        duplicates = find_duplicates(manifest)
    subject = AuditSubject(manifest, duplicates, window)
    findings = [finding for check in CHECKS for finding in check(subject)]
    findings += check_structure(subject) if structure is None else structure
    sizes, modes, formats = subject.forms
    splits = Counter(record.split for record in manifest.usable if record.split is not None)
    return Audit(
        findings=tuple(sorted(findings, key=lambda found: (_RANK[found.severity], found.code))),
        layout=manifest.layout,
        class_names=manifest.class_names,
        class_counts=tuple(int(count) for count in subject.class_counts),
        split_counts=tuple(
            (name, splits[name]) for name in ("train", "val", "test") if splits[name]
        ),
        num_images=len(manifest.usable),
        num_bad=len(manifest.bad),
        num_groups=len(np.unique(subject.groups)),
        group_source=manifest.group_source,
        groups_are_approximate=manifest.groups_are_approximate,
        sizes=tuple(sizes.most_common()),
        modes=tuple(modes.most_common()),
        formats=tuple(formats.most_common()),
        total_bytes=sum(record.size_bytes for record in manifest.usable),
    )

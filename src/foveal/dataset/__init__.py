"""Scan → Manifest; audit; duplicates; groups; folds."""

from foveal.dataset.audit import Audit, audit
from foveal.dataset.duplicates import (
    Duplicates,
    SeenImages,
    find_duplicates,
    find_seen,
    fuse_groups,
    number_copies,
)
from foveal.dataset.file_checks import choose_grey_window
from foveal.dataset.findings import (
    AuditFinding,
    Severity,
    anonymise,
    anonymise_findings,
    names_table,
)
from foveal.dataset.folds import FoldPlan, assign_folds, assign_holdout
from foveal.dataset.groups import GroupOptions
from foveal.dataset.manifest import (
    PROBLEM_CODES,
    ImageRecord,
    Layout,
    Manifest,
    Problem,
    ProblemCode,
    Split,
)
from foveal.dataset.options import DataOptions
from foveal.dataset.scan import scan
from foveal.dataset.trainable import require_trainable
from foveal.dataset.unlabelled import list_images, scan_unlabelled

__all__ = [
    "PROBLEM_CODES",
    "Audit",
    "AuditFinding",
    "DataOptions",
    "Duplicates",
    "FoldPlan",
    "GroupOptions",
    "ImageRecord",
    "Layout",
    "Manifest",
    "Problem",
    "ProblemCode",
    "SeenImages",
    "Severity",
    "Split",
    "anonymise",
    "anonymise_findings",
    "assign_folds",
    "assign_holdout",
    "audit",
    "choose_grey_window",
    "find_duplicates",
    "find_seen",
    "fuse_groups",
    "list_images",
    "names_table",
    "number_copies",
    "require_trainable",
    "scan",
    "scan_unlabelled",
]

"""Scan → Manifest; audit; duplicates; groups; folds."""

from foveal.dataset.anonymous import anonymise, anonymise_findings, names_table
from foveal.dataset.audit import Audit, audit
from foveal.dataset.duplicates import (
    Duplicates,
    find_duplicates,
    fuse_groups,
    number_copies,
)
from foveal.dataset.findings import AuditFinding, Severity
from foveal.dataset.folds import FoldPlan, assign_folds, assign_holdout
from foveal.dataset.grey_window import choose_grey_window
from foveal.dataset.groups import GroupOptions
from foveal.dataset.manifest import ImageRecord, Layout, Manifest, Split
from foveal.dataset.options import DataOptions
from foveal.dataset.problems import PROBLEM_CODES, Problem, ProblemCode
from foveal.dataset.scan import scan
from foveal.dataset.seen import SeenImages, find_seen
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

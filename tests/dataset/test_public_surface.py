from __future__ import annotations

import subprocess
import sys
from typing import get_args

import foveal.dataset
from foveal.dataset import PROBLEM_CODES
from foveal.dataset.file_checks import _REASONS
from foveal.images import ProblemCode as ImageProblemCode


def test_the_exported_names_are_these():
    assert sorted(foveal.dataset.__all__) == [
        "Audit",
        "AuditFinding",
        "DataOptions",
        "Duplicates",
        "FoldPlan",
        "GroupOptions",
        "ImageRecord",
        "Layout",
        "Manifest",
        "PROBLEM_CODES",
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
    assert all(hasattr(foveal.dataset, name) for name in foveal.dataset.__all__)


def test_every_problem_of_an_image_is_one_of_a_data_set():
    assert set(get_args(ImageProblemCode)) <= set(PROBLEM_CODES)


def test_every_problem_has_a_title_and_a_remedy():
    assert set(_REASONS) == set(PROBLEM_CODES)


def test_importing_the_room_imports_nothing_heavy():
    heavy = {"torch", "pandas", "sklearn", "scipy", "pyarrow", "pydicom", "cleanlab"}
    code = f"import sys, foveal.dataset; print(*sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""

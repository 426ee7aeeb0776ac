from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import foveal.evaluation as room
from foveal.schema import to_json


def test_every_exported_name_exists_and_is_listed_in_order() -> None:
    assert all(hasattr(room, name) for name in room.__all__)
    # Constants first, as ruff sorts them.
    assert room.__all__ == sorted(room.__all__, key=lambda name: (not name.isupper(), name))


@pytest.mark.parametrize("package", ["scipy", "sklearn", "cleanlab", "torch", "pandas"])
def test_importing_the_room_leaves_heavy_packages_alone(package: str) -> None:
    code = f"import foveal.evaluation, sys; sys.exit({package!r} in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": ":".join(sys.path)},
        check=False,
        capture_output=True,
    )
    assert result.returncode == 0, result.stderr


def test_what_is_not_finite_becomes_null_in_json() -> None:
    found = room.Interval(1.0, float("nan"), np.inf)
    assert to_json(found) == {"estimate": 1.0, "low": None, "high": None}

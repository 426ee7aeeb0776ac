from __future__ import annotations

import subprocess
import sys

import foveal.reporting


def test_every_exported_name_is_there() -> None:
    assert [name for name in foveal.reporting.__all__ if not hasattr(foveal.reporting, name)] == []


def test_importing_the_room_is_cheap() -> None:
    heavy = ("torch", "pandas", "sklearn", "scipy", "jinja2", "cleanlab", "PIL")
    code = (
        "import sys, foveal.reporting.text_summary, foveal.reporting.page; "
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

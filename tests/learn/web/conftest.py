"""Runs the page's own scripts: in node where it is there, else in Chromium."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

RunScript = Callable[[str, Any], Any]


@pytest.fixture(scope="session")
def run_script(request: pytest.FixtureRequest) -> RunScript:
    """Returns what a function of JavaScript makes of a value, after the page's own scripts."""
    page = files("foveal.learn.web") / "page"
    names = ("formula.js", "answers.js", "marking.js", "progress.js")
    scripts = "\n".join((page / name).read_text("utf-8") for name in names)
    node = shutil.which("node")
    if node is not None:
        return lambda function, value: _in_node(node, scripts, function, value)
    tab = request.getfixturevalue("browser").new_page()
    tab.add_script_tag(content=scripts)
    return lambda function, value: tab.evaluate(function, value)


def _in_node(node: str, scripts: str, function: str, value: Any) -> Any:
    reading = 'JSON.parse(require("fs").readFileSync(0, "utf8"))'
    writing = f"process.stdout.write(JSON.stringify(({function})({reading})))"
    done = subprocess.run(
        [node, "-e", f"{scripts}\n{writing}"],
        input=json.dumps(value),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from foveal.learn.web.site import write_site

    folder = tmp_path_factory.mktemp("site") / "course"
    return write_site(folder)

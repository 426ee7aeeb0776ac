from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.usefixtures("runtime")


def test_the_page_is_named_with_its_size(
    foveal: Callable[..., Any], run_folder: Path, tmp_path: Path
) -> None:
    file = tmp_path / "page.html"
    shown = foveal("export", run_folder, "--to", "page", "--out", file)
    assert shown.code == 0
    size = file.stat().st_size / 1e6
    assert shown.out.splitlines()[0] == f"Page   {file} ({size:.1f} MB)"
    assert max(map(len, shown.out.splitlines()[1:])) <= 80


def test_the_page_lies_beside_the_run_by_default(
    foveal: Callable[..., Any], run_folder: Path
) -> None:
    shown = foveal("export", run_folder, "--json")
    file = run_folder.with_name("shapes.html")
    assert json.loads(shown.out)["file"] == str(file)
    assert file.is_file()
    file.unlink()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("RUN", "--to", "pages"), 2, "'pages' is not one of"),
        (("nowhere",), 3, "There is no run folder nowhere."),
        (("RUN", "--out", "FILE/page.html"), 3, "could not be written"),
        (("RUN", "--out", "FOLDER"), 2, "is a folder."),
    ],
)
def test_what_cannot_be_done_is_said(
    foveal: Callable[..., Any],
    run_folder: Path,
    tmp_path: Path,
    words: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    (tmp_path / "file").write_text("")
    places = {"RUN": run_folder, "FOLDER": tmp_path, "FILE": tmp_path / "file"}
    named = []
    for word in words:
        first, _, rest = word.partition("/")
        named.append(places[first] / rest if first in places else word)
    shown = foveal("export", *named)
    assert shown.code == code
    assert message in shown.err
    assert "Traceback" not in shown.err

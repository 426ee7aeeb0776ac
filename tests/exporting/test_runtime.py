from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from foveal.errors import FovealError
from foveal.exporting import runtime
from foveal.exporting.runtime import MODULE, RECORD, SCRIPT, VERSION, read_runtime


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package folder that the runtime is looked for in, with a small one."""
    monkeypatch.setattr(runtime, "files", lambda _: tmp_path)
    target = tmp_path / "runtime"
    target.mkdir()
    contents = {SCRIPT: b"script", MODULE: b"module"}
    for name, content in contents.items():
        (target / name).write_bytes(content)
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    record = {"version": VERSION, "files": digests}
    (target / RECORD).write_text(json.dumps(record), encoding="utf-8")
    return target


def test_the_files_are_read_as_they_were_fetched(folder: Path) -> None:
    assert read_runtime() == runtime.Runtime(b"script", b"module")


@pytest.mark.parametrize("name", [SCRIPT, MODULE, RECORD])
def test_a_missing_file_says_what_to_run(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(FovealError, match="not in this installation") as caught:
        read_runtime()
    assert "python scripts/fetch_page_runtime.py" in str(caught.value)


@pytest.mark.parametrize("name", [SCRIPT, MODULE])
def test_an_altered_file_is_refused(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"other")
    with pytest.raises(FovealError, match=f"not those of {VERSION}"):
        read_runtime()


def test_another_version_is_refused(folder: Path) -> None:
    record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    (folder / RECORD).write_text(json.dumps({**record, "version": "1.0.0"}), encoding="utf-8")
    with pytest.raises(FovealError, match="are not those of"):
        read_runtime()

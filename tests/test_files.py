from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from foveal.files import user_folder, write_atomically


def test_the_folder_is_made(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a" / "b.txt", b"content")
    assert (tmp_path / "a" / "b.txt").read_bytes() == b"content"


def test_old_content_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_bytes(b"a longer old content")
    write_atomically(tmp_path / "b.txt", b"new")
    assert (tmp_path / "b.txt").read_bytes() == b"new"


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_the_umask_decides_who_may_read(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        write_atomically(tmp_path / "b.txt", b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "b.txt").stat().st_mode) == 0o666 & ~umask


def test_a_failure_keeps_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "b.txt").write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", _fail)
    with pytest.raises(OSError, match="disk on fire"):
        write_atomically(tmp_path / "b.txt", b"new")
    assert (tmp_path / "b.txt").read_bytes() == b"old"


def test_a_failure_names_the_file_that_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", _fail)
    with pytest.raises(OSError, match="disk on fire") as raised:
        write_atomically(tmp_path / "b.txt", b"new")
    assert raised.value.filename == str(tmp_path / "b.txt")


@pytest.mark.parametrize("below", ["b.txt", "c/b.txt"])
def test_a_file_in_place_of_the_folder_is_no_folder(tmp_path: Path, below: str) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(NotADirectoryError) as raised:
        write_atomically(tmp_path / "a" / below, b"new")
    assert raised.value.filename == str(tmp_path / "a" / below)


def test_a_failure_leaves_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", _fail)
    with pytest.raises(OSError, match="disk on fire"):
        write_atomically(tmp_path / "b.txt", b"new")
    assert list(tmp_path.iterdir()) == []


def _fail(handle: int) -> None:
    raise OSError(5, "disk on fire")


def test_a_user_without_a_home_gets_a_folder_of_this_process_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    folder = user_folder("data")
    assert folder == user_folder("data")
    assert folder.parent.stat().st_mode & 0o077 == 0

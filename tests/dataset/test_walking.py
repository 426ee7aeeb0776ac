from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from foveal.dataset.walking import is_junk, walk


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


def problems(root: Path) -> dict[str, str | None]:
    return {file.path: file.problem and file.problem.code for file in walk(root).files}


def test_files_are_found_at_any_depth(data):
    touch(data / "a/b/c/d.png")
    touch(data / "e.png")
    assert problems(data) == {"a/b/c/d.png": None, "e.png": None}


@pytest.mark.parametrize(
    "name", [".DS_Store", "._cell.png", "Thumbs.db", "thumbs.DB", "desktop.ini", "@eaDir"]
)
def test_leavings_of_other_programs_are_passed_over(data, name):
    touch(data / "a" / name)
    assert is_junk(name)
    assert walk(data).files == ()


def test_folders_of_leavings_are_not_entered(data):
    touch(data / "__MACOSX/a/1.png")
    touch(data / ".git/2.png")
    assert walk(data).files == ()


def test_a_link_to_a_file_inside_is_a_file(data):
    touch(data / "a/1.png")
    (data / "b").mkdir()
    (data / "b/link.png").symlink_to(data / "a/1.png")
    assert problems(data) == {"a/1.png": None, "b/link.png": None}


def test_a_link_to_a_file_outside_is_named(data, tmp_path):
    touch(tmp_path / "secret.png")
    (data / "link.png").symlink_to(tmp_path / "secret.png")
    assert problems(data) == {"link.png": "outside_folder"}


def test_a_link_to_a_folder_outside_is_named_and_not_entered(data, tmp_path):
    touch(tmp_path / "elsewhere/1.png")
    (data / "a").symlink_to(tmp_path / "elsewhere")
    assert problems(data) == {"a": "outside_folder"}


def test_a_neighbour_whose_name_begins_like_the_root_is_outside(data, tmp_path):
    touch(tmp_path / "data2/1.png")
    (data / "a").symlink_to(tmp_path / "data2")
    assert problems(data) == {"a": "outside_folder"}


def test_a_link_to_nothing_is_missing(data):
    (data / "gone.png").symlink_to(data / "never.png")
    assert problems(data) == {"gone.png": "missing"}


def test_a_link_to_itself_is_named(data):
    (data / "self.png").symlink_to(data / "self.png")
    assert problems(data)["self.png"] in {"missing", "unreadable"}


def test_a_loop_of_links_ends_and_is_said(data):
    touch(data / "a/1.png")
    (data / "a/loop").symlink_to(data)
    found = walk(data)
    assert [file.path for file in found.files] == ["a/1.png"]
    assert len(found.notes) == 1
    assert "'a/loop'" in found.notes[0]


def test_a_folder_with_two_names_is_read_under_its_own(data):
    # 'a' sorts before 'z', but only 'z' is the folder itself.
    touch(data / "z/1.png")
    (data / "a").symlink_to(data / "z")
    found = walk(data)
    assert [file.path for file in found.files] == ["z/1.png"]
    assert "'a' leads to the folder 'z'" in found.notes[0]


def test_pipes_and_sockets_are_named_and_do_not_block(data, monkeypatch):
    os.mkfifo(data / "pipe.png")
    monkeypatch.chdir(data)  # the path of a socket may not be long
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("socket.png")
    listener.close()
    found = {file.path: file.problem for file in walk(data).files}
    assert found["pipe.png"].message == "it is a named pipe, not a file"
    assert found["socket.png"].code == "unreadable"


def test_a_locked_folder_is_named(data, monkeypatch):
    touch(data / "a/1.png")
    touch(data / "locked/2.png")
    scandir = os.scandir

    def refuse(path: os.PathLike[str]) -> object:
        if Path(path).name == "locked":  # the superuser, who runs some tests, may read all
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = {file.path: file.problem for file in walk(data).files}
    assert found["a/1.png"] is None
    assert found["locked"].message == "the folder cannot be read: Permission denied"


def test_names_of_any_bytes_are_found(data):
    names = [b"caf\xe9.png", "🙂.png".encode(), b"a\nb.png", b"<script>.png", b"A.png", b"a.png"]
    for name in names:
        os.close(os.open(os.fsencode(data) + b"/" + name, os.O_CREAT | os.O_WRONLY))
    assert {os.fsencode(path) for path in problems(data)} == set(names)

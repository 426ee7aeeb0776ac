"""Files that cannot be read, each for its own reason."""

from __future__ import annotations

import errno
import os
import socket

import pytest

from foveal.errors import ImageError
from foveal.images import decode


def problem(path) -> ImageError:
    with pytest.raises(ImageError) as caught:
        decode(path)
    return caught.value


def test_a_path_to_nothing_is_missing(tmp_path):
    error = problem(tmp_path / "gone.png")
    assert (error.code, error.path) == ("missing", str(tmp_path / "gone.png"))


def test_a_link_to_nothing_is_missing_and_says_so(tmp_path):
    (tmp_path / "link.png").symlink_to(tmp_path / "gone.png")
    error = problem(tmp_path / "link.png")
    assert error.code == "missing"
    assert "link points to a file that does not exist" in str(error)


def test_a_path_with_a_null_byte_is_missing():
    assert problem("a\0b.png").code == "missing"


def test_a_path_through_a_file_is_missing(tmp_path):
    (tmp_path / "file").write_bytes(b"x")
    assert problem(tmp_path / "file" / "inner.png").code == "missing"


def test_a_folder_is_unreadable(tmp_path):
    error = problem(tmp_path)
    assert error.code == "unreadable"
    assert "a folder" in str(error)


def test_a_pipe_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    error = problem(tmp_path / "pipe.png")
    assert error.code == "unreadable"
    assert "a pipe" in str(error)


def test_a_socket_is_unreadable(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the address of a socket must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s.png")
        assert problem("s.png").code == "unreadable"


def test_a_device_is_not_read():
    error = problem("/dev/zero")
    assert error.code == "unreadable"
    assert "a device" in str(error)


def test_no_permission_is_unreadable(tmp_path, monkeypatch):
    def refuse(*_arguments):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)  # root may read anything
    error = problem(tmp_path / "secret.png")
    assert error.code == "unreadable"
    assert "Permission denied" in str(error)


def test_a_file_of_more_bytes_than_its_pixels_could_need_is_too_large(tmp_path):
    path = tmp_path / "huge.png"
    with path.open("wb") as file:
        file.truncate(70 << 20)  # sparse
    with pytest.raises(ImageError, match="bytes, more than") as caught:
        decode(path, max_pixels=1000)
    assert caught.value.code == "too_large"


def test_a_name_that_is_no_utf8_is_read(tmp_path, encode, picture):
    path = tmp_path / os.fsdecode(b"caf\xe9.png")
    path.write_bytes(encode(picture, "PNG"))
    assert decode(path).pixels.shape == (40, 56, 3)

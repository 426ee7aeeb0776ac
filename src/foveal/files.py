"""Writing files so that a crash leaves the old content or the new; the user's own folders."""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import secrets
import sys
import tempfile
from pathlib import Path
from typing import Literal

_USER_FOLDERS = {
    "cache": ("XDG_CACHE_HOME", ".cache"),
    "data": ("XDG_DATA_HOME", ".local/share"),
}


def user_folder(kind: Literal["cache", "data"]) -> Path:
    """Returns where Foveal keeps what belongs to the user, by the XDG Base Directory rules.

    A user without a home folder (a service, a container under a bare number) gets one that
    lasts as long as the process.
    """
    variable, below_home = _USER_FOLDERS[kind]
    if base := os.environ.get(variable):
        return Path(base) / "foveal"
    try:
        return Path.home() / below_home / "foveal"
    except RuntimeError:
        return Path(_passing_folder().name) / kind


@functools.cache
def _passing_folder() -> tempfile.TemporaryDirectory[str]:
    # Not a fixed name below /tmp: whoever made that first could plant results in it.
    return tempfile.TemporaryDirectory(prefix="foveal-", ignore_cleanup_errors=True)


def write_atomically(file: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Writes ``content`` to ``file`` through a temporary neighbour, making its folder.

    The file gets the permissions that any new file would get: ``mode`` less the umask.

    Raises:
        OSError: It cannot be written; nothing of the attempt is left behind.
    """
    _make_folder_of(file)
    # Not tempfile.mkstemp: its files are readable by their owner alone, whatever the umask.
    temporary = file.parent / f".foveal-{secrets.token_hex(8)}"
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        opened = os.open(temporary, flags, mode)
        with os.fdopen(opened, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(file)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        # Named after the file that was asked for; nobody knows the temporary one.
        raise OSError(error.errno, error.strerror, str(file)) from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def require_writable(place: Path, *, kind: Literal["file", "folder"] = "file") -> None:
    """Tries whether ``place`` can be written, before the work whose result goes there.

    Nothing is left behind: the nearest folder that exists is tried with a passing file.

    Raises:
        OSError: It cannot be written; named after ``place``.
    """
    try:
        if kind == "file" and place.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        place.stat()
    except FileNotFoundError:
        pass
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(place)) from error
    folder = place if kind == "folder" else place.parent
    while not os.path.lexists(folder) and folder != folder.parent:
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(place)) from error


def _make_folder_of(file: Path) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:  # what exists is no folder
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(file)) from error
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(file)) from error


def exchange(first: Path, second: Path) -> bool:
    """Lets two entries of one file system change places in one step, if the system can.

    Linux has it (renameat2 with RENAME_EXCHANGE, since 3.15); not on every file system.

    Returns:
        Whether they did; if not, nothing was changed.

    Raises:
        OSError: The system can, but not with these two.
    """
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if _IS_LINUX else None
    if rename is None:
        return False
    code = rename(_AT_CWD, os.fsencode(first), _AT_CWD, os.fsencode(second), _RENAME_EXCHANGE)
    if code == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
        return False
    raise OSError(number, os.strerror(number), str(second))


_IS_LINUX = sys.platform == "linux"
_AT_CWD = -100  # linux/fcntl.h: names are relative to the current folder
_RENAME_EXCHANGE = 2  # linux/fs.h

"""Reads a file's bytes, or says why they cannot be read."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from foveal.errors import ImageError
from foveal.images.frames import split_frame_path
from foveal.images.pixels import MAX_PIXELS

_MIN_BYTES_ALLOWED: Final = 64 << 20
_BYTES_PER_PIXEL: Final = 16
# Windows has no FIFOs to hang on and no such flag.
_OPEN_FLAGS: Final = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)


@dataclass(frozen=True, slots=True, eq=False)
class FileContent:
    """The bytes of a file, and which of its frames is meant.

    Attributes:
        data: The whole file.
        frame: Counted from 1; ``None`` where the path names the file alone.
    """

    data: bytes
    frame: int | None = None

    @property
    def digest(self) -> str:
        """SHA-256 (hexadecimal) of the bytes, and of the frame where one is meant."""
        total = hashlib.sha256(self.data)
        if self.frame is not None:
            total.update(f" frame {self.frame}".encode())
        return total.hexdigest()


def frame_of_file(source: str | os.PathLike[str]) -> tuple[str, int] | None:
    """Returns the file and the number where a path names one frame of a file that is there."""
    split = split_frame_path(os.fspath(source))
    return split if split is not None and Path(split[0]).is_file() else None


def read_content(source: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> FileContent:
    """Returns the whole content of a file, or of the file that a frame's path lies in.

    ``a.tif/frame-3`` is the third page of ``a.tif``, unless there is such a file indeed.

    Raises:
        ImageError: As :func:`read_bytes`.
    """
    split = frame_of_file(source)
    if split is None:
        return FileContent(read_bytes(source, max_pixels=max_pixels))
    return FileContent(read_bytes(split[0], max_pixels=max_pixels), split[1])


def read_bytes(source: str | os.PathLike[str], *, max_pixels: int) -> bytes:
    """Returns the whole content of a regular file.

    Nothing hangs: a pipe or device is recognised without reading from it. A file larger
    than 16 bytes for each allowed pixel is refused, so memory stays bounded.

    Raises:
        ImageError: ``missing``, ``unreadable`` or ``too_large``.
    """
    try:
        descriptor = os.open(source, _OPEN_FLAGS)
    except (FileNotFoundError, NotADirectoryError):
        raise _missing(source) from None
    except ValueError:  # a null byte in the path
        raise _missing(source) from None
    except OSError as error:
        raise _unreadable(error.strerror or "it cannot be opened") from error
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise _unreadable(f"it is {_kind(mode)}, not a file")
    with os.fdopen(descriptor, "rb") as file:
        require_readable_size(os.fstat(file.fileno()).st_size, max_pixels=max_pixels)
        try:
            return file.read()
        except OSError as error:
            raise _unreadable(error.strerror or "reading failed") from error


def require_readable_size(num_bytes: int, *, max_pixels: int) -> None:
    """Refuses a file larger than 16 bytes for each allowed pixel, before it is read.

    Raises:
        ImageError: ``too_large``.
    """
    limit = max(_MIN_BYTES_ALLOWED, _BYTES_PER_PIXEL * max_pixels)
    if num_bytes > limit:
        raise ImageError(
            f"the file has {num_bytes:,} bytes, more than the {limit:,} allowed",
            code="too_large",
            next_step="Split or shrink it, or raise max_pixels if you trust its source.",
        )


def _missing(source: str | os.PathLike[str]) -> ImageError:
    is_dangling = "\0" not in os.fspath(source) and Path(source).is_symlink()
    what = "the link points to a file that does not exist" if is_dangling else "no such file"
    return ImageError(what, code="missing", next_step="Check the path and its spelling.")


def _unreadable(why: str) -> ImageError:
    return ImageError(
        f"the file cannot be read: {why}",
        code="unreadable",
        next_step="Check that it is an ordinary file and that you may read it.",
    )


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a folder"
    if stat.S_ISFIFO(mode):
        return "a pipe"
    if stat.S_ISSOCK(mode):
        return "a socket"
    return "a device"

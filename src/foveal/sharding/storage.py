"""Where the bytes of a source lie: a folder of this system, or an fsspec URL.

A file that is gone is a row with an error. A folder, share or bucket that is gone is not: then
every image that is left would become such a row, so the work stops and says how to go on.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from foveal.dataset.walking import is_junk, walk_files
from foveal.errors import ImageError, MissingExtraError, SourceLostError, UsageError
from foveal.images.reading import read_bytes, require_readable_size
from foveal.text import printable

# What a network share answers when it is the share that fails, and not the file.
_TRANSPORT: Final = frozenset(
    getattr(errno, name)
    for name in (
        *("ESTALE", "ETIMEDOUT", "ENOTCONN", "EHOSTDOWN", "EHOSTUNREACH", "ENETDOWN"),
        *("ENETUNREACH", "ECONNRESET", "ECONNABORTED", "ECONNREFUSED", "EREMOTEIO", "ENODEV"),
        *("ENXIO", "EPIPE", "ESHUTDOWN", "ENOLINK", "ECOMM"),
    )
    if hasattr(errno, name)
)
_NUM_NEIGHBOURS: Final = 16
_RETRY_SECONDS: Final = (0.2, 1.0, 3.0)


@dataclass(frozen=True, slots=True)
class Entry:
    """One image or archive of a source, before it is opened.

    Attributes:
        name: POSIX path below the source's root; bytes that are no UTF-8 as surrogate escapes.
        size_bytes: As listed; ``None`` where the listing does not say.
        code, message: Why it cannot be read, where that is plain before it is opened.
    """

    name: str
    size_bytes: int | None = None
    code: str | None = None
    message: str | None = None


class Storage(ABC):
    """A root that names are below."""

    @abstractmethod
    def walk(self) -> Iterator[Entry]:
        """Yields every file below the root, in any order.

        Raises:
            SourceLostError: The root cannot be listed.
        """

    @abstractmethod
    def read(self, name: str, *, max_pixels: int) -> bytes:
        """Returns the bytes of one file.

        Raises:
            ImageError: This file cannot be read.
            SourceLostError: The source cannot be read.
        """

    @abstractmethod
    def open(self, name: str) -> IO[bytes]:
        """Opens one file to be read from its beginning to its end.

        Raises:
            ImageError: This file cannot be read.
            SourceLostError: The source cannot be read.
        """

    @abstractmethod
    def examine(self, name: str) -> Entry:
        """Returns the entry of one name, with its size or its problem where that is known."""


@dataclass(frozen=True, slots=True)
class LocalStorage(Storage):
    """A folder of this system, which may lie on a network share."""

    root: str

    def walk(self) -> Iterator[Entry]:
        """Yields files as ``foveal predict`` finds them."""
        for found in walk_files(Path(self.root)):
            if found.problem is None:
                yield Entry(found.path, self._size(found.path))
            elif found.path == ".":
                raise self._lost(found.problem.message)
            else:
                yield Entry(found.path, None, found.problem.code, found.problem.message)

    def examine(self, name: str) -> Entry:
        """Returns the entry with its size; a name that leads nowhere with its problem."""
        size = self._size(name)
        if size is None:
            return Entry(name, None, "missing", "no such file")
        return Entry(name, size)

    def read(self, name: str, *, max_pixels: int) -> bytes:
        """Returns the bytes of one file."""
        try:
            return read_bytes(self._path(name), max_pixels=max_pixels)
        except ImageError as error:
            if error.code in ("missing", "unreadable"):
                cause = error.__cause__
                number = cause.errno if isinstance(cause, OSError) else None
                self._require_reachable(name, number or errno.ENOENT, error.message)
            raise

    def open(self, name: str) -> IO[bytes]:
        """Opens one file."""
        try:
            stream = Path(self._path(name)).open("rb")  # noqa: SIM115
        except OSError as error:
            self._require_reachable(name, error.errno or errno.EIO, error.strerror or str(error))
            code = "missing" if isinstance(error, FileNotFoundError) else "unreadable"
            raise ImageError(error.strerror or str(error), code=code) from error
        return io.BufferedReader(_Watched(stream, self._lost))

    def _path(self, name: str) -> str:
        return os.path.join(self.root, name)  # noqa: PTH118

    def _size(self, name: str) -> int | None:
        try:
            return os.stat(self._path(name)).st_size  # noqa: PTH116
        except (OSError, ValueError):
            return None

    def _require_reachable(self, name: str, number: int, reason: str) -> None:
        """Raises where not the file has failed but what it lies on."""
        if number in _TRANSPORT or (
            number in (errno.ENOENT, errno.ENOTDIR, errno.EIO)
            and not self._has_neighbour(name, reads=number == errno.EIO)
        ):
            raise self._lost(reason)

    def _has_neighbour(self, name: str, *, reads: bool) -> bool:
        """Whether another file of the same folder is there, and can be read if that is asked."""
        path = Path(self._path(name))
        num_tried = 0
        try:
            with os.scandir(path.parent) as entries:
                for entry in entries:
                    if entry.name == path.name:
                        continue
                    if not reads:
                        return True
                    with contextlib.suppress(OSError):
                        if entry.is_file():
                            with Path(entry.path).open("rb") as stream:
                                stream.read(1)
                            return True
                    num_tried += 1
                    if num_tried >= _NUM_NEIGHBOURS:
                        return False
        except OSError:
            return False
        return False

    def _lost(self, reason: str) -> SourceLostError:
        return lost(self.root, reason)


@dataclass(frozen=True, slots=True)
class RemoteStorage(Storage):
    """What an fsspec URL names, such as ``s3://bucket/photos``."""

    url: str

    def walk(self) -> Iterator[Entry]:
        """Yields the objects below the URL."""
        system, root = self._system()
        try:
            # No cache of listings: a bucket of millions would be kept in memory.
            for folder, _, files in system.walk(root, detail=True, on_error="raise"):
                below = _below(folder, root)
                for name, facts in files.items():
                    whole = f"{below}/{name}" if below else name
                    if name and not any(map(is_junk, whole.split("/"))):
                        yield Entry(whole, facts.get("size"))
        except Exception as error:
            raise self._lost(error) from error

    def examine(self, name: str) -> Entry:
        """Returns the name alone: asking for millions of objects one by one takes days."""
        return Entry(name)

    def read(self, name: str, *, max_pixels: int) -> bytes:
        """Returns the bytes of one object; what fails in between is tried again."""
        system, root = self._system()
        for pause in (*_RETRY_SECONDS, None):
            try:
                with system.open(_join(root, name), "rb", cache_type="none") as stream:
                    if isinstance(size := getattr(stream, "size", None), int):
                        require_readable_size(size, max_pixels=max_pixels)
                    return bytes(stream.read())
            except ImageError:
                raise
            except Exception as error:
                self._raise_of_object(error)
                if pause is None:
                    raise self._lost(error) from error
                time.sleep(pause)
        raise AssertionError

    def open(self, name: str) -> IO[bytes]:
        """Opens one object."""
        system, root = self._system()
        try:
            stream = system.open(_join(root, name), "rb", cache_type="readahead")
        except Exception as error:
            self._raise_of_object(error)
            raise self._lost(error) from error
        return io.BufferedReader(_Watched(stream, lambda reason: lost(self.url, reason)))

    def fetch(self, name: str, file: Path) -> None:
        """Copies one object to a file.

        Raises:
            SourceLostError: It cannot be read.
        """
        system, root = self._system()
        try:
            system.get_file(_join(root, name), str(file))
        except Exception as error:
            raise self._lost(error) from error

    def names(self, pattern: str) -> list[str]:
        """Returns the names below the URL that a pattern matches, sorted."""
        system, root = self._system()
        try:
            found = system.glob(_join(root, pattern))
        except Exception as error:
            raise self._lost(error) from error
        return sorted(_below(one, root) for one in found)

    def is_folder(self, name: str = "") -> bool:
        """Whether objects lie below a name."""
        system, root = self._system()
        try:
            return bool(system.isdir(_join(root, name)))
        except Exception as error:
            raise self._lost(error) from error

    def _system(self) -> tuple[Any, str]:
        return open_file_system(self.url)

    def _raise_of_object(self, error: Exception) -> None:
        """Raises what is wrong with one object, where the source itself still answers."""
        if not isinstance(error, (FileNotFoundError, PermissionError, IsADirectoryError)):
            return
        system, root = self._system()
        try:
            is_there = bool(system.ls(root, detail=False))
        except Exception:
            is_there = False
        if not is_there:
            raise self._lost(error) from error
        if isinstance(error, FileNotFoundError):
            raise ImageError("no such file", code="missing") from error
        reason = "it is a folder" if isinstance(error, IsADirectoryError) else "it is not allowed"
        raise ImageError(f"the file cannot be read: {reason}", code="unreadable") from error

    def _lost(self, error: Exception) -> SourceLostError:
        if isinstance(error, SourceLostError):
            return error
        return lost(self.url, str(error) or type(error).__name__)


def lost(root: str, reason: str) -> SourceLostError:
    """Returns the error for a source that does not answer any more."""
    return SourceLostError(
        f"The source {printable(root)} cannot be read any more: {printable(reason).rstrip('.')}.",
        next_step="Finished parts are kept and no row was written for what is left. Bring the "
        "source back and give the same command again: it goes on where it stopped.",
    )


def open_file_system(url: str) -> tuple[Any, str]:
    """Returns the fsspec file system of a URL, and the URL's path in it.

    Raises:
        MissingExtraError: fsspec, or the package of this kind of URL, is not installed.
        UsageError: Nothing reads such URLs.
    """
    try:
        import fsspec
    except ImportError:
        raise MissingExtraError("fsspec", purpose="Reading from a URL") from None
    protocol = url.split("://", 1)[0]
    try:
        system, path = fsspec.core.url_to_fs(url, use_listings_cache=False)
    except ImportError as error:
        reason = printable(str(error))
        raise UsageError(
            f"{printable(url)} needs a package that is not installed: {reason.rstrip('.')}.",
            next_step="Install it: s3fs for s3://, gcsfs for gs://, adlfs for abfs://.",
        ) from None
    except ValueError:
        raise UsageError(
            f"{printable(url)}: nothing here reads URLs of the kind {printable(protocol)}://.",
            next_step="Give a folder, a table, tar archives, or a URL that fsspec knows, such as "
            "s3://bucket/photos.",
        ) from None
    except Exception as error:
        raise lost(url, str(error) or type(error).__name__) from error
    return system, str(path).rstrip("/")


def _join(root: str, name: str) -> str:
    return f"{root}/{name}" if name else root


def _below(path: str, root: str) -> str:
    return path.rstrip("/").removeprefix(root).strip("/")


class _Watched(io.RawIOBase):
    """A stream whose failure is the source's, and nothing that a reader of archives swallows."""

    def __init__(self, stream: Any, lost_for: Any) -> None:
        self._stream = stream
        self._lost_for = lost_for

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            content = self._stream.read(len(buffer))
        except Exception as error:
            raise self._lost_for(str(error) or type(error).__name__) from error
        buffer[: len(content)] = content
        return len(content)

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self._stream.close()
        super().close()

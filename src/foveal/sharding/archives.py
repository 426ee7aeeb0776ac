"""Images of a tar archive in WebDataset's layout, read once from beginning to end.

A sample is what shares a name up to its first dot: ``0001.jpg`` and ``0001.json``. What is no
image by its ending tells something about one and is passed over.
"""

from __future__ import annotations

import posixpath
import tarfile
import zlib
from collections.abc import Iterator
from typing import IO, Any, Final

from foveal.dataset.walking import is_junk
from foveal.errors import ImageError
from foveal.images import SUPPORTED_SUFFIXES
from foveal.images.reading import require_readable_size
from foveal.sharding.storage import Storage

ARCHIVE_SUFFIXES: Final = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_END_BYTES: Final = 1024  # two empty blocks: POSIX.1, pax, "ustar Interchange Format"
_CHUNK_BYTES: Final = 1 << 16


def is_archive(name: str) -> bool:
    """Whether a file is an archive by its name.

    >>> is_archive("train-000.tar"), is_archive("a.jpg")
    (True, False)
    """
    return name.casefold().endswith(ARCHIVE_SUFFIXES)


def read_archive(
    storage: Storage, name: str, *, max_pixels: int
) -> Iterator[tuple[str, bytes | ImageError]]:
    """Yields name and bytes of each image, or why it cannot be read, in the archive's order.

    An archive that is damaged or ends early is one row more, with the name ``""``: what stood
    before the damage is answered for.

    Raises:
        SourceLostError: The source cannot be read any more.
    """
    try:
        stream = storage.open(name)
    except ImageError as error:
        yield "", error
        return
    num_images = 0
    with _Tailed(stream) as tailed:
        plain = name.casefold().endswith(".tar")
        try:
            with _open(tailed, plain) as archive:
                for member in archive:
                    if not _is_image(member):
                        continue
                    content = _content(archive, member, max_pixels)
                    num_images += 1
                    yield member.name, content
            if plain:
                tailed.require_end()
        except (tarfile.TarError, EOFError, zlib.error, OSError, ValueError) as error:
            reason = str(error).rstrip(".") or type(error).__name__
            where = f"after {num_images:,} images" if num_images else "at its beginning"
            yield "", ImageError(f"the archive is damaged {where}: {reason}", code="corrupt")


def _open(stream: _Tailed, is_plain: bool) -> tarfile.TarFile:
    # What is passed to tarfile need only have read(); its annotation wants more.
    source: Any = stream
    if is_plain:
        return tarfile.open(fileobj=source, mode="r|")
    return tarfile.open(fileobj=source, mode="r|*")


def _is_image(member: tarfile.TarInfo) -> bool:
    base = posixpath.basename(member.name)
    ending = posixpath.splitext(base)[1].casefold()
    return not member.isdir() and ending in SUPPORTED_SUFFIXES and not is_junk(base)


def _content(
    archive: tarfile.TarFile, member: tarfile.TarInfo, max_pixels: int
) -> bytes | ImageError:
    if not member.isfile():
        return ImageError("it is a link or a device in an archive, not a file", code="unreadable")
    try:
        require_readable_size(member.size, max_pixels=max_pixels)
    except ImageError as error:
        return error
    stream = archive.extractfile(member)
    assert stream is not None
    content = stream.read()
    if len(content) < member.size:
        raise tarfile.ReadError("unexpected end of data")
    return content


class _Tailed:
    """A stream that knows its last bytes: tarfile takes an archive that is cut off for whole."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._tail = b""

    def read(self, size: int = -1) -> bytes:
        content = self._stream.read(size)
        self._tail = (self._tail + content)[-_END_BYTES:]
        return content

    def require_end(self) -> None:
        """Reads on to the end, which must be empty blocks."""
        while self.read(_CHUNK_BYTES):
            pass
        if len(self._tail) < _END_BYTES or self._tail.strip(b"\0"):
            raise tarfile.ReadError("it ends before its end")

    def __enter__(self) -> _Tailed:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stream.close()

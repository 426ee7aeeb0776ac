"""What is to be answered for: a folder, a table, or tar archives; here or behind a URL."""

from __future__ import annotations

import fnmatch
import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, Literal

from foveal.dataset.rows import TABLE_SUFFIXES, Table, stream_table
from foveal.dataset.tables import PATH_NAMES, find_path_column
from foveal.dataset.walking import FileFinder
from foveal.errors import DataError, ImageError, UsageError
from foveal.images import SUPPORTED_SUFFIXES
from foveal.runs.named_images import NamedImage
from foveal.sharding.archives import is_archive, read_archive
from foveal.sharding.storage import Entry, LocalStorage, RemoteStorage, Storage
from foveal.text import printable

Kind = Literal["folder", "table", "archives"]
_PER_SHARD: Final[dict[Kind, int | None]] = {"folder": None, "table": None, "archives": 1}
_MAX_BRACES: Final = 1_000_000


class LazyImage:
    """The bytes of one image, read when a worker asks for them; then their digest is known."""

    def __init__(self, load: Callable[[], bytes]) -> None:
        self._load = load
        self.digest: str | None = None

    def read(self) -> bytes:
        """Returns the bytes.

        Raises:
            ImageError: This image cannot be read.
            SourceLostError: The source cannot be read.
        """
        content = self._load()
        self.digest = hashlib.sha256(content).hexdigest()
        return content


@dataclass(frozen=True, slots=True)
class TableColumns:
    """How a table names its images."""

    path_column: str | None = None
    encoding: str | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """Images by name, in shards that are known before one of them is opened.

    Attributes:
        kind: What its entries are: images, or archives of images.
        storage: What the names lie below.
        shown: What stands in front of each name in the answers, as it was given.
        table: The table that names the images.
        names: Archives that were given by name.
        columns: How the table names its images.
    """

    kind: Kind
    storage: Storage
    shown: str
    table: str | None = None
    names: tuple[str, ...] = ()
    columns: TableColumns = TableColumns()

    @property
    def entries_per_shard(self) -> int | None:
        """How many entries a shard must have; ``None`` where that may be chosen."""
        return _PER_SHARD[self.kind]

    def shown_as(self, shown: str) -> Source:
        """Returns the source with something else in front of each name."""
        return replace(self, shown=shown)

    def entries(self) -> Iterator[Entry]:
        """Yields what is to be answered for, in any order; nothing is opened but a table.

        Raises:
            DataError: The table cannot be read.
            SourceLostError: The source cannot be listed.
        """
        if self.table is not None:
            yield from self._rows()
        elif self.names:
            yield from map(self.storage.examine, self.names)
        elif self.kind == "archives":
            yield from (one for one in self.storage.walk() if is_archive(one.name))
        else:
            yield from self.storage.walk()

    def images(self, entries: Sequence[Entry], *, max_pixels: int) -> Iterator[NamedImage]:
        """Yields the images of a shard, in order; each is read when it is asked for."""
        for entry in entries:
            shown = printable(_shown(self.shown, entry.name))
            if entry.code is not None:
                error = ImageError(entry.message or "", code=entry.code)
                yield NamedImage(shown, None, error)
            elif self.kind == "archives":
                for name, content in read_archive(self.storage, entry.name, max_pixels=max_pixels):
                    whole = printable(_shown(self.shown, f"{entry.name}/{name}".rstrip("/")))
                    if isinstance(content, ImageError):
                        yield NamedImage(whole, None, content)
                    else:
                        yield NamedImage(whole, LazyImage(partial(bytes, content)))
            else:
                yield NamedImage(
                    shown, LazyImage(partial(self.storage.read, entry.name, max_pixels=max_pixels))
                )

    def _rows(self) -> Iterator[Entry]:
        assert self.table is not None
        if isinstance(self.storage, RemoteStorage):
            with tempfile.TemporaryDirectory(prefix="foveal-") as folder:
                file = Path(folder) / self.table
                self.storage.fetch(self.table, file)
                for written in self._paths(file):
                    yield Entry(written.replace("\\", "/").removeprefix("./"))
            return
        assert isinstance(self.storage, LocalStorage)
        file = Path(self.storage.root) / self.table
        finder = FileFinder(file.parent, encoding=self.columns.encoding or "utf-8")
        for written in self._paths(file):
            if "\x00" in written:
                yield Entry(written, None, "missing", "its path holds a zero byte")
            else:
                yield self.storage.examine(finder.find(written)[1])

    def _paths(self, file: Path) -> Iterator[str]:
        streamed = stream_table(file, likely=PATH_NAMES, encoding=self.columns.encoding)
        header = Table(file, streamed.columns, (), streamed.encoding)
        column = find_path_column(header, self.columns.path_column)
        for row in streamed.rows:
            if not (written := row.values[column]):
                raise DataError(
                    f"The table '{printable(file.name)}' has no path in {row.where}.",
                    next_step=f"Fill the column '{printable(column)}', or remove the row.",
                )
            yield written


def open_source(
    paths: Sequence[str | os.PathLike[str]], *, columns: TableColumns = TableColumns()
) -> Source:
    """Finds out what was given.

    Args:
        paths: One folder, table or URL; or one or several tar archives, also as a pattern with
            ``*`` or as WebDataset writes them: ``train-{000..099}.tar``.
        columns: How a table names its images.

    Raises:
        UsageError: It is none of these.
    """
    given = [os.fspath(path) for path in paths]
    expanded = [one for path in given for one in expand_braces(path)]
    if all(map(is_archive, expanded)):
        return _archives(expanded)
    if len(given) != 1:
        raise UsageError(
            f"--shards: got {len(given)} sources, expected one folder, table or URL, or tar "
            "archives only.",
            next_step="Give the folder that holds them, or a table that names the images.",
        )
    return _remote(given[0], columns) if "://" in given[0] else _local(given[0], columns)


def _local(given: str, columns: TableColumns) -> Source:
    path = Path(os.path.normpath(Path(given).absolute()))
    if path.is_dir():
        source = Source("folder", LocalStorage(str(path)), _prefix(given, path))
        names = [one.name for one in path.iterdir()]
        return replace(source, kind="archives") if _are_archives(names) else source
    if not path.exists():
        raise UsageError(
            f"There is nothing at {printable(given)}.",
            next_step="Give a folder, a table, tar archives or a URL.",
        )
    if path.suffix.casefold() in TABLE_SUFFIXES:
        root = path.parent
        shown = _prefix(str(Path(given).parent), root)
        return Source("table", LocalStorage(str(root)), shown, table=path.name, columns=columns)
    raise UsageError(
        f"{printable(given)} is neither a folder, a table nor a tar archive.",
        next_step="Give a folder, a .csv, .tsv or .parquet table with a column path, or .tar "
        "archives; for single images leave --shards out.",
    )


def _remote(given: str, columns: TableColumns) -> Source:
    root, _, last = given.rstrip("/").rpartition("/")
    if Path(last).suffix.casefold() in TABLE_SUFFIXES:
        return Source("table", RemoteStorage(root), root, table=last, columns=columns)
    storage = RemoteStorage(given.rstrip("/"))
    if not storage.is_folder():
        raise UsageError(
            f"{printable(given)} holds no objects.",
            next_step="Check its spelling and your credentials; a URL names a folder, a table or "
            "tar archives.",
        )
    source = Source("folder", storage, storage.url)
    return replace(source, kind="archives") if _are_archives(storage.names("*")) else source


def _archives(paths: Sequence[str]) -> Source:
    """Returns the source of archives that were named one by one, or by a pattern."""
    remote = ["://" in path for path in paths]
    folders = {os.path.split(path)[0] for path in paths}
    if any(remote):
        if not all(remote) or len(folders) > 1:
            raise UsageError(
                "The archives lie in different folders.",
                next_step="Give the archives of one folder or bucket; run the others alone.",
            )
        (url,) = folders
        storage = RemoteStorage(url)
        names = [name for path in paths for name in _matching(storage, path.rpartition("/")[2])]
        return Source("archives", storage, url, names=tuple(dict.fromkeys(names)))
    absolute = [os.path.normpath(Path(path).absolute()) for path in paths]
    root = os.path.commonpath([os.path.split(path)[0] for path in absolute])
    is_relative = not any(map(os.path.isabs, paths))
    found: list[str] = []
    for path in absolute:
        folder, pattern = os.path.split(path)
        names = [pattern]
        if any(sign in pattern for sign in "*?[") and not Path(path).exists():
            names = sorted(fnmatch.filter(os.listdir(folder), pattern))  # noqa: PTH208
        found += [Path(os.path.relpath(Path(folder) / name, root)).as_posix() for name in names]
    _require_some(found, paths)
    shown = os.path.relpath(root) if is_relative else root
    return Source("archives", LocalStorage(root), shown, names=tuple(dict.fromkeys(found)))


def _matching(storage: RemoteStorage, pattern: str) -> list[str]:
    if not any(sign in pattern for sign in "*?["):
        return [pattern]
    found = storage.names(pattern)
    _require_some(found, [pattern])
    return found


def _require_some(found: Sequence[str], paths: Sequence[str]) -> None:
    if not found:
        raise UsageError(
            f"No archive matches {printable(paths[0])}.", next_step="Check the pattern."
        )


def _are_archives(names: Sequence[str]) -> bool:
    """Whether a folder is one of archives: some are, and nothing beside them is an image."""
    images = [name for name in names if Path(name).suffix.casefold() in SUPPORTED_SUFFIXES]
    plain = [name for name in names if not Path(name).suffix]
    return any(map(is_archive, names)) and not images and not plain


def expand_braces(path: str) -> list[str]:
    """Returns the names that WebDataset's notation for many archives stands for.

    >>> expand_braces("s3://b/train-{08..10}.tar")
    ['s3://b/train-08.tar', 's3://b/train-09.tar', 's3://b/train-10.tar']
    """
    match = re.search(r"\{(\d+)\.\.(\d+)\}", path)
    if match is None or Path(path).exists():
        return [path]
    first, last = int(match[1]), int(match[2])
    if not 0 <= last - first < _MAX_BRACES:
        raise UsageError(
            f"{printable(path)}: got {{{match[1]}..{match[2]}}}, expected a first number that is "
            f"not above the last, and at most {_MAX_BRACES:,} archives.",
            next_step="Write for example {000..099}.",
        )
    width = len(match[1])
    head, tail = path[: match.start()], path[match.end() :]
    return [
        one for n in range(first, last + 1) for one in expand_braces(f"{head}{n:0{width}}{tail}")
    ]


def _prefix(given: str, path: Path) -> str:
    """Returns a folder as ``foveal predict`` shows it: from here, or from the root."""
    return str(path) if Path(given).is_absolute() else os.path.relpath(path)


def _shown(prefix: str, name: str) -> str:
    if "://" in prefix:
        return f"{prefix}/{name}"
    return os.path.normpath(Path(prefix) / name)

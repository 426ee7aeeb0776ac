"""Walks a folder of hostile files: links, pipes, loops and locked folders included.

Also finds the file that a table means, where its path is not written as the file is called.
"""

from __future__ import annotations

import contextlib
import os
import posixpath
import stat
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from foveal.dataset.manifest import Problem
from foveal.dataset.options import Links
from foveal.images import SUPPORTED_SUFFIXES
from foveal.text import count_noun, printable

# What file managers and archivers leave behind; nobody means these to be read.
_JUNK_NAMES = frozenset(
    {
        "__macosx",
        "thumbs.db",
        "ehthumbs.db",
        "desktop.ini",
        "icon\r",
        "@eadir",
        "$recycle.bin",
        "system volume information",
        "lost+found",
    }
)

_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file, link or locked folder, by its POSIX path relative to the walked root."""

    path: str
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Walk:
    """What lies under a folder.

    Attributes:
        files: Everything but folders and junk, in no particular order.
        folders: Relative paths of the folders that were entered, without the root itself.
        notes: Links that were not followed, as sentences.
    """

    files: tuple[FoundFile, ...]
    folders: tuple[str, ...]
    notes: tuple[str, ...]


def is_junk(name: str) -> bool:
    """Whether a file or folder of that name is passed over without a word."""
    return name.startswith(".") or name.casefold() in _JUNK_NAMES


def walk(root: Path, *, links: Links = "inside") -> Walk:
    """Lists everything under ``root``, each real folder once.

    Links are followed as long as they stay under ``root``, or wherever they lead. A link to a
    folder that is read anyway is passed over and noted, so that loops end and no image counts
    twice by accident. Nothing is opened, so pipes cannot block.
    """
    walker = _walker(root, links)
    return Walk(tuple(walker.run()), tuple(walker.folders), tuple(walker.notes))


def walk_files(root: Path, *, links: Links = "inside") -> Iterator[FoundFile]:
    """Yields the files of :func:`walk` as they are found, for folders that memory cannot hold."""
    return _walker(root, links).run()


def _walker(root: Path, links: Links) -> _Walker:
    real_root = os.path.realpath(root) if links == "inside" else os.sep
    return _Walker(root=str(root), real_root=real_root)


def check_file(path: str, *, real_root: str) -> Problem | None:
    """Returns why the file at ``path`` cannot be read as part of ``real_root``, if so.

    Args:
        path: Absolute; may be a link.
        real_root: The folder it has to stay in, without links.
    """
    if not is_within(os.path.realpath(path), real_root):
        message = "it lies outside the data folder; --follow-links reads it all the same"
        return Problem("outside_folder", message)
    try:
        mode = Path(path).stat().st_mode
    except FileNotFoundError:
        if Path(path).is_symlink():
            return Problem("missing", "it is a link to a file that does not exist")
        return Problem("missing", "there is no such file")
    except OSError as error:
        return Problem("unreadable", f"it cannot be read: {error.strerror}")
    if not stat.S_ISREG(mode):
        kind = _KINDS.get(stat.S_IFMT(mode), "something special")
        return Problem("unreadable", f"it is {kind}, not a file")
    return None


def is_within(path: str, folder: str) -> bool:
    """Whether ``path`` is ``folder`` or lies in it, both absolute and free of links."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


@dataclass(slots=True)
class _Walker:
    root: str
    real_root: str
    folders: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    linked: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    entered: dict[tuple[int, int], str] = field(default_factory=dict)

    def run(self) -> Iterator[FoundFile]:
        yield from self._enter_tree("")
        # Links wait until every real folder has been read under its own name.
        while self.linked:
            yield from self._enter_tree(self.linked.pop(0))

    def _enter_tree(self, top: str) -> Iterator[FoundFile]:
        self.waiting = [top]
        while self.waiting:
            relative = self.waiting.pop()
            try:
                yield from self._list_folder(relative)
            except OSError as error:
                problem = Problem(
                    "unreadable", f"the folder cannot be read: {error.strerror or error}"
                )
                yield FoundFile(relative or ".", problem)

    def _list_folder(self, relative: str) -> Iterator[FoundFile]:
        """Yields the files of one folder, and lets the real folders in it wait."""
        path = Path(self.root, relative)
        status = path.stat()
        identity = (status.st_dev, status.st_ino)
        if identity in self.entered:
            self.notes.append(
                f"The link '{printable(relative)}' leads to the folder "
                f"'{printable(self.entered[identity] or '.')}', which is read anyway; "
                "it was not followed."
            )
            return
        self.entered[identity] = relative
        with os.scandir(path) as entries:
            for entry in entries:
                if is_junk(entry.name):
                    continue
                below = f"{relative}/{entry.name}" if relative else entry.name
                if entry.is_dir(follow_symlinks=False):
                    self.waiting.append(below)
                elif (found := self._examine(entry, below)) is not None:
                    yield found
        if relative:
            self.folders.append(relative)

    def _examine(self, entry: os.DirEntry[str], relative: str) -> FoundFile | None:
        """Returns what is no folder; a link to a folder waits instead."""
        if entry.is_file(follow_symlinks=False):
            return FoundFile(relative)
        problem = check_file(entry.path, real_root=self.real_root)
        if problem is not None and problem.code == "unreadable" and Path(entry.path).is_dir():
            self.linked.append(relative)
            return None
        return FoundFile(relative, problem)


class FileFinder:
    """Looks files up below a folder, and counts how far from their spelling they were found.

    A path is taken as it is written; in the other composition of its accents (NFC, NFD); in the
    bytes of the table's encoding; with slashes for backslashes. If there is no such file, the
    one image beside it of that name and another ending is taken, and then the one image of that
    name anywhere below the folder.
    """

    def __init__(self, root: Path, *, encoding: str) -> None:
        self._root = root
        self._encoding = encoding
        self._beside: dict[str, dict[str, list[str]]] = {}
        self._below: dict[str, list[str]] | None = None
        self._counts: Counter[str] = Counter()

    def find(self, written: str) -> tuple[str, str]:
        """Returns the absolute path, and the path relative to the folder, with ``..`` outside.

        Where nothing is found, both are as written.
        """
        for spelling in spellings(written, encoding=self._encoding):
            absolute = os.path.normpath(self._root / spelling)
            if os.path.lexists(absolute) and not Path(absolute).is_dir():
                return self._located(absolute)
        plain = os.path.normpath(self._root / written.replace("\\", "/"))
        folder, name = os.path.split(plain)
        beside = self._images_beside(folder).get(_stem(name), [])
        if len(beside) == 1:
            self._counts["ending"] += 1
            return self._located(os.path.join(folder, beside[0]))  # noqa: PTH118
        below = self._images_below().get(_stem(name), [])
        same = [path for path in below if _fold(posixpath.basename(path)) == _fold(name)] or below
        if len(same) == 1:
            self._counts["folder"] += 1
            return self._located(os.path.normpath(self._root / same[0]))
        return self._relative(os.path.normpath(self._root / written))

    def notes(self) -> tuple[str, ...]:
        """Returns what was found under another spelling, as sentences."""
        said = {
            "ending": "without an ending or with another one; the image of that name was taken",
            "folder": "in another folder; the only image of that name was taken",
            "outside": "outside the table's folder; they were read there",
        }
        notes = []
        for key, rest in said.items():
            if number := self._counts[key]:
                verb = "was" if number == 1 else "were"
                notes.append(f"{count_noun(number, 'path')} of the table {verb} written {rest}.")
        return tuple(note.replace("were written outside", "lead outside") for note in notes)

    def _located(self, absolute: str) -> tuple[str, str]:
        found = self._relative(absolute)
        if found[1].startswith(".."):
            self._counts["outside"] += 1
        return found

    def _relative(self, absolute: str) -> tuple[str, str]:
        root = str(self._root)
        for folder in (root, os.path.realpath(root)):
            relative = Path(os.path.relpath(absolute, folder)).as_posix()
            if not relative.startswith("../"):
                return absolute, relative
        relative = Path(os.path.relpath(absolute, root)).as_posix()
        # Through a linked folder '..' leads elsewhere.
        is_same = os.path.realpath(f"{root}/{relative}") == os.path.realpath(absolute)
        return absolute, relative if is_same else absolute

    def _images_beside(self, folder: str) -> dict[str, list[str]]:
        if folder not in self._beside:
            try:
                names = [path.name for path in Path(folder).iterdir()]
            except OSError:
                names = []
            self._beside[folder] = _by_stem(names)
        return self._beside[folder]

    def _images_below(self) -> dict[str, list[str]]:
        if self._below is None:
            self._below = _by_stem([file.path for file in walk(self._root).files])
        return self._below


def spellings(written: str, *, encoding: str) -> Iterator[str]:
    """Yields the ways in which a file of that name may be spelt on disk, each once."""
    forms = [written, *(unicodedata.normalize(form, written) for form in ("NFC", "NFD"))]
    with contextlib.suppress(UnicodeError):
        forms.append(os.fsdecode(written.encode(encoding)))
    if "\\" in written:
        forms += [form.replace("\\", "/") for form in tuple(forms)]
    yield from dict.fromkeys(forms)


def _by_stem(paths: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path in paths:
        if PurePosixPath(path).suffix.casefold() in SUPPORTED_SUFFIXES:
            found.setdefault(_stem(posixpath.basename(path)), []).append(path)
    return found


def _stem(name: str) -> str:
    stem, suffix = posixpath.splitext(name)
    return _fold(stem if suffix.casefold() in SUPPORTED_SUFFIXES else name)


def _fold(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()

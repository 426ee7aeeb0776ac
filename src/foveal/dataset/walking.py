"""Walks a folder of hostile files: links, pipes, loops and locked folders included."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from foveal.dataset.options import Links
from foveal.dataset.problems import Problem
from foveal.text import printable

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
    real_root = os.path.realpath(root) if links == "inside" else os.sep
    walker = _Walker(root=str(root), real_root=real_root)
    walker.run()
    return Walk(tuple(walker.files), tuple(walker.folders), tuple(walker.notes))


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
    files: list[FoundFile] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    linked: list[str] = field(default_factory=list)
    entered: dict[tuple[int, int], str] = field(default_factory=dict)

    def run(self) -> None:
        self._enter_tree("")
        # Links wait until every real folder has been read under its own name.
        while self.linked:
            self._enter_tree(self.linked.pop(0))

    def _enter_tree(self, top: str) -> None:
        waiting = [top]
        while waiting:
            relative = waiting.pop()
            try:
                waiting.extend(self._list_folder(relative))
            except OSError as error:
                problem = Problem(
                    "unreadable", f"the folder cannot be read: {error.strerror or error}"
                )
                self.files.append(FoundFile(relative or ".", problem))

    def _list_folder(self, relative: str) -> list[str]:
        """Takes in one folder and returns the real folders in it."""
        path = Path(self.root, relative)
        status = path.stat()
        identity = (status.st_dev, status.st_ino)
        if identity in self.entered:
            self.notes.append(
                f"The link '{printable(relative)}' leads to the folder "
                f"'{printable(self.entered[identity] or '.')}', which is read anyway; "
                "it was not followed."
            )
            return []
        self.entered[identity] = relative
        found: list[str] = []
        with os.scandir(path) as entries:
            for entry in entries:
                if is_junk(entry.name):
                    continue
                below = f"{relative}/{entry.name}" if relative else entry.name
                if self._is_real_folder(entry, below):
                    found.append(below)
        if relative:
            self.folders.append(relative)
        return found

    def _is_real_folder(self, entry: os.DirEntry[str], relative: str) -> bool:
        if entry.is_dir(follow_symlinks=False):
            return True
        if entry.is_file(follow_symlinks=False):
            self.files.append(FoundFile(relative))
            return False
        problem = check_file(entry.path, real_root=self.real_root)
        if problem is not None and problem.code == "unreadable" and Path(entry.path).is_dir():
            self.linked.append(relative)
        else:
            self.files.append(FoundFile(relative, problem))
        return False

"""Finds the file that a table means, where its path is not written as the file is called."""

from __future__ import annotations

import contextlib
import os
import posixpath
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from foveal.dataset.walking import walk
from foveal.images import SUPPORTED_SUFFIXES
from foveal.text import count_noun


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
            self._counts["place"] += 1
            return self._located(os.path.normpath(self._root / same[0]))
        return self._relative(os.path.normpath(self._root / written))

    def notes(self) -> tuple[str, ...]:
        """Returns what was found under another spelling, as sentences."""
        said = {
            "ending": "without an ending or with another one; the image of that name was taken",
            "place": "in another folder; the only image of that name was taken",
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

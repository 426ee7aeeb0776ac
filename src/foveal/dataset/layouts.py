"""Tells the forms of a data folder apart and reads labels and splits off the paths."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from foveal.dataset.listing import Listing
from foveal.dataset.manifest import ImageRecord, Split, natural_key
from foveal.dataset.problems import Problem
from foveal.dataset.walking import FoundFile, Walk, walk
from foveal.images import SUPPORTED_SUFFIXES
from foveal.text import count_noun, printable

SPLIT_NAMES: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
GROUPS_FILE = "groups.csv"

_MAX_NAMED = 5


def list_folder(root: Path) -> Listing:
    """Lists a data folder: class folders, split folders, or images without labels.

    Every folder directly under ``root`` is a class, and what lies below it belongs to it,
    unless the folders are named after splits and have folders of their own.

    Args:
        root: The folder, absolute.
    """
    found = walk(root)
    files = sorted(found.files, key=lambda file: natural_key(file.path))
    tops = _top_folders(files)
    if _are_splits(tops, found.folders):
        return _list_splits(root, files, found)
    if tops:
        return _list_classes(root, files, found)
    return _list_unlabelled(root, files, found)


def _top_folders(files: Iterable[FoundFile]) -> tuple[str, ...]:
    """Returns the folders directly under the root that have files in or below them."""
    tops = {file.path.split("/", 1)[0] for file in files if "/" in file.path}
    return tuple(sorted(tops, key=natural_key))


def _are_splits(tops: Sequence[str], folders: Iterable[str]) -> bool:
    # 'train' may well be a class, next to 'bus' and 'car'. It is a split when it has class
    # folders of its own and its neighbours are splits too.
    with_folders = {folder.split("/", 1)[0] for folder in folders if "/" in folder}
    named = [top for top in tops if top.casefold() in SPLIT_NAMES]
    nested = {SPLIT_NAMES[top.casefold()] for top in named if top in with_folders}
    return len(nested) >= 2 or (len(nested) == 1 and len(named) == len(tops))


def _list_classes(root: Path, files: Sequence[FoundFile], found: Walk) -> Listing:
    records: list[ImageRecord] = []
    ignored: list[str] = []
    for file in files:
        top, _, rest = file.path.partition("/")
        if rest:
            records.append(_labelled(file, label=top))
        elif file.problem is not None:
            records.append(ImageRecord(file.path, problem=file.problem))
        elif _could_be_image(file.path):
            message = "it lies next to the class folders, not in one, so it has no label"
            records.append(ImageRecord(file.path, problem=Problem("missing_label", message)))
        else:
            ignored.append(file.path)
    notes = [*_note_ignored(ignored), *_note_empty(found.folders, files, depth=1)]
    notes += _note_wrapper(found.folders, files)
    return Listing(root, tuple(records), "class folders", notes=(*found.notes, *notes))


def _list_splits(root: Path, files: Sequence[FoundFile], found: Walk) -> Listing:
    records: list[ImageRecord] = []
    ignored: list[str] = []
    for file in files:
        top, _, rest = file.path.partition("/")
        split = SPLIT_NAMES.get(top.casefold()) if rest else None
        label, _, name = rest.partition("/")
        if split is not None and name:
            records.append(_labelled(file, label=label, split=split))
        elif file.problem is not None:
            records.append(ImageRecord(file.path, split=split, problem=file.problem))
        elif not _could_be_image(file.path):
            ignored.append(file.path)
        else:
            message = (
                "it lies in no class folder, so it has no label"
                if split is not None
                else "it lies outside the folders for training, validation and test"
            )
            problem = Problem("missing_label", message)
            records.append(ImageRecord(file.path, split=split, problem=problem))
    notes = [*_note_ignored(ignored), *_note_empty(found.folders, files, depth=2)]
    return Listing(root, tuple(records), "split folders", notes=(*found.notes, *notes))


def _list_unlabelled(root: Path, files: Sequence[FoundFile], found: Walk) -> Listing:
    records: list[ImageRecord] = []
    ignored: list[str] = []
    for file in files:
        if file.problem is not None or _could_be_image(file.path):
            records.append(ImageRecord(file.path, problem=file.problem))
        else:
            ignored.append(file.path)
    notes = (*found.notes, *_note_ignored(ignored), *_note_empty(found.folders, files, depth=1))
    return Listing(root, tuple(records), "unlabelled", notes=notes)


def _labelled(file: FoundFile, *, label: str, split: Split | None = None) -> ImageRecord:
    return ImageRecord(file.path, label=printable(label), split=split, problem=file.problem)


def _could_be_image(path: str) -> bool:
    """Whether a file outside the class folders is worth naming: a README is not."""
    return PurePosixPath(path).suffix.casefold() in SUPPORTED_SUFFIXES


def _note_ignored(paths: Sequence[str]) -> list[str]:
    others = [path for path in paths if path != GROUPS_FILE]
    if not others:
        return []
    verb = "was" if len(others) == 1 else "were"
    return [
        f"{count_noun(len(others), 'file')} outside the class folders that cannot be an image "
        f"{verb} passed over: {name_some(others)}."
    ]


def _note_empty(folders: Iterable[str], files: Iterable[FoundFile], *, depth: int) -> list[str]:
    """Says which class folders, ``depth`` levels down, hold no file at all."""
    filled = {"/".join(file.path.split("/")[:depth]) for file in files}
    candidates = {folder for folder in folders if folder.count("/") == depth - 1}
    empty = sorted(candidates - filled, key=natural_key)
    if not empty:
        return []
    verb = "holds" if len(empty) == 1 else "hold"
    return [f"{count_noun(len(empty), 'folder')} {verb} no files: {name_some(empty)}."]


def _note_wrapper(folders: Iterable[str], files: Sequence[FoundFile]) -> list[str]:
    tops = _top_folders(files)
    inner = sorted((f for f in folders if f.count("/") == 1), key=natural_key)
    if len(tops) != 1 or len(inner) < 2:
        return []
    names = name_some([folder.split("/", 1)[1] for folder in inner])
    return [
        f"The only folder, '{printable(tops[0])}', has folders of its own ({names}). "
        f"If those are the classes, give '{printable(tops[0])}' as the data folder."
    ]


def name_some(names: Sequence[str]) -> str:
    """Returns the first few names, printable, and how many more there are.

    >>> name_some(["a", "b", "c", "d", "e", "f", "g"])
    'a, b, c, d, e and 2 more'
    """
    shown = ", ".join(printable(name) for name in names[:_MAX_NAMED])
    more = len(names) - _MAX_NAMED
    return shown if more <= 0 else f"{shown} and {more:,} more"

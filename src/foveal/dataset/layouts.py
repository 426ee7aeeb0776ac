"""Tells the forms of a data folder apart and reads labels and splits off the paths."""

from __future__ import annotations

import dataclasses
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from foveal.dataset.folder_levels import find_class_level, refuse_masks, split_of
from foveal.dataset.manifest import ImageRecord, Layout, Listing, Problem, Split, natural_key
from foveal.dataset.options import DataOptions
from foveal.dataset.walking import FoundFile, Walk, walk
from foveal.images import SUPPORTED_SUFFIXES
from foveal.text import count_noun, printable

GROUPS_FILE = "groups.csv"

_MAX_NAMED = 5
# Blanks; zero-width space, non-joiner and joiner, left and right marks, word joiner, BOM.
_UNSEEN = " \xa0\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
_DEFAULTS = DataOptions()
_NO_CLASS = frozenset(
    ("unknown", "unlabelled", "unlabeled", "images", "image", "img", "imgs", "data", "all", "x")
)


def list_folder(root: Path, options: DataOptions = _DEFAULTS) -> Listing:
    """Lists a data folder: class folders, split folders, or images without labels.

    Every folder directly under ``root`` is a class, and what lies below it belongs to it,
    unless the folders are named after splits and have folders of their own, or hold the same
    subfolders, as the folders of patients do.

    Args:
        root: The folder, absolute.
        options: Whether links are followed, and which level names the class.

    Raises:
        DataError: The folders hold the same subfolders, and nothing tells which are classes.
    """
    found = walk(root, links=options.links)
    files = sorted(found.files, key=lambda file: natural_key(file.path))
    tops = _top_folders(files)
    where = printable(root.name)
    if options.class_level is None:
        refuse_masks(tops, where=where)
    if _are_splits(tops, found.folders):
        return _list_splits(root, files, found, options)
    if tops and (options.class_level is not None or not _are_parts(tops)):
        return _list_classes(root, files, found, options)
    return _list_unlabelled(root, files, found)


def _top_folders(files: Iterable[FoundFile]) -> tuple[str, ...]:
    """Returns the folders directly under the root that have files in or below them."""
    tops = {file.path.split("/", 1)[0] for file in files if "/" in file.path}
    return tuple(sorted(tops, key=natural_key))


def _are_splits(tops: Sequence[str], folders: Iterable[str]) -> bool:
    # 'train' may well be a class, next to 'bus' and 'car'. It is a split when it has class
    # folders of its own and its neighbours are splits too.
    with_folders = {folder.split("/", 1)[0] for folder in folders if "/" in folder}
    named = [top for top in tops if split_of(top)]
    nested = {split_of(top) for top in named if top in with_folders}
    return len(nested) >= 2 or (len(nested) == 1 and len(named) == len(tops))


def _are_parts(tops: Sequence[str]) -> bool:
    """Whether all folders are splits without class folders, as in 'train/1.png, test/2.png'."""
    return len({split_of(top) for top in tops}) > 1 and all(map(split_of, tops))


def label_of(text: str) -> str:
    """Returns a label as it is compared and stored: on one line, its accents composed (NFC).

    Blanks and characters without width at its ends, which nobody can see, do not count.

    >>> label_of("cat\u200b") == label_of("\ufeff cat")
    True
    """
    return printable(unicodedata.normalize("NFC", text).strip(_UNSEEN))


def _folder_names(file: FoundFile) -> list[str]:
    """Returns the folders that a file lies in, as labels are compared."""
    return [label_of(name) for name in file.path.split("/")[:-1]]


def _list_classes(
    root: Path, files: Sequence[FoundFile], found: Walk, options: DataOptions
) -> Listing:
    folders = [_folder_names(file) for file in files if "/" in file.path]
    notes: list[str] = []
    if options.class_level is not None:
        level = options.class_level - 1
    elif level := find_class_level(folders, where=printable(root.name)):
        notes.append(
            f"The folders {name_some(_top_folders(files))} hold the same subfolders, so those are "
            "the classes. If not: --class-level 1."
        )
    inner = {names[level + 1] for names in folders if len(names) > level + 1}
    has_splits = len({split_of(name) for name in inner}) > 1 and all(map(split_of, inner))
    records: list[ImageRecord] = []
    ignored: list[str] = []
    for file in files:
        names = file.path.split("/")[:-1]
        if len(names) > level:
            split = split_of(names[level + 1]) if has_splits and len(names) > level + 1 else None
            records.append(_labelled(file, label=names[level], split=split))
        elif file.problem is not None:
            records.append(ImageRecord(file.path, problem=file.problem))
        elif _could_be_image(file.path):
            message = "it lies next to the class folders, not in one, so it has no label"
            records.append(ImageRecord(file.path, problem=Problem("missing_label", message)))
        else:
            ignored.append(file.path)
    notes += [*_note_ignored(ignored), *_note_empty(found.folders, files, depth=1)]
    notes += _note_wrapper(found.folders, files)
    layout: Layout = "split folders" if has_splits else "class folders"
    return Listing(root, tuple(records), layout, notes=(*found.notes, *notes))


def _list_splits(
    root: Path, files: Sequence[FoundFile], found: Walk, options: DataOptions
) -> Listing:
    in_splits = [file for file in files if split_of(file.path.split("/")[0]) and "/" in file.path]
    folders = [_folder_names(file)[1:] for file in in_splits]
    if options.class_level is not None:
        level = options.class_level - 1
    else:
        known = [names for names in folders if names]
        level = 1 + find_class_level(known, where=printable(root.name))
    records: list[ImageRecord] = []
    ignored: list[str] = []
    for file in files:
        names = file.path.split("/")
        split = split_of(names[0]) if len(names) > 1 else None
        if split is not None and len(names) > level + 1:
            records.append(_labelled(file, label=names[level], split=split))
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
    kept, unlabelled = _without_unlabelled_splits(records)
    notes = [*_note_ignored(ignored), *_note_empty(found.folders, files, depth=2), *unlabelled]
    return Listing(root, kept, "split folders", notes=(*found.notes, *notes))


def _says_nothing(label: str) -> bool:
    return label.casefold() in _NO_CLASS or split_of(label) is not None


def _without_unlabelled_splits(
    records: Sequence[ImageRecord],
) -> tuple[tuple[ImageRecord, ...], tuple[str, ...]]:
    """Sets a part for testing aside that has no labels, as competitions hand it out.

    It has no class folders, or none but such as 'unknown' and 'images'.
    Where only the training part is left, it is no split any more.
    """
    labels: defaultdict[str | None, set[str]] = defaultdict(set)
    for record in records:
        if record.label is not None and record.problem is None:
            labels[record.split].add(record.label)
    trained = labels["train"]
    if not trained:
        return tuple(records), ()
    in_splits = {record.split for record in records if record.split not in (None, "train")}
    unlabelled = {
        split
        for split in in_splits
        if not labels[split] & trained and all(map(_says_nothing, labels[split]))
    }
    message = "it lies in no folder of a class that training has, so it has no label"
    kept = [
        dataclasses.replace(record, label=None, problem=Problem("missing_label", message))
        if record.split in unlabelled and record.problem is None
        else record
        for record in records
    ]
    if not unlabelled:
        return tuple(kept), ()
    named = " and ".join(f"'{split}'" for split in sorted(map(str, unlabelled)))
    note = f"The images of {named} have no labels, so nothing can be tested on them."
    if unlabelled == in_splits:
        kept = [dataclasses.replace(record, split=None) for record in kept]
        note += " The training part is taken as a set without a split."
    return tuple(kept), (f"{note} foveal predict names their classes.",)


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
    return ImageRecord(file.path, label=label_of(label), split=split, problem=file.problem)


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

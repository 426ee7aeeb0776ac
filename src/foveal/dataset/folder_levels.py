"""Finds the folder level that names the class: folders with the same subfolders are no classes."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from foveal.dataset.manifest import Split
from foveal.dataset.name_parts import meaning_of
from foveal.errors import DataError
from foveal.text import printable

SPLIT_NAMES: dict[str, Split] = {
    **dict.fromkeys(("train", "training", "trn", "learn", "learning", "fit"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "dev", "development"), "val"),
    **dict.fromkeys(("eval", "evaluation", "tune", "tuning"), "val"),
    **dict.fromkeys(("test", "testing", "tst", "holdout", "heldout"), "test"),
}
_FILLERS = frozenset(("set", "data", "dataset", "images", "imgs", "img", "split", "part", "folder"))
_IMAGES = frozenset(("image", "images", "img", "imgs", "photos", "pictures", "jpegimages", "input"))
_MASKS = frozenset(
    (
        *("mask", "masks", "annotation", "annotations", "segmentation", "segmentations"),
        *("gt", "groundtruth", "segmentationclass", "segmentationobject", "contour", "contours"),
    )
)
_SHARED = 0.9
_MANY_SOURCES = 20


def split_of(name: str) -> Split | None:
    """Returns the split that a folder or a cell names: ``"train_set"``, ``"Test"``, ``"dev"``.

    >>> split_of("train_set"), split_of("TestImages"), split_of("hold-out"), split_of("bus")
    ('train', 'test', 'test', None)
    """
    spread = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    words = [word for word in re.split(r"[\W_]+", spread.casefold()) if word]
    telling = [word for word in words if word not in _FILLERS]
    whole = "".join(telling)
    for ending in ("", "set", "data", "images"):
        if whole.endswith(ending) and (found := SPLIT_NAMES.get(whole.removesuffix(ending))):
            return found
    return None


def refuse_masks(tops: Iterable[str], *, where: str) -> None:
    """Refuses folders of images and folders of masks of them, which are no classes.

    Raises:
        DataError: With the folder to give instead.
    """
    plain = {re.sub(r"[\W_]+", "", top.casefold()): top for top in tops}
    masks = [top for word, top in plain.items() if word in _MASKS]
    images = [top for word, top in plain.items() if word in _IMAGES]
    if masks and images:
        raise DataError(
            f"'{where}' holds '{printable(images[0])}' and '{printable(masks[0])}': images and "
            "masks of them, not two classes.",
            next_step=f"If '{printable(images[0])}' has class folders, give that folder; otherwise "
            "write a table with the columns path and label.",
        )


def find_class_level(folders: Sequence[Sequence[str]], *, where: str) -> int:
    """Returns the level whose folders are the classes, counted from 0: 0 or 1.

    Args:
        folders: For each file the names of the folders that it lies in, the outermost first.
        where: The data folder, for messages.

    Raises:
        DataError: The folders hold the same subfolders, and nothing tells which are the classes.
    """
    inner: defaultdict[str, set[str]] = defaultdict(set)
    for names in folders:
        if len(names) > 1:
            inner[names[0]].add(names[1])
    num_shallow = sum(len(names) < 2 for names in folders)
    outer = sorted({names[0] for names in folders if names})
    holders = Counter(name for names in inner.values() for name in names)
    memberships = sum(holders.values())
    if len(outer) < 2 or set(inner) != set(outer) or num_shallow > 0.1 * len(folders):
        return 0
    if sum(count for count in holders.values() if count > 1) < _SHARED * memberships:
        return 0
    subfolders = sorted(holders)
    if all(split_of(name) for name in subfolders):
        return 0
    outer_are, inner_are = _are_sources(outer), _are_sources(subfolders)
    if inner_are and not outer_are:
        return 0
    if outer_are and len(subfolders) > 1:
        if not inner_are or len(outer) >= max(_MANY_SOURCES, 5 * len(subfolders)):
            return 1
    elif outer_are and len(outer) >= _MANY_SOURCES:
        return 0
    raise DataError(
        f"The folders {_show(outer)} in '{where}' hold the same subfolders ({_show(subfolders)}), "
        "so they do not look like classes.",
        next_step=f"If {_show(subfolders)} are the classes, give --class-level 2; if "
        f"{_show(outer)} are, --class-level 1. If they are splits, name them train, val and test.",
    )


def _are_sources(names: Sequence[str]) -> bool:
    """Whether names look like numbered or lettered sources: P003, 8863, site_a, camB."""
    if sum(any(letter.isdigit() for letter in name) for name in names) >= len(names) / 2:
        return True
    stems = {re.sub(r"([\W_]+\w|(?<=[a-z])[A-Z])$", "", name) for name in names}
    return len(stems) == 1 and meaning_of(stems.pop())[0] in ("source", "surroundings")


def _show(names: Sequence[str]) -> str:
    shown = ", ".join(f"'{printable(name)}'" for name in names[:3])
    return shown if len(names) <= 3 else f"{shown} …"

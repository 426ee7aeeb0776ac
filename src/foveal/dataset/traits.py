"""What parts images into subgroups: a column, the maker's name in a header, folder, size, light."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from foveal.dataset.folder_levels import split_of
from foveal.dataset.manifest import ImageRecord, Manifest, natural_key
from foveal.draw.numbers import percent
from foveal.errors import UsageError
from foveal.text import near_names, printable

MAX_VALUES = 12
"""Parts of one trait: beyond, numbers become quarters and rare words "other"."""
MISSING = "not given"
_IDENTIFIER_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Trait:
    """One way to part the usable images.

    Attributes:
        name: Such as ``"sex"`` or ``"brightness"``.
        origin: A column that was named, the header of the files, or the files themselves.
        values: One an image, in the order of ``Manifest.usable``.
        ranks: Where values have an order of their own: the place of each.
    """

    name: str
    origin: Literal["column", "header", "file"]
    values: tuple[str, ...]
    ranks: dict[str, int] = field(default_factory=dict)

    def order(self, value: str) -> tuple[object, ...]:
        """Returns the key by which values are sorted; what is missing comes last."""
        return (value == MISSING, self.ranks.get(value, 0), natural_key(value))


def find_traits(manifest: Manifest, columns: Sequence[str] = ()) -> tuple[Trait, ...]:
    """Returns the ways to part the usable images: named columns first, then what is found.

    Found are folder (the highest level that is neither class nor split), maker, model and view
    in the header of DICOM and of photographs, size, format and brightness. A trait that has one
    value alone is left out unless it was named.

    Args:
        manifest: The data, before files are numbered.
        columns: Columns of the table that were named.

    Raises:
        UsageError: There is no such column, or it identifies single images.
    """
    named = [_from_column(manifest, name) for name in dict.fromkeys(columns)]
    found = [trait for trait in (make(manifest) for make in _FOUND) if trait is not None]
    return (*named, *(trait for trait in found if len(set(trait.values)) > 1))


def take_rows(
    traits: Sequence[Trait], rows: Sequence[int] | NDArray[np.int64]
) -> tuple[Trait, ...]:
    """Returns the traits of some of the images, those of ``rows`` in their order."""
    return tuple(
        replace(trait, values=tuple(trait.values[int(row)] for row in rows)) for trait in traits
    )


def without_paths(traits: Sequence[Trait]) -> tuple[Trait, ...]:
    """Returns the traits that tell nothing of where files lie."""
    return tuple(trait for trait in traits if trait.name != "folder" or trait.origin != "file")


def _from_column(manifest: Manifest, wanted: str) -> Trait:
    name = wanted.strip().casefold()
    if name in manifest.column_names:
        position = manifest.column_names.index(name)
        values = [record.told[position] if record.told else "" for record in manifest.usable]
    elif f"'{name}'" in (manifest.group_source or "") or name == "group":
        values = [record.group or "" for record in manifest.usable]
    elif name == "split" and manifest.has_splits:
        values = [record.split or "" for record in manifest.usable]
    else:
        near = near_names(name, manifest.column_names)
        known = near or manifest.column_names[:8]
        shown = ", ".join(f"'{printable(one)}'" for one in known)
        raise UsageError(
            f"There is no column '{printable(wanted)}' to part the images by.",
            next_step=f"Did you mean {shown}?"
            if near
            else f"Columns that have no other role are {shown}."
            if shown
            else "Columns are those of a table: give path,label and the column in one CSV.",
        )
    if not any(values):
        raise UsageError(
            f"The column '{printable(wanted)}' is empty for every usable image.",
            next_step="Fill it, or leave out --subgroup for it.",
        )
    return _trait(printable(name), "column", values)


def _trait(name: str, origin: Literal["column", "header", "file"], values: Sequence[str]) -> Trait:
    """Returns words as they are and many numbers by quarters."""
    counts = Counter(value for value in values if value)
    if len(counts) > MAX_VALUES:
        numbers = _numbers(values)
        if numbers is not None:
            return _quarters(name, origin, numbers)
        if len(counts) > _IDENTIFIER_SHARE * len(values):
            raise UsageError(
                f"The column '{name}' has {len(counts):,} different values for {len(values):,} "
                "images: it identifies images and makes no subgroups of them.",
                next_step="Name a column with few values, such as site, sex or device.",
            )
    common = [value for value, _ in counts.most_common(MAX_VALUES)]
    if len(counts) > MAX_VALUES:
        common = common[: MAX_VALUES - 1]
    kept = set(common)
    other = f"other ({len(counts) - len(common):,} values)"
    shown = tuple(
        (printable(value) if value in kept else other) if value else MISSING for value in values
    )
    return Trait(name, origin, shown, {other: 1})


def _numbers(values: Sequence[str]) -> list[float | None] | None:
    try:
        numbers = [float(value) if value else None for value in values]
    except ValueError:
        return None
    return numbers if all(one is None or np.isfinite(one) for one in numbers) else None


def _quarters(
    name: str,
    origin: Literal["column", "header", "file"],
    numbers: Sequence[float | None],
    *,
    show: Callable[[float], str] = lambda value: f"{value:.4g}",
) -> Trait:
    """Parts numbers at their quartiles."""
    known = np.array([number for number in numbers if number is not None])
    edges = np.unique(np.quantile(known, [0.25, 0.5, 0.75]))
    edges = edges[edges < known.max()]
    words = [show(float(edge)) for edge in edges]
    names = [
        f"up to {words[0]}" if words else "all",
        *(f"{low} to {high}" for low, high in pairwise(words)),
        *((f"above {words[-1]}",) if words else ()),
    ]
    values = tuple(
        MISSING if number is None else names[int(np.searchsorted(edges, number, side="left"))]
        for number in numbers
    )
    return Trait(name, origin, values, {word: rank for rank, word in enumerate(names)})


def _folder(manifest: Manifest) -> Trait | None:
    """Returns the highest folder level that is neither class nor split and has few values."""
    folders = [PurePosixPath(record.path).parent.parts for record in manifest.usable]
    for level in range(max(map(len, folders), default=0)):
        values = [parts[level] if len(parts) > level else "" for parts in folders]
        counts = Counter(values)
        if not 2 <= len(counts) <= MAX_VALUES or _names_class(values, manifest.usable):
            continue
        if all(value and split_of(value) is not None for value in counts):
            continue
        return _trait("folder", "file", values)
    return None


def _names_class(values: Sequence[str], records: Sequence[ImageRecord]) -> bool:
    """Whether a folder level tells the label: each folder has one label, and no two share it."""
    labels: dict[str, set[str | None]] = {}
    for value, record in zip(values, records, strict=True):
        labels.setdefault(value, set()).add(record.label)
    return all(len(found) == 1 for found in labels.values())


def _header(name: str) -> Callable[[Manifest], Trait | None]:
    def find(manifest: Manifest) -> Trait | None:
        values = [dict(record.header).get(name, "") for record in manifest.usable]
        counts = Counter(values)
        if not any(values) or len(counts) > _IDENTIFIER_SHARE * len(values):
            return None
        return _trait(name, "header", values)

    return find


def _size(manifest: Manifest) -> Trait | None:
    sizes = [(record.width_px or 0, record.height_px or 0) for record in manifest.usable]
    if len(set(sizes)) <= MAX_VALUES // 2:
        values = tuple(f"{width}×{height}" for width, height in sizes)
        ranks = {
            f"{width}×{height}": rank
            for rank, (width, height) in enumerate(
                sorted(set(sizes), key=lambda size: (size[0] * size[1], size))
            )
        }
        return Trait("size", "file", values, ranks)
    roots = [float(np.sqrt(width * height)) for width, height in sizes]
    return _quarters("size", "file", roots, show=lambda value: f"{value:.0f} px")


def _format(manifest: Manifest) -> Trait | None:
    values = []
    for record in manifest.usable:
        depth = f", {record.bits_per_sample} bit" if (record.bits_per_sample or 8) > 8 else ""
        values.append(f"{record.format}{depth}")
    return _trait("format", "file", values)


def _brightness(manifest: Manifest) -> Trait | None:
    levels = [record.grey_mean for record in manifest.usable]
    if not any(level is not None for level in levels):
        return None
    return _quarters("brightness", "file", levels, show=lambda value: percent(value, digits=1))


_FOUND: tuple[Callable[[Manifest], Trait | None], ...] = (
    _folder,
    _header("manufacturer"),
    _header("model"),
    _header("view position"),
    _size,
    _format,
    _brightness,
)

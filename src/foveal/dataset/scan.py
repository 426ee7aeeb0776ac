"""From a folder or a table to a manifest: every image read once, every bad file named.

Each frame of a volume or animation can be an image of its own, in the group of its file.
"""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from foveal.dataset.folder_tables import list_with_tables
from foveal.dataset.group_choice import choose_by_name, with_groups
from foveal.dataset.groups import (
    GroupOptions,
    check_group_options,
    group_by_contents,
    group_listing,
    loosen_groups,
)
from foveal.dataset.layouts import name_some
from foveal.dataset.manifest import (
    ImageRecord,
    Listing,
    Manifest,
    Problem,
    natural_key,
    sorted_class_names,
)
from foveal.dataset.options import DataOptions
from foveal.dataset.reading import Progress, read_images
from foveal.dataset.rows import TABLE_SUFFIXES
from foveal.dataset.structure import find_structure
from foveal.dataset.tables import list_table
from foveal.errors import DataError, ImageError, UsageError
from foveal.images import FrameChoice, count_frames, frame_path
from foveal.images.frames import split_frame_path
from foveal.text import count_noun, near_names, printable

FrameRule = FrameChoice | Literal["each"]
"""Which frame stands for a file, or that each is an image."""

FRAMES_SOURCE = "the file that frames come from"


def spread_frames(root: Path, records: Sequence[ImageRecord]) -> tuple[ImageRecord, ...]:
    """Returns a record a frame for files that hold several; others, and bad ones, as they are."""
    spread: list[ImageRecord] = []
    for record in records:
        number = _count(root / record.path) if record.problem is None else 1
        if number == 1:
            spread.append(record)
            continue
        spread += [
            dataclasses.replace(record, path=frame_path(record.path, index + 1))
            for index in range(number)
        ]
    return tuple(spread)


def group_frames(records: Sequence[ImageRecord]) -> tuple[ImageRecord, ...]:
    """Puts frames that have no group yet into that of their file."""
    grouped = []
    for record in records:
        split = split_frame_path(record.path) if record.group is None else None
        grouped.append(record if split is None else dataclasses.replace(record, group=split[0]))
    return tuple(grouped)


def _count(path: Path) -> int:
    try:
        return count_frames(path)
    except ImageError:
        return 1  # reading it will say why


_NO_GROUPS = GroupOptions()
_DEFAULTS = DataOptions()


def scan(
    data: Path,
    *,
    groups: GroupOptions = _NO_GROUPS,
    options: DataOptions = _DEFAULTS,
    frames: FrameRule = "middle",
    num_workers: int = 2,
    progress: Progress | None = None,
) -> Manifest:
    """Reads a data set: what is in it, and what cannot be used and why.

    Every image is decoded once and in full, so that a truncated file is found now and not in
    the middle of a training. Files that cannot be used are set aside with their problem;
    nothing is ever put in their place.

    Args:
        data: A folder of class folders; a folder with ``train``, ``val``, ``test`` inside; or
            a table (CSV, TSV, Parquet) with ``path``, ``label`` and perhaps ``group``, ``split``.
        groups: Where the groups come from.
        options: How the data are read where their form leaves a choice.
        frames: Which frame stands for a file that holds several, counted from 1; ``"each"``
            makes every frame an image of one group.
        num_workers: Threads that decode.
        progress: Called with (files done, files in all).

    Raises:
        DataError: There is nothing at ``data``, or its table cannot be read.
        UsageError: ``data`` is neither a folder nor a table, or ``groups`` contradict themselves.
    """
    check_group_options(groups)
    listing = list_data(Path(data), group_column=groups.column, options=options)
    grouped = group_listing(listing, groups)
    records = grouped.records
    if frames == "each":
        records = spread_frames(listing.root, records)
    readings = read_images(
        listing.root,
        records,
        num_workers=num_workers,
        progress=progress,
        frame="middle" if frames == "each" else frames,
    )
    records, left_out = _without_small_classes(
        tuple(reading.record for reading in readings), options.min_images
    )
    grouped, origin = group_by_contents(
        dataclasses.replace(grouped, records=records),
        [reading.patient_key for reading in readings],
        groups,
    )
    records = grouped.records
    manifest = Manifest(
        root=listing.root,
        records=records,
        class_names=sorted_class_names(records),
        layout=listing.layout,
        group_source=grouped.source,
        groups_are_approximate=grouped.are_approximate,
        notes=(*listing.notes, *grouped.notes, *left_out),
        group_origin=origin,
        column_names=listing.column_names,
    )
    if groups.search == "auto":
        manifest = _group_by_name(_loosened(manifest))
    return _group_by_file(manifest) if frames == "each" else manifest


def _without_small_classes(
    records: Sequence[ImageRecord], min_images: int
) -> tuple[tuple[ImageRecord, ...], tuple[str, ...]]:
    """Sets classes aside that have fewer usable images than were asked for."""
    sizes = Counter(record.label for record in records if record.label and not record.problem)
    small = {label for label, size in sizes.items() if label and size < min_images}
    if not small:
        return tuple(records), ()
    message = f"its class has fewer than {count_noun(min_images, 'usable image')}"
    kept = tuple(
        dataclasses.replace(record, problem=Problem("small_class", message))
        if record.label in small and record.problem is None
        else record
        for record in records
    )
    named = name_some([f"'{label}' ({sizes[label]})" for label in sorted(small, key=natural_key)])
    noun = "class was" if len(small) == 1 else "classes were"
    return kept, (
        f"{len(small):,} {noun} left out for having fewer than {min_images:,} usable images: "
        f"{named}.",
    )


def _group_by_file(manifest: Manifest) -> Manifest:
    """Keeps the frames of a file together that nothing else keeps together."""
    records = group_frames(manifest.records)
    if manifest.group_source is None and any(record.group is not None for record in records):
        manifest = dataclasses.replace(manifest, group_source=FRAMES_SOURCE, group_origin="name")
    return dataclasses.replace(manifest, records=records)


def _group_by_name(manifest: Manifest) -> Manifest:
    """Takes groups from the column, folder or file names that leave no doubt about them."""
    if manifest.group_source is not None or not manifest.usable:
        return manifest
    structure = find_structure(manifest)
    chosen = choose_by_name(manifest, structure)
    if chosen is None:
        return manifest
    within = [one.source for one in structure.candidates if one is not chosen and one.is_plain]
    note = (
        f"Images are kept together by {chosen.source} ({count_noun(chosen.num_groups, 'group')}), "
        f"because its name says what it is{_name_others(within)}. To choose: {chosen.option}; "
        "to keep none together: --no-groups."
    )
    return _loosened(with_groups(manifest, chosen, origin="name", note=note))


def _name_others(sources: Sequence[str]) -> str:
    return f"; {name_some(sources)} would be another choice" if sources else ""


def _loosened(manifest: Manifest) -> Manifest:
    """Lets groups go that nobody asked for and that say no more than the label."""
    if manifest.group_source is None or manifest.group_origin != "name":
        return manifest
    records, notes = loosen_groups(manifest.records, manifest.group_source)
    shared = Counter(record.group for record in records if record.group and not record.problem)
    is_known = any(number > 1 for number in shared.values())
    return dataclasses.replace(
        manifest,
        records=records,
        group_source=manifest.group_source if is_known else None,
        group_origin="name" if is_known else None,
        notes=(*manifest.notes, *notes),
    )


def list_data(
    data: Path, *, group_column: str | None = None, options: DataOptions = _DEFAULTS
) -> Listing:
    """Lists what ``data`` names, without opening an image; see ``scan``."""
    # Not resolve(): the records should lie under the name that was given.
    absolute = Path(os.path.normpath(data.absolute()))
    if absolute.is_dir():
        return list_with_tables(absolute, group_column=group_column, options=options)
    if not absolute.exists():
        raise DataError(
            f"There is nothing at '{printable(str(data))}'.", next_step=_suggest_sibling(absolute)
        )
    if absolute.suffix.casefold() in TABLE_SUFFIXES and absolute.is_file():
        return list_table(absolute, group_column=group_column, options=options)
    raise UsageError(
        f"'{printable(str(data))}' is neither a folder nor a table.",
        next_step="Give a folder of class folders, or a .csv, .tsv or .parquet table with "
        "the columns path and label.",
    )


def _suggest_sibling(path: Path) -> str:
    try:
        names = near_names(path.name, [sibling.name for sibling in path.parent.iterdir()])
    except OSError:
        return "Check the path."
    if not names:
        return "Check the path."
    return f"Did you mean {' or '.join(printable(name) for name in names)}?"

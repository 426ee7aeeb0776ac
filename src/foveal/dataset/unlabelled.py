"""Images to be predicted: files, folders and patterns instead of a labelled data set."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from foveal.dataset.groups import GroupOptions, group_by_contents, group_listing
from foveal.dataset.layouts import GROUPS_FILE
from foveal.dataset.manifest import ImageRecord, Listing, Manifest, Problem, natural_key
from foveal.dataset.reading import Progress, read_images
from foveal.dataset.rows import TABLE_SUFFIXES
from foveal.dataset.scan import FrameRule, group_frames, spread_frames
from foveal.dataset.walking import is_junk, walk
from foveal.errors import UsageError
from foveal.images import SUPPORTED_SUFFIXES, frame_of_file
from foveal.text import printable


def list_images(paths: Sequence[str | Path]) -> Manifest:
    """Lists the images that the paths name, without opening one.

    A path is a file, a folder (read with all folders in it) or a pattern such as
    ``"day*/**/*.png"``. A path that leads nowhere becomes a record with the problem
    ``"missing"``, so that no request goes without an answer. An image that is named twice
    is listed once. Links that are named are followed wherever they lead; links inside
    folders are not followed out of them.

    Args:
        paths: At least one.

    Returns:
        A manifest without labels, in the order asked for, folders in natural order. Its root
        is the deepest folder that holds everything.

    Raises:
        UsageError: No path was given.
    """
    if not paths:
        raise UsageError(
            "No image was named.", next_step="Give files, folders or patterns such as '*.png'."
        )
    found: dict[str, Problem | None] = {}
    for path in paths:
        for absolute, problem in _expand(os.fspath(path)):
            found.setdefault(absolute, problem)
    folders = [Path(absolute).parent for absolute in found] or [Path.cwd()]
    root = os.path.commonpath(folders)
    records = tuple(
        ImageRecord(Path(os.path.relpath(absolute, root)).as_posix(), problem=problem)
        for absolute, problem in found.items()
    )
    return Manifest(Path(root), records, (), "unlabelled")


def scan_unlabelled(
    paths: Sequence[str | Path],
    *,
    groups: GroupOptions | None = None,
    frames: FrameRule = "middle",
    num_workers: int = 2,
    progress: Progress | None = None,
) -> Manifest:
    """Lists the images that the paths name, like ``list_images``, and reads each once.

    Args:
        paths: Files, folders and patterns, at least one.
        groups: Where groups come from.
        frames: Which frame stands for a file that holds several; ``"each"`` for all.
        num_workers: Threads that decode.
        progress: Called with (files done, files in all).

    Raises:
        UsageError: No path was given, or the groups contradict themselves.
    """
    options = groups or GroupOptions()
    listed = list_images(paths)
    grouped = group_listing(Listing(listed.root, listed.records, "unlabelled"), options)
    records = grouped.records
    if frames == "each":
        records = group_frames(spread_frames(listed.root, records))
    readings = read_images(
        listed.root,
        records,
        num_workers=num_workers,
        progress=progress,
        frame="middle" if frames == "each" else frames,
    )
    grouped, origin = group_by_contents(
        replace(grouped, records=tuple(reading.record for reading in readings)),
        [reading.patient_key for reading in readings],
        options,
    )
    return Manifest(
        listed.root,
        grouped.records,
        (),
        "unlabelled",
        group_source=grouped.source,
        groups_are_approximate=grouped.are_approximate,
        notes=grouped.notes,
        group_origin=origin,
    )


def has_no_labels(data: Path) -> bool:
    """Whether ``data`` is a folder of images without class folders and without a table."""
    if not data.is_dir():
        return False
    files = [file for file in walk(data).files if not is_junk(PurePosixPath(file.path).name)]
    names = [PurePosixPath(file.path) for file in files]
    if any(name.suffix.casefold() in TABLE_SUFFIXES and str(name) != GROUPS_FILE for name in names):
        return False
    images = [name for name in names if name.suffix.casefold() in SUPPORTED_SUFFIXES]
    return bool(images) and all(len(name.parts) == 1 for name in images)


def _expand(path: str) -> Iterator[tuple[str, Problem | None]]:
    """Yields absolute paths, each with the problem that is plain before it is opened."""
    absolute = _absolute(path)
    if absolute.is_dir():
        yield from _expand_folder(absolute)
    elif absolute.exists() or frame_of_file(absolute) is not None:
        yield str(absolute), None
    elif absolute.is_symlink():
        yield str(absolute), Problem("missing", "it is a link to a file that does not exist")
    elif not glob.has_magic(path):
        yield str(absolute), Problem("missing", "no such file")
    else:
        yield from _expand_pattern(path)


def _expand_pattern(pattern: str) -> Iterator[tuple[str, Problem | None]]:
    # Path.glob cannot take an absolute pattern, or one that starts with '..'.
    matches = sorted(glob.glob(pattern, recursive=True), key=natural_key)  # noqa: PTH207
    for match in map(_absolute, matches):
        if not match.is_dir():
            yield str(match), None
        elif "**" not in pattern:
            yield from _expand_folder(match)
        # '**' also matches the folders on its way; their files match by themselves.
    if not matches:
        message = f"no file matches the pattern '{printable(pattern)}'"
        yield str(_absolute(pattern)), Problem("missing", message)


def _expand_folder(folder: Path) -> Iterator[tuple[str, Problem | None]]:
    for file in sorted(walk(folder).files, key=lambda file: natural_key(file.path)):
        yield os.path.normpath(folder / file.path), file.problem


def _absolute(path: str) -> Path:
    """Makes a path absolute; links are kept, so that a file is shown as it was named."""
    return Path(os.path.normpath(Path(path).absolute()))

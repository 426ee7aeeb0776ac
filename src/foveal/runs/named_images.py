"""Images as callers give them, each with a name: files, folders, patterns, images in memory."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foveal.dataset import list_images
from foveal.errors import DataError, ImageError
from foveal.images import frame_of_file
from foveal.images.decoding import ImageSource
from foveal.images.encoding import as_source, is_one_image, name_of
from foveal.text import printable


@dataclass(frozen=True, slots=True)
class NamedImage:
    """One image to answer for.

    Attributes:
        name: Printable: the path, or ``"image 2"`` where it has none.
        image: A path, bytes, an open file, a PIL image or an array.
        error: Why it cannot be read, where that is plain before it is opened.
    """

    name: str
    image: Any
    error: ImageError | None = None

    def source(self) -> ImageSource:
        """Returns what the decoder reads.

        Raises:
            ImageError: It cannot be read.
            UsageError: It is no image.
        """
        if self.error is not None:
            raise self.error
        return as_source(self.image, name=self.name)


def name_images(images: Any) -> list[NamedImage]:
    """Returns the images one by one; folders and patterns are replaced by the files they name.

    Args:
        images: One image or several: paths of files and folders, patterns such as
            ``"day*/*.png"``, bytes of a file, open binary files, PIL images, or arrays ``uint8``
            [H, W], [H, W, 3], [H, W, 4] and ``uint16`` [H, W]; also one array of several,
            ``uint8`` [N, H, W, 3]. What has a name already keeps it. Beside a folder
            or pattern a file that is named twice is taken once.

    Raises:
        DataError: The folders hold no image.
    """
    several = [images] if is_one_image(images) else list(images)
    if not any(map(_names_several, several)):
        return [_named(one, n) for n, one in enumerate(several, start=1)]
    paths = [one for one in several if isinstance(one, (str, os.PathLike))]
    found = _listed(paths)
    others = [one for one in several if not isinstance(one, (str, os.PathLike))]
    if not found and not others:
        raise DataError(
            "The folders hold no image.",
            next_step="Name the files one by one if their names have no ending.",
        )
    start = len(found) + 1
    return found + [_named(one, n) for n, one in enumerate(others, start=start)]


def _named(image: Any, number: int) -> NamedImage:
    if isinstance(image, NamedImage):
        return image
    return NamedImage(name_of(image, number=number), image)


def _names_several(image: Any) -> bool:
    if not isinstance(image, (str, os.PathLike)):
        return False
    path = Path(image)
    if path.is_dir():
        return True
    is_file = path.exists() or path.is_symlink() or frame_of_file(path) is not None
    return not is_file and glob.has_magic(os.fspath(image))


def _listed(paths: Sequence[str | os.PathLike[str]]) -> list[NamedImage]:
    manifest = list_images([os.fspath(path) for path in paths])
    is_relative = not any(map(os.path.isabs, paths))
    found = []
    for record in manifest.records:
        file = manifest.resolve(record)
        shown = Path(os.path.relpath(file)) if is_relative else file  # as they were given
        name, problem = printable(str(shown)), record.problem
        error = None if problem is None else ImageError(problem.message, code=problem.code)
        found.append(NamedImage(name, shown, error))
    return found

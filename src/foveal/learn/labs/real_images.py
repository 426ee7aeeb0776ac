"""Real photographs for labs: the learner's own labelled folder, or solar cells (ELPV)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from foveal.dataset import scan
from foveal.dataset.trainable import require_trainable
from foveal.demo import read_elpv
from foveal.errors import DataError, MissingExtraError, UsageError
from foveal.images import Preprocessing


@dataclass(frozen=True, slots=True)
class RealImages:
    """Images as a network sees them before normalisation.

    Attributes:
        images: [N, 3, H, W] in 0..1.
        labels: [N], below the number of classes.
        num_classes: K.
        source: What they are, as a phrase.
    """

    images: Tensor
    labels: Tensor
    num_classes: int
    source: str


def load_real_images(
    data: Path | None, *, num_images: int, size_px: int, min_per_class: int = 8
) -> RealImages:
    """Returns up to ``num_images``, as many of each class as far as there are.

    Args:
        data: A labelled folder or table; the solar cells of ELPV if None.
        num_images: At most; drawn at random, always the same ones.
        size_px: Height and width that every image is resized to.
        min_per_class: Fewer in any class are refused.

    Raises:
        MissingExtraError: ``data`` is None and ``elpv-dataset`` is not installed.
        DataError: Too few images or classes.
        UsageError: ``data`` is a single image.
    """
    if data is None:
        try:
            cells = [cell for cell in read_elpv() if cell.label != "uncertain"]
        except MissingExtraError as error:
            raise MissingExtraError(
                "elpv-dataset", purpose="This lab without your own --data"
            ) from error
        defective = np.array([int(cell.label == "defective") for cell in cells])
        keep = _draw(defective, num_images)
        paths = [cells[index].path for index in keep]
        labels = [int(defective[index]) for index in keep]
        source = f"{len(keep)} solar cells of ELPV (Deitsch et al. 2019), functional or defective"
        return _read(paths, labels, 2, source, size_px)
    if data.is_file() and data.suffix.lower() not in {".csv", ".tsv", ".parquet"}:
        raise UsageError(
            f"{data.name} is one file; this lab needs a labelled folder.",
            next_step="Give a folder with one folder of images for each class.",
        )
    manifest = scan(data)
    require_trainable(manifest, min_images_per_class=min_per_class)
    keep = _draw(np.asarray(manifest.labels), num_images)
    rows = [manifest.usable[index] for index in keep]
    labels = [int(manifest.labels[index]) for index in keep]
    if min(np.bincount(labels)) < min_per_class:
        raise DataError(
            f"Of {num_images} images too few are left for the smallest class; at least "
            f"{min_per_class} are needed.",
            next_step="Leave the smallest classes out of the folder.",
        )
    paths = [manifest.root / row.path for row in rows]
    num_classes = len(manifest.class_names)
    source = f"{len(rows)} images of {num_classes} classes from {data.name}"
    return _read(paths, labels, num_classes, source, size_px)


def _draw(labels: np.ndarray[tuple[int, ...], np.dtype[np.int64]], num_images: int) -> list[int]:
    """Returns rows to keep: the first of each class in a random order."""
    order = np.random.default_rng(0).permutation(len(labels))
    classes = np.unique(labels)
    each = max(1, num_images // len(classes))
    kept = [int(row) for label in classes for row in order[labels[order] == label][:each]]
    return sorted(kept)


def _read(
    paths: list[Path], labels: list[int], num_classes: int, source: str, size_px: int
) -> RealImages:
    reader = Preprocessing(size_px, size_px, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    images = np.stack([reader.apply(path) for path in paths])
    return RealImages(torch.from_numpy(images), torch.tensor(labels), num_classes, source)

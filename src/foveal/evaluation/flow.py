"""What became of every file: found, set aside, usable, in groups, in folds."""

from __future__ import annotations

from dataclasses import dataclass

from foveal.schema import Counts


@dataclass(frozen=True, slots=True)
class PartTrait:
    """Images of one part of the data by the values of one column that the owner named."""

    name: str
    counts: Counts


@dataclass(frozen=True, slots=True)
class PartFacts:
    """What one part of the data holds: a fold, or the images that were only trained on.

    ``class_counts`` has one entry a class. Sizes are medians, ``None`` where unknown.
    ``characteristics`` has one entry a named column, each with the same values in every part.
    """

    name: str
    num_images: int
    num_groups: int
    class_counts: tuple[int, ...]
    median_height_px: float | None
    median_width_px: float | None
    characteristics: tuple[PartTrait, ...] = ()


@dataclass(frozen=True, slots=True)
class Flow:
    """From the files that were found to the images that were judged.

    ``set_aside`` counts files by reason. ``num_unused`` usable images were neither trained on nor
    judged. ``num_groups`` counts groups of usable images, near duplicates fused; each image without
    kin is one.
    """

    num_files: int
    set_aside: Counts
    num_usable: int
    num_groups: int
    num_judged: int
    num_only_trained: int
    num_unused: int
    parts: tuple[PartFacts, ...]

"""The kinds of classifiers that a training can fit, the simplest first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from foveal.errors import UsageError
from foveal.features.reading import Reading
from foveal.images import View
from foveal.training.config import HeadChoice
from foveal.training.fold_model import FoldModelMaker
from foveal.training.kernel import MAX_IMAGES, KernelMaker
from foveal.training.linear import LinearMaker
from foveal.training.solver import is_large_problem

FLIPS: tuple[View, ...] = ("identity", "hflip", "vflip", "rot180")


def _flipped_kernel(reading: Reading) -> FoldModelMaker:
    return KernelMaker(reading, "kernel-flips")


@dataclass(frozen=True, slots=True)
class MakerSpec:
    """One kind.

    Attributes:
        needs_stages: Whether it reads every stage, or the features alone.
        make: Takes what is read.
        max_images: With more of them it is passed over.
        needs_flips: Whether it reads the mean over four flips of every image, which costs four
            passes, also for every prediction.
    """

    needs_stages: bool
    make: Callable[[Reading], FoldModelMaker]
    max_images: int | None = None
    needs_flips: bool = False


MAKERS: dict[str, MakerSpec] = {
    "linear": MakerSpec(False, LinearMaker),
    "stages": MakerSpec(True, LinearMaker),
    "kernel": MakerSpec(True, KernelMaker, MAX_IMAGES),
    "kernel-flips": MakerSpec(True, _flipped_kernel, MAX_IMAGES, needs_flips=True),
}
"""By kind, the simplest first."""


def choose_makers(
    head: HeadChoice,
    reading: Reading,
    *,
    num_images: int,
    num_classes: int,
    no_stages: str | None = None,
    no_flips: str | None = "",
) -> tuple[list[FoldModelMaker], tuple[str, ...]]:
    """Returns the makers that are to be compared, and why others are passed over.

    Args:
        head: What was asked for.
        reading: With stages, where the network has them.
        num_images: How many there are to fit on.
        num_classes: K.
        no_stages: Why there are no stages.
        no_flips: Why four flips of every image were not read; ``None`` where they were. Where it
            is empty nobody asked for them, and nothing is said.

    Raises:
        UsageError: The one kind that was asked for cannot be had.
    """
    makers, passed_over = [], []
    is_large = is_large_problem(num_images, sum(reading.widths), num_classes)
    for kind, spec in MAKERS.items():
        if head not in ("auto", kind):
            continue
        if spec.needs_flips and no_flips == "":
            continue
        reason = no_stages if spec.needs_stages else None
        if spec.needs_flips and reason is None:
            reason = no_flips
        if spec.max_images is not None and num_images > spec.max_images:
            reason = f"{num_images:,} images are more than its {spec.max_images:,}"
        elif head == "auto" and kind != "linear" and is_large and reason is None:
            reason = "so many images and classes would take minutes"
        if reason is None:
            pooled = replace(reading, stages=(), widths=())
            own = reading if spec.needs_stages else pooled
            makers.append(spec.make(replace(own, views=FLIPS) if spec.needs_flips else own))
        elif head == kind:
            raise UsageError(
                f"--head {kind} cannot be used here: {reason}.",
                next_step="Use --head linear, or leave it out.",
            )
        else:
            passed_over.append(f"The kind {kind} was not tried: {reason}.")
    return makers, tuple(passed_over)

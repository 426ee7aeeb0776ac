"""The frozen first part of a network, run once for every view of every image into a bank."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from foveal.errors import ImageError
from foveal.features.backends import Backend, num_cores
from foveal.features.bank import Bank, Row
from foveal.features.extract import ImageSource, load_image
from foveal.features.stream import BATCH_SIZE, stream_batches
from foveal.images import Preprocessing, pixel_versions_digest
from foveal.images.augmentation import AUGMENTATION_VERSION, Policy, augment_normalised
from foveal.models import Backbone
from foveal.models.backbone import FeatureNetwork

Progress = Callable[[int, int], None]


class FlattenedNetwork(FeatureNetwork):
    """A network whose result [N, ...] is written as one vector [N, D]."""

    def forward(self, images: Tensor) -> Tensor:
        """Returns the numbers of the result in a row."""
        result: Tensor = self.network(images)
        return result.flatten(1)


@dataclass(frozen=True, slots=True)
class FrozenPart(Backbone):
    """A network up to a cut, to be run by any feature backend.

    Attributes:
        cut: The name of the cut.
        shape: Of the tensor at the cut, without a batch.
    """

    cut: str
    shape: tuple[int, ...]

    def feature_network(self) -> FeatureNetwork:
        """Returns the part with its result in a row, sharing the parameters."""
        return FlattenedNetwork(self.network).eval()


def frozen_part(
    backbone: Backbone, prefix: nn.Module, *, cut: str, shape: Sequence[int]
) -> FrozenPart:
    """Returns ``prefix``, which maps images to [N, *shape], as what a backend can run.

    Args:
        backbone: The whole network, for its name and its digest.
        prefix: The part, as ``foveal.graph.cut`` gives it.
        cut: The name of the cut.
        shape: Of the tensor there, without a batch.
    """
    digest = hashlib.sha256(f"{backbone.weights.digest}\0{cut}".encode()).hexdigest()
    return FrozenPart(
        name=f"{backbone.name}-to-{cut.replace('/', '_')}",
        network=prefix,
        num_features=int(np.prod(shape)),
        pretrained_config=backbone.pretrained_config,
        weights=replace(backbone.weights, digest=digest),
        cut=cut,
        shape=tuple(shape),
    )


@dataclass(frozen=True, slots=True)
class ViewPlan:
    """Which views of every image are taken.

    Attributes:
        policy: How views differ.
        num_views: K, from view 0, which is the image itself.
        seed: Of the views.
    """

    policy: Policy
    num_views: int
    seed: int

    def rows(self, sources: Sequence[ImageSource]) -> list[Row]:
        """Returns image and view of every row, image by image."""
        return [(source.digest, view) for source in sources for view in range(self.num_views)]


def open_bank(
    directory: Path,
    part: FrozenPart,
    *,
    preprocessing: Preprocessing,
    policy: Policy,
    seed: int,
    backend: str,
) -> Bank:
    """Opens the bank of these views, which begins empty or with what an earlier run left."""
    key = {
        "architecture": part.architecture,
        "weights": part.weights.digest,
        "cut": part.cut,
        "preprocessing": preprocessing.digest,
        "pixels": pixel_versions_digest(),
        "policy": policy.name,
        "augmentation": str(AUGMENTATION_VERSION),
        "seed": str(seed),
        "backend": backend,
    }
    return Bank(directory, key=key, shape=part.shape)


def fill_bank(
    bank: Bank,
    sources: Sequence[ImageSource],
    backend: Backend,
    *,
    preprocessing: Preprocessing,
    views: ViewPlan,
    num_workers: int | None = None,
    progress: Progress | None = None,
) -> int:
    """Computes the rows that ``bank`` does not hold yet, and returns how many these were.

    An image is decoded once for all of its views. What has been computed is kept, also when
    this is interrupted.

    Raises:
        BackendError: A number is not finite, or too large for half precision.
        DataError: A file was changed, or the disk has not the room.
    """
    wanted = bank.missing(views.rows(sources))
    bank.require_space(len(wanted))
    by_image: dict[str, list[int]] = {}
    for digest, view in wanted:
        by_image.setdefault(digest, []).append(view)
    source_of = {source.digest: source for source in sources}
    pending = [(source_of[digest], tuple(numbers)) for digest, numbers in by_image.items()]
    # A batch stacks what it loads, so its images need the same number of views.
    pending.sort(key=lambda item: -len(item[1]))

    def load(item: tuple[ImageSource, tuple[int, ...]]) -> NDArray[np.float32]:
        source, numbers = item
        plain = load_image(source, preprocessing)
        return np.stack([view_of(plain, source, preprocessing, views, view) for view in numbers])

    def run(inputs: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        flat = inputs.reshape(-1, *inputs.shape[2:])
        parts = [
            backend.run(flat[start : start + BATCH_SIZE])
            for start in range(0, len(flat), BATCH_SIZE)
        ]
        return list(np.concatenate(parts).reshape(*inputs.shape[:2], -1))

    num_done = 0
    try:
        for count in sorted({len(numbers) for _, numbers in pending}, reverse=True):
            batches = stream_batches(
                [item for item in pending if len(item[1]) == count],
                load,
                run,
                num_concurrent=backend.num_concurrent,
                num_workers=num_workers or max(2, num_cores()),
            )
            try:
                for batch, results in batches:
                    for (source, numbers), result in zip(batch, results, strict=True):
                        if isinstance(result, ImageError):
                            raise result
                        for view, values in zip(numbers, result, strict=True):
                            bank.add((source.digest, view), values)
                    num_done += len(batch)
                    if progress is not None:
                        progress(num_done, len(pending))
            finally:
                batches.close()
    finally:
        bank.flush()
    return len(wanted)


def view_of(
    plain: NDArray[np.float32],
    source: ImageSource,
    preprocessing: Preprocessing,
    views: ViewPlan,
    view: int,
) -> NDArray[np.float32]:
    """Returns one view of an image that was loaded, [3, H, W]."""
    return augment_normalised(
        plain,
        views.policy,
        seed=views.seed,
        view=view,
        digest=source.digest,
        mean=preprocessing.mean,
        std=preprocessing.std,
    )

"""Images → feature vectors, in one stream whose memory does not grow with their number."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from foveal.errors import BackendError, DataError, ImageError
from foveal.features.backends import Backend, num_cores
from foveal.features.cache import FeatureCache
from foveal.features.parts import FeatureParts
from foveal.features.stream import stream_batches
from foveal.images import Preprocessing, View, read_content
from foveal.text import count_noun, printable

_WRITE_EVERY = 256

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class ImageSource:
    """One image: where it is, and the SHA-256 its bytes must have (hex)."""

    path: Path
    digest: str


@dataclass(frozen=True, slots=True)
class ExtractionStats:
    """What one extraction did. ``seconds`` is wall time, decoding included."""

    num_images: int
    num_computed: int
    num_cached: int
    seconds: float
    cache_problem: str | None = None


def extract_features(
    sources: Sequence[ImageSource],
    backend: Backend,
    *,
    preprocessing: Preprocessing,
    num_features: int,
    view: View = "identity",
    cache: FeatureCache | None = None,
    known: FeatureParts | None = None,
    num_workers: int | None = None,
    progress: Progress | None = None,
) -> tuple[NDArray[np.float32], ExtractionStats]:
    """Returns the features ``[N, D]`` of ``sources`` in order, computing only what is new.

    Workers take whole batches: while one decodes, another runs the network, so both cores
    stay busy. At most a few batches are in memory at a time, besides the result. What the
    cache or ``known`` parts hold is not computed.

    Raises:
        BackendError: The network gave a number that is not finite.
        DataError: A file was changed or removed since its digest was taken.
    """
    start = time.perf_counter()
    features = np.empty((len(sources), num_features), np.float32)
    rows_of: dict[str, list[int]] = {}
    for row, source in enumerate(sources):
        rows_of.setdefault(source.digest, []).append(row)
    path_of = {source.digest: source.path for source in sources}
    missing = dict.fromkeys(rows_of)
    num_done = 0

    def fill(digest: str, vector: NDArray[np.float32]) -> None:
        nonlocal num_done
        features[rows_of[digest]] = vector
        num_done += len(rows_of[digest])

    for held in (known, cache):
        if held is not None:
            for digest, vector in held.read(tuple(missing)):
                fill(digest, vector)
                missing.pop(digest, None)
    num_cached = num_done
    if progress is not None:
        progress(num_done, len(sources))

    unsaved: dict[str, NDArray[np.float32]] = {}
    pending = [ImageSource(path_of[digest], digest) for digest in missing]
    batches = stream_batches(
        pending,
        lambda source: load_image(source, preprocessing, view),
        lambda images: list(backend.run(images)),
        num_concurrent=backend.num_concurrent,
        num_workers=num_workers or max(2, num_cores()),
    )
    try:
        for batch, results in batches:
            for source, result in zip(batch, results, strict=True):
                computed = _require_finite(result, source, backend)
                fill(source.digest, computed)
                if cache is not None:
                    unsaved[source.digest] = computed
            if cache is not None and len(unsaved) >= _WRITE_EVERY:
                cache.write(unsaved)
                unsaved = {}
            if progress is not None:
                progress(num_done, len(sources))
    finally:
        # Also after Ctrl-C: what has been computed is not computed again.
        if cache is not None:
            cache.write(unsaved)
        batches.close()  # else its threads would go on until the error is forgotten
    return features, ExtractionStats(
        num_images=len(sources),
        num_computed=len(pending),
        num_cached=num_cached,
        seconds=time.perf_counter() - start,
        cache_problem=None if cache is None else _describe_cache(cache),
    )


def _describe_cache(cache: FeatureCache) -> str | None:
    if cache.problem is None and cache.num_damaged:
        return f"{count_noun(cache.num_damaged, 'damaged vector')} in the cache computed anew"
    return cache.problem


def _require_finite(
    vector: NDArray[np.float32] | ImageError, source: ImageSource, backend: Backend
) -> NDArray[np.float32]:
    """Stops before one overflow spoils every fit, and the cache."""
    if isinstance(vector, ImageError):  # _load raises these, so that none comes through here
        raise vector
    if not np.isfinite(vector).all():
        raise BackendError(
            f"The backend {backend.name} gave features that are not finite for "
            f"{printable(str(source.path))}.",
            next_step="Run the network in full precision with --backend torch, or check the "
            "weights that were given.",
        )
    return vector


def load_image(
    source: ImageSource, preprocessing: Preprocessing, view: View = "identity"
) -> NDArray[np.float32]:
    """Returns the network's input [3, H, W] of one image.

    Raises:
        DataError: The file was changed or removed since its digest was taken.
    """
    try:
        content = read_content(source.path, max_pixels=preprocessing.max_pixels)
        if content.digest != source.digest:
            raise ImageError("its bytes changed", code="corrupt", path=str(source.path))
        return preprocessing.apply(content, view=view)
    except (OSError, ImageError) as error:
        reason = error.message if isinstance(error, ImageError) else error.strerror or str(error)
        raise DataError(
            f"{printable(str(source.path))} was fine when the data was scanned, "
            f"but now cannot be used: {reason}.",
            next_step="Leave the data alone while Foveal reads it, then run the command again; "
            "what was computed is kept.",
        ) from error

"""Features that were computed elsewhere: the parts of ``foveal predict --shards --features``.

They are a source like the cache, keyed by the digest of each image's bytes. What they were made
with stands in the footer of each part and has to be what the training would compute with.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from foveal.errors import DataError
from foveal.text import printable

FEATURES_KEY: Final = b"foveal.features"
PART_PATTERN: Final = "part-*.parquet"
BACKEND: Final = "onnxruntime"
"""The backend that computes them, since a run's ``model.onnx`` does."""


@dataclass(frozen=True, slots=True)
class FeatureOrigin:
    """What features depend on beside the image: two equal ones give equal features.

    Attributes:
        architecture: Of the network.
        weights, preprocessing, decoders: SHA-256 of each.
        views: The views that are averaged, with commas.
    """

    architecture: str
    weights: str
    preprocessing: str
    decoders: str
    views: str

    def footer(self) -> bytes:
        """Returns what a part's footer says under ``FEATURES_KEY``."""
        return json.dumps(asdict(self), sort_keys=True).encode()


class FeatureParts:
    """The features [D] of a folder of parts.

    Raises:
        DataError: The folder holds no parts with features, or those of something else; the
            message names what differs.
    """

    def __init__(self, folder: Path, origin: FeatureOrigin, *, num_features: int) -> None:
        self._files = sorted(folder.glob(PART_PATTERN))
        self._num_features = num_features
        shown = printable(str(folder))
        if not self._files:
            raise DataError(
                f"{shown} holds no parts.",
                next_step="Make them with: foveal predict RUN SOURCE --shards FOLDER --features",
            )
        for file in self._files:
            differing = _differing(_footer(file), origin)
            if differing:
                raise DataError(
                    f"{shown}/{file.name} holds no features that fit. What differs: "
                    f"{', '.join(differing)}.",
                    next_step="Compute them with --features by a run of the same network, weights "
                    "and size, or leave --features out.",
                )

    def read(self, digests: Iterable[str]) -> Iterator[tuple[str, NDArray[np.float32]]]:
        """Yields digest and vector of each image that the parts hold, once."""
        from pyarrow import parquet

        wanted = set(digests)
        for file in self._files:
            if not wanted:
                return
            with parquet.ParquetFile(file) as part:
                for group in range(part.num_row_groups):
                    held = part.read_row_group(group, ["digest"]).column("digest").to_pylist()
                    rows = {name: row for row, name in enumerate(held) if name in wanted}
                    if not rows:
                        continue
                    column = part.read_row_group(group, ["features"]).column("features")
                    found = column.take(list(rows.values())).combine_chunks()
                    vectors = _dense(found, self._num_features)
                    for name, vector in zip(rows, vectors, strict=True):
                        if np.isfinite(vector).all():
                            yield name, vector
                    wanted -= rows.keys()


def _dense(column: Any, num_features: int) -> NDArray[np.float32]:
    values: NDArray[np.float32] = column.flatten().to_numpy(zero_copy_only=False)
    return values.astype(np.float32, copy=False).reshape(len(column), num_features)


def _footer(file: Path) -> Mapping[str, Any]:
    from pyarrow import ArrowException, parquet

    try:
        stored = (parquet.read_metadata(file).metadata or {}).get(FEATURES_KEY)
        content = {} if stored is None else json.loads(stored)
    except (ArrowException, ValueError, OSError):
        return {}
    return content if isinstance(content, dict) else {}


def _differing(footer: Mapping[str, Any], origin: FeatureOrigin) -> list[str]:
    if not footer:
        return ["it has no features"]
    words = {
        "architecture": "the network",
        "weights": "the weights",
        "preprocessing": "the preprocessing",
        "decoders": "versions of what decodes images",
        "views": "the views",
    }
    return [words[name] for name, value in asdict(origin).items() if footer.get(name) != value]

"""A run as the server has it: loaded once, verified, and replaced as a whole."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from foveal.images import Preprocessing
from foveal.runs.classifier import Classifier, Prediction, load
from foveal.runs.folder import (
    CONFIG_NAME,
    EVALUATION_NAME,
    NOVELTY_NAME,
    ONNX_NAME,
    PREPROCESSING_NAME,
)
from foveal.serving.heat_maps import MapSource, open_maps

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_DECIDING = (CONFIG_NAME, EVALUATION_NAME, NOVELTY_NAME, ONNX_NAME, PREPROCESSING_NAME)
_VERSION_LETTERS = 16


@dataclass(slots=True)
class _Kept:
    """What is opened once, when it is first asked for."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    maps: MapSource | None = None
    page: bytes | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ServedRun:
    """One version of one run.

    Attributes:
        name: Of the folder, printable.
        version: A digest of the files that decide an answer.
        classifier: The run.
        preprocessing: Of the run, with the server's limit of pixels where that is lower.
    """

    name: str
    version: str
    classifier: Classifier
    preprocessing: Preprocessing
    _kept: _Kept = field(default_factory=_Kept, repr=False)

    def classify(self, inputs: NDArray[np.float32]) -> list[Prediction]:
        """Answers for prepared images [n, 3, H, W]."""
        return self.classifier.classify(inputs)

    def explain(self, inputs: NDArray[np.float32]) -> list[tuple[Prediction, NDArray[np.float32]]]:
        """Answers for prepared images, each with its maps [K, h, w]."""
        maps = self.map_source().maps(inputs)
        return list(zip(self.classify(inputs), maps, strict=True))

    def offline_page(self) -> bytes:
        """Returns the page that answers in the browser; made once.

        Raises:
            RunAlteredError: The folder holds another version by now.
            FovealError: This installation lacks the browser's runtime.
        """
        from foveal.exporting.page import offline_page

        with self._kept.lock:
            if self._kept.page is None:
                self._kept.page, _ = offline_page(self.classifier)
            return self._kept.page

    def map_source(self) -> MapSource:
        """Returns what its maps come from; opened once.

        Raises:
            RunAlteredError: The folder holds another version by now.
        """
        with self._kept.lock:
            if self._kept.maps is None:
                self._kept.maps = open_maps(self.classifier)
            return self._kept.maps


def load_run(folder: Path, *, name: str, max_pixels: int) -> ServedRun:
    """Loads a run and checks its files.

    Raises:
        RunError: It is incomplete, altered or of another version.
    """
    classifier = load(folder)
    own = classifier.preprocessing
    return ServedRun(
        name=name,
        version=version_of(classifier.manifest),
        classifier=classifier,
        preprocessing=replace(own, max_pixels=min(own.max_pixels, max_pixels)),
    )


def version_of(manifest: Mapping[str, Any]) -> str:
    """Returns the first letters of the SHA-256 over the digests of the files that decide."""
    digests = "".join(str(manifest["files"][name]["sha256"]) for name in _DECIDING)
    return hashlib.sha256(digests.encode()).hexdigest()[:_VERSION_LETTERS]

"""Where a training takes its batches from: a bank of activations, or images on the fly."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from foveal.features import ImageSource, num_cores
from foveal.features.bank import Bank
from foveal.features.extract import load_image
from foveal.features.frozen_part import ViewPlan, view_of
from foveal.images import Preprocessing

_KEPT_BYTES = 1_000_000_000


class BatchSource(Protocol):
    """Gives what the trained part reads, for images and views."""

    @property
    def digests(self) -> Sequence[str]:
        """The digest of every image, [N]."""
        ...

    def views_of(self, rows: NDArray[np.int64], *, seed: int, epoch: int) -> NDArray[np.int64]:
        """Returns the view of each image in an epoch; a function of these numbers alone."""
        ...

    def batch(self, rows: NDArray[np.int64], views: NDArray[np.int64]) -> Tensor:
        """Returns [n, ...], float32; view 0 is the image itself."""
        ...


class BankSource:
    """Activations that a bank holds, K views an image.

    Args:
        bank: Filled with every view of every image.
        digests: Of the images, [N].
        num_views: K.
    """

    def __init__(self, bank: Bank, digests: Sequence[str], *, num_views: int) -> None:
        self.digests = tuple(digests)
        self._bank = bank
        self._num_views = num_views

    def views_of(self, rows: NDArray[np.int64], *, seed: int, epoch: int) -> NDArray[np.int64]:
        """Returns one of the K views, each once in K epochs, starting where its digest says."""
        starts = [_number(seed, self.digests[row]) for row in rows]
        return np.array([(start + epoch) % self._num_views for start in starts], np.int64)

    def batch(self, rows: NDArray[np.int64], views: NDArray[np.int64]) -> Tensor:
        """Returns [n, *shape]."""
        wanted = [(self.digests[row], int(view)) for row, view in zip(rows, views, strict=True)]
        return torch.from_numpy(self._bank.take(wanted).astype(np.float32))


class FileSource:
    """Images themselves, changed anew in every epoch.

    Prepared images are kept in memory in half precision as far as a gigabyte goes.

    Args:
        sources: The images.
        preprocessing: How they enter the network.
        views: The policy and its seed; the number of views does not count.
    """

    def __init__(
        self, sources: Sequence[ImageSource], preprocessing: Preprocessing, views: ViewPlan
    ) -> None:
        self.digests = tuple(source.digest for source in sources)
        self._sources = sources
        self._preprocessing = preprocessing
        self._views = views
        self._kept: dict[int, NDArray[np.float16]] = {}
        self._pool = ThreadPoolExecutor(max(2, num_cores()), thread_name_prefix="foveal-images")

    def views_of(self, rows: NDArray[np.int64], *, seed: int, epoch: int) -> NDArray[np.int64]:
        """Returns a new view in every epoch; under a policy that changes no image, always that."""
        return np.full(len(rows), epoch + 1 if self._views.policy.has_views else 0, np.int64)

    def batch(self, rows: NDArray[np.int64], views: NDArray[np.int64]) -> Tensor:
        """Returns [n, 3, H, W]."""
        loaded = list(self._pool.map(self._load, rows.tolist(), views.tolist()))
        return torch.from_numpy(np.stack(loaded))

    def close(self) -> None:
        """Ends the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _load(self, row: int, view: int) -> NDArray[np.float32]:
        source = self._sources[row]
        half = self._kept.get(row)
        if half is None:
            # Rounded also where it is not kept, so that memory does not change the numbers.
            half = load_image(source, self._preprocessing).astype(np.float16)
            if (len(self._kept) + 1) * half.nbytes <= _KEPT_BYTES:
                self._kept[row] = half
        plain = half.astype(np.float32)
        return view_of(plain, source, self._preprocessing, self._views, view)


def _number(seed: int, digest: str) -> int:
    text = f"{seed}\0{digest}".encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:4])

"""Images decoded and resized by processes that may be killed, a fixed number at once."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from time import monotonic, perf_counter, sleep
from typing import Final

import numpy as np
from numpy.typing import NDArray

from foveal.errors import ImageError
from foveal.images import Preprocessing
from foveal.images.guarded import give_back, take_worker
from foveal.images.preparing import TooLateError, WorkerLostError, prepare_guarded
from foveal.serving.metrics import Metrics
from foveal.serving.problems import RefusedError, busy, of_image, too_late

_MAX_LOST: Final = 3
_LEAST_SECONDS: Final = 0.05
_BEFORE_NEXT_SECONDS: Final = 0.05


class Preparer:
    """Threads that each wait for one process."""

    def __init__(self, num_workers: int, metrics: Metrics) -> None:
        self._metrics = metrics
        self._pool = ThreadPoolExecutor(num_workers, thread_name_prefix="foveal-decode")
        self._num_workers = num_workers

    def start(self) -> None:
        """Starts the processes, all at once; returns when they are ready."""
        barrier = threading.Barrier(self._num_workers)

        def begin() -> None:
            worker = take_worker()
            barrier.wait(timeout=60)  # or one thread would take the process of another
            if worker is not None:
                give_back(worker)

        for begun in [self._pool.submit(begin) for _ in range(self._num_workers)]:
            begun.result()

    async def prepare(
        self, data: bytes, preprocessing: Preprocessing, *, deadline: float
    ) -> NDArray[np.float32]:
        """Returns the network's input [3, H, W].

        Args:
            data: The file.
            preprocessing: How it becomes the input.
            deadline: By ``time.monotonic``.

        Raises:
            RefusedError: The image cannot be used, or not in time.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._prepare, data, preprocessing, deadline)

    def close(self) -> None:
        """Ends the threads; what they have not begun never will."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _prepare(
        self, data: bytes, preprocessing: Preprocessing, deadline: float
    ) -> NDArray[np.float32]:
        began, num_lost, num_not_begun = perf_counter(), 0, 0
        while num_lost < _MAX_LOST:
            left = deadline - monotonic()
            if left < _LEAST_SECONDS and num_not_begun:
                raise busy("No process to decode in could be started.", code="no_worker")
            if left < _LEAST_SECONDS:
                raise too_late("The image waited longer for a free worker than is allowed.")
            try:
                return prepare_guarded(data, preprocessing, seconds=left)
            except WorkerLostError as lost:
                self._metrics.count("foveal_workers_lost_total")
                num_lost += lost.was_at_work
                num_not_begun += not lost.was_at_work
                sleep(_BEFORE_NEXT_SECONDS)
            except TooLateError:
                raise too_late("Decoding the image took longer than is allowed.") from None
            except ImageError as error:
                raise of_image(error) from None
            finally:
                self._metrics.observe("foveal_decode_seconds", perf_counter() - began)
        raise _lost()


def _lost() -> RefusedError:
    return busy(
        f"The process that decoded the image was ended from outside {_MAX_LOST} times.",
        code="worker_lost",
    )

"""Runs networks on prepared images: whoever waits together is answered together.

A thread that is free takes what waits for one run, up to eight images, and nobody waits for a
batch to fill. An answer does not depend on the batch (tests/serving/test_answers.py).
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from foveal.features.stream import BATCH_SIZE
from foveal.serving.metrics import COUNTS, Metrics

if TYPE_CHECKING:
    from foveal.serving.served_run import ServedRun


@dataclass(slots=True)
class _Waiting:
    run: ServedRun
    task: str
    inputs: NDArray[np.float32]
    future: asyncio.Future[Any]


class Runner:
    """Threads that run networks, one call each."""

    def __init__(self, num_threads: int, metrics: Metrics) -> None:
        self._metrics = metrics
        self._waiting: deque[_Waiting] = deque()
        self._condition = threading.Condition()
        self._is_closed = False
        self._threads = [
            threading.Thread(target=self._work, name=f"foveal-network-{number}", daemon=True)
            for number in range(num_threads)
        ]
        for thread in self._threads:
            thread.start()

    async def ask(self, run: ServedRun, task: str, inputs: NDArray[np.float32]) -> Any:
        """Returns what the method ``task`` of a run gives for one image [3, H, W]."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        with self._condition:
            self._waiting.append(_Waiting(run, task, inputs, future))
            self._condition.notify()
        return await future

    @property
    def num_waiting(self) -> int:
        """Images that wait for a thread."""
        return len(self._waiting)

    def close(self) -> None:
        """Ends the threads after what they do."""
        with self._condition:
            self._is_closed = True
            self._condition.notify_all()
        for thread in self._threads:
            thread.join(timeout=5)

    def _work(self) -> None:
        while (batch := self._take()) is not None:
            began = perf_counter()
            run, task = batch[0].run, batch[0].task
            results: list[Any] | Exception
            try:
                results = getattr(run, task)(np.stack([one.inputs for one in batch]))
            except Exception as error:  # whoever asked is told; the thread goes on
                results = error
            self._metrics.observe("foveal_network_seconds", perf_counter() - began)
            self._metrics.observe("foveal_batch_images", len(batch), ends=COUNTS)
            batch[0].future.get_loop().call_soon_threadsafe(_settle, batch, results)

    def _take(self) -> list[_Waiting] | None:
        with self._condition:
            while not self._waiting:
                if self._is_closed:
                    return None
                self._condition.wait()
            first = self._waiting.popleft()
            batch, others = [first], deque[_Waiting]()
            while self._waiting:
                one = self._waiting.popleft()
                is_same = one.run is first.run and one.task == first.task
                if one.future.cancelled():
                    continue
                (batch if is_same and len(batch) < BATCH_SIZE else others).append(one)
            self._waiting = others
            return batch


def _settle(batch: list[_Waiting], results: list[Any] | Exception) -> None:
    for position, one in enumerate(batch):
        if one.future.done():
            continue  # nobody waits any more
        if isinstance(results, Exception):
            one.future.set_exception(results)
        else:
            one.future.set_result(results[position])

"""Items through a loader and a network in batches, on all cores, in order, in bounded memory."""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from foveal.errors import ImageError

BATCH_SIZE = 8  # large enough for full speed, small enough that activations stay in cache

Item = TypeVar("Item")
Result = TypeVar("Result")


def stream_batches(
    items: Iterable[Item],
    load: Callable[[Item], NDArray[np.float32] | ImageError],
    run: Callable[[NDArray[np.float32]], Sequence[Result]],
    *,
    num_concurrent: int,
    num_workers: int,
) -> Generator[tuple[Sequence[Item], list[Result | ImageError]]]:
    """Yields each batch of items with one result, or the error it was loaded with, an item.

    A worker takes a whole batch: while one loads, another runs the network, so that all
    cores stay busy. At most ``num_workers + 1`` batches are in memory.

    Args:
        items: What to work on; taken a batch at a time, in the caller's thread.
        load: Gives the network's input [3, H, W] for an item, or returns why there is none.
            What it raises ends the stream.
        run: Maps inputs [n, 3, H, W] to n results; called from several threads.
        num_concurrent: Calls of ``run`` that may be in progress at once.
        num_workers: Threads.
    """
    running = threading.Semaphore(num_concurrent)

    def work(batch: Sequence[Item]) -> list[Any]:
        outcomes: list[Any] = [load(item) for item in batch]
        good = [row for row, loaded in enumerate(outcomes) if isinstance(loaded, np.ndarray)]
        if good:
            inputs = np.stack([outcomes[row] for row in good])
            with running:
                results = run(inputs)
            for row, result in zip(good, results, strict=True):
                outcomes[row] = result
        return outcomes

    in_flight: deque[tuple[Sequence[Item], Future[list[Any]]]] = deque()
    pool = ThreadPoolExecutor(num_workers, thread_name_prefix="foveal-stream")
    try:
        waiting = iter(items)
        while batch := tuple(itertools.islice(waiting, BATCH_SIZE)):
            in_flight.append((batch, pool.submit(work, batch)))
            if len(in_flight) > num_workers:
                done, future = in_flight.popleft()
                yield done, future.result()
        while in_flight:
            done, future = in_flight.popleft()
            yield done, future.result()
    finally:
        # Also after Ctrl-C: what has not begun never will.
        pool.shutdown(wait=True, cancel_futures=True)

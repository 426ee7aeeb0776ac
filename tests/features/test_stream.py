"""Batches come in order, loaded and run side by side, and never too many at once."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from foveal.errors import ImageError
from foveal.features.stream import BATCH_SIZE, stream_batches

Image = NDArray[np.float32]


def picture(number: int) -> Image:
    return np.full((3, 2, 2), number, np.float32)


def double(images: Image) -> list[float]:
    return [float(image[0, 0, 0]) * 2 for image in images]


@settings(deadline=None, max_examples=40)
@given(
    num_items=st.integers(0, 4 * BATCH_SIZE + 3),
    num_workers=st.integers(1, 4),
    num_concurrent=st.integers(1, 4),
)
def test_every_item_gets_its_own_result_in_order(
    num_items: int, num_workers: int, num_concurrent: int
) -> None:
    batches = stream_batches(
        range(num_items), picture, double, num_concurrent=num_concurrent, num_workers=num_workers
    )
    pairs = [pair for items, results in batches for pair in zip(items, results, strict=True)]
    assert pairs == [(number, 2.0 * number) for number in range(num_items)]


def test_item_that_cannot_be_loaded_keeps_its_place() -> None:
    def load(number: int) -> Image | ImageError:
        return ImageError("bad", code="corrupt") if number % 3 == 0 else picture(number)

    ((_, results),) = stream_batches(range(5), load, double, num_concurrent=1, num_workers=2)
    kinds = [result if isinstance(result, float) else result.code for result in results]
    assert kinds == ["corrupt", 2.0, 4.0, "corrupt", 8.0]


def test_batch_of_bad_items_alone_never_reaches_the_network() -> None:
    def run(images: Image) -> list[float]:
        raise AssertionError("nothing to run")

    ((_, results),) = stream_batches(
        range(3),
        lambda _: ImageError("bad", code="corrupt"),
        run,
        num_concurrent=1,
        num_workers=1,
    )
    assert all(isinstance(result, ImageError) for result in results)


@pytest.mark.parametrize("num_workers", [1, 2, 4])
def test_batches_in_memory_are_bounded(num_workers: int) -> None:
    lock = threading.Lock()
    num_loaded = num_taken = most_ahead = 0

    def load(number: int) -> Image:
        nonlocal num_loaded, most_ahead
        with lock:
            num_loaded += 1
            most_ahead = max(most_ahead, num_loaded - num_taken)
        return picture(number)

    batches = stream_batches(
        range(40 * BATCH_SIZE), load, double, num_concurrent=2, num_workers=num_workers
    )
    for items, _ in batches:
        with lock:
            num_taken += len(items)
    assert most_ahead <= (num_workers + 2) * BATCH_SIZE


def test_network_runs_no_more_often_at_once_than_allowed() -> None:
    lock = threading.Lock()
    running = most = 0

    def run(images: Image) -> list[float]:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        threading.Event().wait(0.005)
        with lock:
            running -= 1
        return double(images)

    list(stream_batches(range(20 * BATCH_SIZE), picture, run, num_concurrent=2, num_workers=4))
    assert most == 2


def failing(at: int) -> Callable[[int], Image]:
    def load(number: int) -> Image:
        if number == at:
            raise RuntimeError(f"item {number}")
        return picture(number)

    return load


def test_what_the_loader_raises_ends_the_stream_after_the_batches_before() -> None:
    batches = stream_batches(range(100), failing(20), double, num_concurrent=1, num_workers=2)
    seen = [number for items, _ in itertools.islice(batches, 2) for number in items]
    assert seen == list(range(2 * BATCH_SIZE))
    with pytest.raises(RuntimeError, match="item 20"):
        next(batches)
    assert not _stream_threads()


def test_closing_stops_the_threads() -> None:
    batches = stream_batches(range(1000), picture, double, num_concurrent=1, num_workers=3)
    next(batches)
    assert _stream_threads()
    batches.close()
    assert not _stream_threads()


def _stream_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("foveal-stream")]

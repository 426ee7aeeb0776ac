"""Measured times as ratios: both sides take turns, since machines are shared and drift."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn


def take_turns(works: Sequence[Callable[[], object]], *, num_turns: int) -> list[list[float]]:
    """Returns the seconds of every work in every turn, [works][turns], after a warm-up."""
    for work in works:
        work()
    seconds: list[list[float]] = [[] for _ in works]
    for _ in range(num_turns):
        for position, work in enumerate(works):
            start = time.perf_counter()
            work()
            seconds[position].append(time.perf_counter() - start)
    return seconds


def forward(network: nn.Module, images: Tensor) -> Callable[[], Tensor]:
    """Returns a function that runs the network once, without gradients."""
    network.eval()

    def work() -> Tensor:
        with torch.inference_mode():
            result: Tensor = network(images)
        return result

    return work

"""Activation maximisation: seconds a picture at 128 px, one at a time and in a batch.

    python benchmarks/maximise_time.py

The last feature map and a class of EfficientNet-Lite0 (the installed weights) and ResNet-18
(random weights: the time does not depend on them). Single and batched runs take turns; the
table has the better of two rounds, with CPU seconds of all threads beside the wall clock's,
and what ``estimate_seconds`` told before the batch.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.measuring import print_table

if TYPE_CHECKING:
    import torch

    from foveal.visualisation import Objective

NUM_PICTURES = 8
_NUM_ROUNDS = 2


@dataclass(frozen=True, slots=True)
class Run:
    """What some pictures took, for each of them."""

    seconds: float
    cpu_seconds: float


def networks() -> dict[str, tuple[torch.nn.Module, str]]:
    """Returns each network with the name of its last feature map."""
    from foveal.models import load_backbone
    from foveal.models.sources import open_network

    resnet = open_network("torchvision:resnet18", weights="random").module
    return {
        "EfficientNet-Lite0": (load_backbone().network, "bn2.act"),
        "ResNet-18": (resnet, "layer4"),
    }


def measure(model: torch.nn.Module, objectives: list[Objective]) -> Run:
    """Makes one picture for each objective, all in one batch."""
    from foveal.visualisation import maximise_each

    start, start_cpu = time.perf_counter(), time.process_time()
    maximise_each(model, objectives)
    seconds, cpu = time.perf_counter() - start, time.process_time() - start_cpu
    return Run(seconds / len(objectives), cpu / len(objectives))


def main() -> None:
    from foveal.visualisation import ClassLogit, estimate_seconds, every_channel

    rows = []
    for name, (model, layer) in networks().items():
        many = list(every_channel(layer, range(NUM_PICTURES)))
        cases: dict[str, list[Objective]] = {
            "a channel": many[:1],
            "a class": [ClassLogit(0)],
            f"{NUM_PICTURES} channels": list(many),
        }
        told = {case: estimate_seconds(model, wanted) for case, wanted in cases.items()}
        best: dict[str, Run] = {}
        for _ in range(_NUM_ROUNDS):
            for case, wanted in cases.items():
                run = measure(model, wanted)
                if case not in best or run.seconds < best[case].seconds:
                    best[case] = run
        single = best["a channel"].seconds
        rows += [
            [
                f"{name}, {case}",
                f"{run.seconds:.1f}",
                f"{run.cpu_seconds:.1f}",
                f"{single / run.seconds:.1f}",
                f"{told[case] / len(cases[case]):.1f}",
            ]
            for case, run in best.items()
        ]
    print_table(
        ["128 px, 64 steps", "s a picture", "CPU s a picture", "times one channel", "told before"],
        rows,
    )


if __name__ == "__main__":
    main()

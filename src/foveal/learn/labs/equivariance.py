"""A shifted image, and what moves with it: the maps of a network, and its answer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from foveal.inspection import inspect, measure_equivariance
from foveal.inspection.equivariance import Borders
from foveal.learn.labs.lab import (
    Chart,
    Lab,
    LabResult,
    Point,
    Series,
    Settings,
    find,
    mean_interval,
    spoken,
)

_SIDE_PX = 64


def run(settings: Settings) -> LabResult:
    """Measures how far a map is from having moved with the image, shift by shift."""
    shifts = (1, 2) if settings.is_small else (1, 2, 3, 4)
    num_images = 2 if settings.is_small else 8
    errors: dict[tuple[str, int], list[float]] = {}
    networks = ("stride 1", "stride 4") if settings.model is None else (settings.model_name,)
    for done, seed in enumerate(settings.seeds):
        images = _images(num_images, seed)
        for name in networks:
            network = settings.model if settings.model is not None else _network(name, seed)
            table = inspect(network, images.shape[1:])
            # A deep network sees beyond the image from every unit, so all units count.
            borders: Borders = "exclude" if settings.model is None else "keep"
            measured = measure_equivariance(
                network, table, images, shifts_px=shifts, borders=borders
            )
            for one in measured.shifts:
                errors.setdefault((name, one.shift_px), []).append(one.error)
        settings.progress(done + 1, settings.num_seeds)
    shown = {key: mean_interval(values) for key, values in errors.items()}
    first, last = networks[0], networks[-1]
    if settings.model is None:
        gain = mean_interval(_differences(errors[last, 1], errors[first, 1]))
        finding = find(gain)
        sentence = (
            f"When the image moves by one pixel, the map of the network with stride 1 is "
            f"{spoken(shown[first, 1])} away from having moved with it; with stride 4 it is "
            f"{spoken(shown[last, 1])}. A shift of 4 pixels, which the stride divides, is "
            "followed again."
        )
    else:
        finding = "shown" if (shown[first, 1].low or 0.0) > 1e-3 else "not shown"
        sentence = (
            f"When the image moves by one pixel, the last map of {first} is "
            f"{spoken(shown[first, 1])} away from having moved with it."
        )
    return LabResult(
        header=("shift", *networks),
        rows=tuple(
            (f"{shift} px", *(spoken(shown[name, shift]) for name in networks)) for shift in shifts
        ),
        chart=Chart(
            title="How far a map is from having moved with the image",
            x_label="shift in pixels",
            y_label="difference, as a share of the map",
            series=tuple(
                Series(name, tuple(Point(float(shift), shown[name, shift]) for shift in shifts))
                for name in networks
            ),
        ),
        finding=finding,
        sentence=sentence,
        answer="stride" if finding == "shown" and settings.model is None else "",
        notes=("Units that see beyond the image are left out, so padding plays no part.",)
        if settings.model is None
        else ("Units at the border are compared too, so padding plays a part.",),
    )


def _differences(first: Sequence[float], second: Sequence[float]) -> list[float]:
    return [a - b for a, b in zip(first, second, strict=True)]


def _network(name: str, seed: int) -> nn.Module:
    stride = 1 if name == "stride 1" else 2
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(3, 16, 3, stride=stride), nn.ReLU(), nn.Conv2d(16, 16, 3, stride=stride)
        )


def _images(num_images: int, seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    random = np.random.default_rng(seed)
    return random.normal(size=(num_images, 3, _SIDE_PX, _SIDE_PX)).astype(np.float32)


LAB = Lab(
    name="equivariance",
    title="Equivariance: what moves with the image",
    topics=(1, 3),
    question="An image moves by one pixel. Does the map of a convolutional network move with it?",
    choices=(
        ("always", "Yes, always: convolution is equivariant"),
        ("stride", "With stride 1 yes; with a stride of 4 only for shifts that 4 divides"),
        ("never", "No: the map stays where it is"),
    ),
    explanation="The same filter runs over every position, so what a convolution finds moves with "
    "the image: it is equivariant. A stride looks only at every fourth position. A shift of one "
    "pixel then shows it other positions than before, and its map changes in ways that no shift "
    "explains (Zhang 2019). Invariance is something else: the answer stays the same. Pooling gives "
    "some.",
    run=run,
    seconds=10,
    takes_model=True,
)

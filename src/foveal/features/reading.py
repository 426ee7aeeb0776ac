"""Which results of a frozen network are read."""

from __future__ import annotations

from dataclasses import dataclass

from foveal.images import View


@dataclass(frozen=True, slots=True)
class Reading:
    """What is read of a frozen network for one image: by default, what its classifier would see.

    It is a key: two equal readings give equal numbers.

    Attributes:
        views: The image is shown in each, and what was read is averaged.
        stages: Modules whose results, averaged over positions, stand before the features.
        widths: Lengths of these vectors and of the features; empty where it is one vector.
        cut: The position in the network whose tensor is read; ``""`` for the vector that the
            classifier would see, ``"input"`` for the prepared image itself.
        cut_shape: Of the tensor there, without a batch.
    """

    views: tuple[View, ...] = ("identity",)
    stages: tuple[str, ...] = ()
    widths: tuple[int, ...] = ()
    cut: str = ""
    cut_shape: tuple[int, ...] = ()


INPUT = "input"
"""Stands for a cut before the first layer."""

POOLED = Reading()
"""The image as it stands, and the vector that the network's classifier would see."""

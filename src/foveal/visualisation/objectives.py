"""What a picture can be made to excite: a channel, a direction in a layer, a class."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from foveal.errors import UsageError

Where = Literal["mean", "centre"]
Sign = Literal["most", "least"]


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel of one layer.

    Attributes:
        layer: An operation of the graph, or a module: then its last operation.
        channel: Which channel, from 0.
        where: ``"mean"`` over all positions, which gives a texture; ``"centre"`` is the one
            unit in the middle, which gives one example of the feature.
        sign: ``"most"`` or ``"least"`` activation.
    """

    layer: str
    channel: int
    where: Where = "mean"
    sign: Sign = "most"

    @property
    def description(self) -> str:
        """What is sought, in words."""
        return f"{self.sign} {_wording_of(self.where)} of channel {self.channel} of {self.layer}"


@dataclass(frozen=True, slots=True)
class ClassLogit:
    """One output of a classifier, before any softmax.

    Attributes:
        class_index: Which class, from 0.
        class_name: What it is called; for captions alone.
        sign: ``"most"`` or ``"least"``.
    """

    class_index: int
    class_name: str | None = None
    sign: Sign = "most"

    @property
    def description(self) -> str:
        """What is sought, in words."""
        name = f"class {self.class_index}" if self.class_name is None else self.class_name
        return f"{self.sign} logit of {name}"


@dataclass(frozen=True, slots=True)
class Direction:
    """A weighted sum of a layer's channels.

    Attributes:
        layer: As in :class:`Channel`.
        weights: One a channel; scaled to a length of 1 before use. Least activation along
            a direction is the most along its opposite.
        where: As in :class:`Channel`.
        name: What it is called; for captions alone.
    """

    layer: str
    weights: tuple[float, ...]
    where: Where = "mean"
    name: str | None = None

    def __post_init__(self) -> None:
        """Takes any sequence of numbers, and refuses one without direction."""
        weights = tuple(float(weight) for weight in self.weights)
        object.__setattr__(self, "weights", weights)
        if not all(map(math.isfinite, weights)) or not any(weights):
            raise UsageError(
                f"got a direction of {len(weights)} weights that are all zero or not all finite.",
                next_step="Give one finite weight a channel, at least one of them not zero.",
            )

    @property
    def description(self) -> str:
        """What is sought, in words."""
        name = "a direction" if self.name is None else self.name
        return f"most {_wording_of(self.where)} along {name} in {self.layer}"


Objective = Channel | ClassLogit | Direction


def every_channel(
    layer: str, channels: Sequence[int], *, where: Where = "mean"
) -> tuple[Channel, ...]:
    """Returns an objective for each of these channels of one layer.

    >>> [objective.channel for objective in every_channel("layer1", range(2))]
    [0, 1]
    """
    return tuple(Channel(layer, channel, where) for channel in channels)


def _wording_of(where: Where) -> str:
    return {"mean": "mean activation", "centre": "activation in the centre"}[where]

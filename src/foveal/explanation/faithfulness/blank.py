"""Why a map is blank."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from foveal.errors import FovealError
from foveal.explanation.heat_map import Check, HeatMap
from foveal.graph import head, trace


@dataclass(frozen=True, slots=True)
class Blank:
    """The reason for a blank map.

    Attributes:
        reason: As a sentence.
        is_fault: Whether something is broken, rather than nothing speaking for the class.
    """

    reason: str
    is_fault: bool

    def as_check(self) -> Check:
        """Returns it as a failed check."""
        return Check("blank", "failed", 0.0, None, self.reason)


def explain_blank(model: nn.Module, heat_map: HeatMap, *, image_channels: int) -> Blank | None:
    """Returns why the map shows nothing; None where it shows something.

    Args:
        model: In evaluation mode.
        heat_map: The map.
        image_channels: C of the picture.
    """
    finite = np.isfinite(heat_map.values).all()
    if heat_map.signed is not None:
        finite = finite and np.isfinite(heat_map.signed).all()
    if not finite or not np.isfinite(heat_map.logit):
        return Blank(
            "The map holds values that are not finite numbers: the network overflows on this "
            "picture, or a weight is not finite.",
            is_fault=True,
        )
    if not heat_map.is_blank:
        return None
    signed = heat_map.signed
    if signed is not None and bool((signed < 0).any()):
        return Blank(
            "Every place that counts speaks against the class and none for it, so nothing is "
            "left once negative values are cut off.",
            is_fault=False,
        )
    if heat_map.method == "occlusion":
        return Blank("Covering any place leaves the score exactly as it is.", is_fault=True)
    if heat_map.method == "input-gradients":
        return Blank(
            "The score does not change with any pixel: its gradient is zero everywhere.",
            is_fault=True,
        )
    if _has_zero_weights(model, heat_map, image_channels):
        return Blank(
            f"The last layer's weights for class {heat_map.class_index} are all zero, so "
            "nothing in any picture counts for it.",
            is_fault=True,
        )
    return Blank(
        f"What {heat_map.layer!r} passes on for this class is zero at every place: its "
        "features are dead on this picture, or no gradient reaches them.",
        is_fault=True,
    )


def _has_zero_weights(model: nn.Module, heat_map: HeatMap, image_channels: int) -> bool:
    try:
        graph = trace(model, (image_channels, *heat_map.image_size_px))
        layers = head(graph).linear_layers
        names = graph.op(layers[-1]).parameters if layers else ()
    except FovealError:
        return False
    stored = dict(model.named_parameters())
    weights = [stored[name] for name in names if name in stored and stored[name].ndim > 1]
    if len(weights) != 1 or heat_map.class_index >= max(2, len(weights[0])):
        return False
    row = heat_map.class_index if len(weights[0]) > 1 else 0  # "no" and "yes" share one
    return not bool(torch.count_nonzero(weights[0][row]))

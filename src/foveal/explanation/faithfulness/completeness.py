"""Completeness: does the map add up to the logit that it explains? Why is a blank map blank?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from foveal.errors import FovealError
from foveal.explanation.heat_map import Check, HeatMap
from foveal.graph import head, trace

# Another batch size or memory order sums in another order: about 1e-6 of the largest term in
# single precision. Half precisions round the pooled features, the products and the logit.
_LEAST_TOLERANCE = 1e-4
_ROUNDINGS = 8


def tolerance_of(dtype: torch.dtype) -> float:
    """Returns the error that rounding explains, as a share of the largest term.

    >>> tolerance_of(torch.float32), tolerance_of(torch.bfloat16)
    (0.0001, 0.0625)
    """
    return max(_LEAST_TOLERANCE, _ROUNDINGS * torch.finfo(dtype).eps)


def check_completeness(heat_map: HeatMap, logit: float, dtype: torch.dtype) -> Check:
    """Compares mean(signed) + bias with the logit (Zhou et al. 2016, equations 1 and 2).

    A class activation map splits the logit of a pooled-linear head without remainder:
    anything else is a map of another layer, another class, another image or other weights.

    Args:
        heat_map: The map.
        logit: What the network answers now.
        dtype: Of its weights.

    Returns:
        With ``value`` the sum and ``reference`` the logit; unavailable for methods whose
        map is not such a split.
    """
    if heat_map.signed is None or heat_map.bias is None:
        reason = f"This map by {heat_map.method} is not built to add up to the logit."
        return Check("completeness", "unavailable", None, None, reason)
    signed = heat_map.signed.astype(np.float64)
    total = float(signed.mean()) + heat_map.bias
    scale = max(abs(logit), abs(heat_map.bias), float(np.abs(signed).mean()))
    off = abs(total - logit)
    facts = f"The map's mean and the bias add up to {total:.4g}; the network answers {logit:.4g}"
    if off <= tolerance_of(dtype) * scale:
        return Check("completeness", "passed", total, logit, f"{facts}. The map is whole.")
    sentence = f"{facts}: off by {off:.2g}, more than rounding explains."
    return Check("completeness", "failed", total, logit, sentence)


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
        image_channels: C of the image.
    """
    finite = np.isfinite(heat_map.values).all()
    if heat_map.signed is not None:
        finite = finite and np.isfinite(heat_map.signed).all()
    if not finite or not np.isfinite(heat_map.logit):
        return Blank(
            "The map holds values that are not finite numbers: the network overflows on this "
            "image, or a weight is not finite.",
            is_fault=True,
        )
    if not heat_map.is_blank:
        return None
    signed = heat_map.signed
    if signed is not None and bool((signed < 0).any()):
        return Blank(
            "Every area that counts speaks against the class and none for it, so nothing is "
            "left once negative values are cut off.",
            is_fault=False,
        )
    if heat_map.method == "occlusion":
        return Blank("Covering any area leaves the score exactly as it is.", is_fault=True)
    if heat_map.method == "input-gradients":
        return Blank(
            "The score does not change with any pixel: its gradient is zero everywhere.",
            is_fault=True,
        )
    if _has_zero_weights(model, heat_map, image_channels):
        return Blank(
            f"The last layer's weights for class {heat_map.class_index} are all zero, so "
            "nothing in any image counts for it.",
            is_fault=True,
        )
    return Blank(
        f"What {heat_map.layer!r} passes on for this class is zero at every area: its "
        "features are dead on this image, or no gradient reaches them.",
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

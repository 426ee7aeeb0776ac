"""Does the map add up to the answer it explains?"""

from __future__ import annotations

import numpy as np
import torch

from foveal.explanation.heat_map import Check, HeatMap

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
    anything else is a map of another layer, another class, another picture or other weights.

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

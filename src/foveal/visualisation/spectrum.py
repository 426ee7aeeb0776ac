"""Pictures as sums of waves, with amplitudes as natural pictures have them.

Gradient ascent on pixels ends in noise of the highest frequencies. In photographs amplitude
falls as one over frequency (Field 1987), so each wave is scaled by that, and a step of the
same size then moves coarse structure more than fine (Olah et al. 2017). A field is real,
``[..., H, W]``; its coefficients are ``[..., H, W // 2 + 1, 2]``, real and imaginary parts.
"""

from __future__ import annotations

import torch
from torch import Tensor


def frequencies(height_px: int, width_px: int) -> Tensor:
    """Returns the distance of every wave from the constant one, in cycles per pixel.

    Shape ``[H, W // 2 + 1]``, in the order of ``torch.fft.rfft2``.
    """
    rows = torch.fft.fftfreq(height_px, dtype=torch.float64)[:, None]
    columns = torch.fft.rfftfreq(width_px, dtype=torch.float64)[None]
    return torch.hypot(rows, columns)


def amplitudes(height_px: int, width_px: int, *, decay: float = 1.0) -> Tensor:
    """Returns how strong each wave is: frequency to the power of ``-decay``.

    The constant counts as the lowest frequency. The scale is such that coefficients drawn
    from a standard normal distribution give fields of variance one, for any size.

    Returns:
        Float32 ``[H, W // 2 + 1]``.
    """
    frequency = frequencies(height_px, width_px)
    strength = frequency.clamp_min(1 / max(height_px, width_px)) ** -decay
    # A wave inside the half spectrum stands for itself and its mirror image, of power
    # E[re² + im²] = 2 each. Those at its edges are their own column's mirror images, and only
    # their symmetric part, of power 1, enters a real field.
    power = 4 * strength.square()
    power[:, 0] /= 4
    if width_px % 2 == 0:
        power[:, -1] /= 4
    variance = power.sum() / (height_px * width_px)
    scaled: Tensor = strength / variance.sqrt()
    return scaled.float()


def to_field(coefficients: Tensor, strength: Tensor, *, width_px: int) -> Tensor:
    """Returns the real field ``[..., H, W]`` of these coefficients.

    Args:
        coefficients: ``[..., H, W // 2 + 1, 2]``.
        strength: From :func:`amplitudes`.
        width_px: W, which the coefficients alone leave open by one.
    """
    waves = torch.view_as_complex(coefficients.contiguous()) * strength
    field: Tensor = torch.fft.irfft2(waves, s=(strength.shape[0], width_px), norm="ortho")
    return field

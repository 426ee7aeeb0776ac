"""The picture while it is sought: from waves of natural amplitude and colour to 0..1.

From there it becomes the numbers that a network expects.

Gradient ascent on pixels ends in noise of the highest frequencies. In photographs amplitude
falls as one over frequency (Field 1987), so each wave is scaled by that, and a step of the
same size then moves coarse structure more than fine (Olah et al. 2017, "Feature
Visualization", preconditioning). A field is real, ``[..., H, W]``; its coefficients are
``[..., H, W // 2 + 1, 2]``, real and imaginary parts.

In photographs red, green and blue rise and fall together as well, so a step in one of them alone is
unnatural. Ascent takes place along axes that are uncorrelated in photographs; a square root of the
covariance leads from there to RGB. The covariance is put together from published figures: the
principal components of RGB over ImageNet, which Krizhevsky et al. (2012, section 4.1) introduced
for augmentation and the ResNet recipe of Gross and Wilber (2016, fb.resnet.torch, "Lighting")
printed. Read as variances of values in 0..1 they give each channel a standard deviation of 0.28,
which is what others report for Tiny ImageNet; the axes are brightness, blue-yellow and
green-magenta, as Ruderman et al. (1998) found for natural scenes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from foveal.errors import UsageError
from foveal.visualisation.settings import Ascent

if TYPE_CHECKING:
    import torch

    from foveal.images import Preprocessing


def frequencies(height_px: int, width_px: int) -> Tensor:
    """Returns the distance of every wave from the constant one, in cycles per pixel.

    Shape ``[H, W // 2 + 1]``, in the order of ``torch.fft.rfft2``.
    """
    rows = torch.fft.fftfreq(height_px, dtype=torch.float64)[:, None]
    columns = torch.fft.rfftfreq(width_px, dtype=torch.float64)[None]
    return torch.hypot(rows, columns)


def amplitudes(height_px: int, width_px: int, *, decay: float = 1.0) -> Tensor:
    """Returns the amplitude of each wave: frequency to the power of ``-decay``.

    The constant counts as the lowest frequency. The scale is such that coefficients drawn
    from a standard normal distribution give fields of variance one, for any size.

    Returns:
        Float32 ``[H, W // 2 + 1]``.
    """
    frequency = frequencies(height_px, width_px)
    amplitude = frequency.clamp_min(1 / max(height_px, width_px)) ** -decay
    # A wave inside the half spectrum stands for itself and its mirror image, of power
    # E[re² + im²] = 2 each. Those at its edges are their own column's mirror images, and only
    # their symmetric part, of power 1, enters a real field.
    power = 4 * amplitude.square()
    power[:, 0] /= 4
    if width_px % 2 == 0:
        power[:, -1] /= 4
    variance = power.sum() / (height_px * width_px)
    scaled: Tensor = amplitude / variance.sqrt()
    return scaled.float()


def to_field(coefficients: Tensor, amplitude: Tensor, *, width_px: int) -> Tensor:
    """Returns the real field ``[..., H, W]`` of these coefficients.

    Args:
        coefficients: ``[..., H, W // 2 + 1, 2]``.
        amplitude: From :func:`amplitudes`.
        width_px: W, which the coefficients alone leave open by one.
    """
    waves = torch.view_as_complex(coefficients.contiguous()) * amplitude
    field: Tensor = torch.fft.irfft2(waves, s=(amplitude.shape[0], width_px), norm="ortho")
    return field


# One row an axis: red, green, blue. The sign of an axis has no meaning; brightness is up.
_AXES = np.array([[0.5675, 0.5808, 0.5836], [0.7192, -0.0045, -0.6948], [0.4009, -0.8140, 0.4203]])
_VARIANCES = np.array([0.2175, 0.0188, 0.0045])


def colour_covariance(num_channels: int = 3) -> NDArray[np.float64]:
    """Returns the covariance of a pixel's values in 0..1 over natural pictures, [C, C].

    One channel is taken to be the mean of the three. Of other numbers of channels nothing
    is known: they get that variance each, and no correlation.
    """
    covariance: NDArray[np.float64] = _AXES.T @ np.diag(_VARIANCES) @ _AXES
    if num_channels != 3:
        covariance = np.eye(num_channels) * float(covariance.mean())
    return covariance


def colour_root(num_channels: int = 3, *, decay: float = 1.0) -> NDArray[np.float64]:
    """Returns R [C, C] with R Rᵀ equal to :func:`colour_covariance`.

    Its columns are the principal axes, the strongest first, each as long as the standard
    deviation along it. With another ``decay`` than 1 the weaker ones are, relative to the
    first, as long as that power of the natural ratio.
    """
    variances, axes = np.linalg.eigh(colour_covariance(num_channels))
    order = np.argsort(-variances)
    spread = np.sqrt(variances[order])
    root: NDArray[np.float64] = axes[:, order] * spread[0] * (spread / spread[0]) ** decay
    # The sign of an eigenvector is left open; a fixed one keeps pictures the same anywhere.
    return root * np.where(root.sum(axis=0) < 0, -1.0, 1.0)


# The sigmoid rises by a quarter at its middle, so four times the natural covariance goes in
# for the natural covariance to come out where contrast is low.
_SLOPE = 4.0


class ImageParameters:
    """N pictures of one size, as free numbers that gradient ascent may change.

    All of them begin alike, so that one does not depend on how many others there are.
    """

    def __init__(
        self, num_pictures: int, num_channels: int, ascent: Ascent, random: torch.Generator
    ) -> None:
        self._ascent = ascent
        height, width = ascent.height_px, ascent.width_px
        self._amplitude = amplitudes(height, width, decay=ascent.decay)
        self._root = torch.from_numpy(colour_root(num_channels, decay=ascent.colour_decay)).float()
        shape = (1, num_channels, height, width // 2 + 1, 2)
        start = torch.randn(shape, generator=random) * ascent.contrast
        self.free = start.repeat(num_pictures, *(1 for _ in shape[1:]))

    def to(self, device: torch.device) -> ImageParameters:
        """Moves to another device, in place; drawn on the CPU, so the same on any."""
        self._amplitude, self._root = self._amplitude.to(device), self._root.to(device)
        self.free = self.free.to(device)
        return self

    def pictures(self) -> Tensor:
        """Returns the pictures, float32 [N, C, H, W] in 0..1."""
        field = to_field(self.free, self._amplitude, width_px=self._ascent.width_px)
        mixed = torch.einsum("rc,nchw->nrhw", self._root, field)
        return torch.sigmoid(_SLOPE * mixed)


@dataclass(frozen=True, slots=True)
class PixelScale:
    """``(x - mean) / std`` for each channel of a picture ``x`` in 0..1.

    Attributes:
        mean: One number a channel, or one for all.
        std: The same; above 0.
        origin: Where the numbers come from, as a phrase.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    origin: str = "as given"

    def __post_init__(self) -> None:
        """Takes any sequences; refuses what is no scale."""
        object.__setattr__(self, "mean", tuple(map(float, self.mean)))
        object.__setattr__(self, "std", tuple(map(float, self.std)))
        finite = all(map(math.isfinite, (*self.mean, *self.std)))
        if not self.mean or len(self.mean) != len(self.std) or not finite or min(self.std) <= 0:
            raise UsageError(
                f"got mean {self.mean} and std {self.std}, expected as many finite numbers in "
                "each, those of std above 0.",
                next_step="Give one number a channel, for values in 0..1.",
            )

    @classmethod
    def for_range(cls, low: float, high: float) -> PixelScale:
        """For a network that wants black as ``low`` and white as ``high``.

        >>> PixelScale.for_range(-1, 1).mean, PixelScale.for_range(-1, 1).std
        ((0.5,), (0.5,))
        """
        if not low < high:
            raise UsageError(f"got a range from {low} to {high}, expected the smaller first.")
        span = high - low
        return cls((-low / span,), (1 / span,), f"a range from {low:g} to {high:g}")

    @classmethod
    def of(cls, preprocessing: Preprocessing) -> PixelScale:
        """Takes mean and standard deviation of a run's or a network's preprocessing."""
        return cls(preprocessing.mean, preprocessing.std, "the preprocessing")

    def apply(self, pictures: torch.Tensor) -> torch.Tensor:
        """Returns what the network is given for ``pictures`` [N, C, H, W] in 0..1."""
        mean = pictures.new_tensor(self.mean).reshape(1, -1, 1, 1)
        std = pictures.new_tensor(self.std).reshape(1, -1, 1, 1)
        return (pictures - mean) / std


def scale_of(model: torch.nn.Module) -> PixelScale:
    """Returns the scale that the model itself names, as timm's networks do.

    Where it names none, 0 to 1 is taken, and ``origin`` says so.
    """
    config: Any = getattr(model, "pretrained_cfg", None)
    if isinstance(config, Mapping):
        mean, std = config.get("mean", ()), config.get("std", ())
        if _is_numbers(mean) and _is_numbers(std) and len(mean) == len(std):
            return PixelScale(mean, std, "the model's pretrained_cfg")
    return PixelScale((0.0,), (1.0,), "assumed: values in 0..1")


def _is_numbers(value: Any) -> bool:
    is_sequence = isinstance(value, Sequence) and len(value) > 0
    return is_sequence and all(isinstance(item, (int, float)) for item in value)

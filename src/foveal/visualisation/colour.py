"""Colours as natural pictures mix them: the covariance of RGB and a square root of it.

In photographs red, green and blue rise and fall together, so a step in one of them alone is
unnatural. Ascent takes place along axes that are uncorrelated in photographs (Olah et al.
2017, "Feature Visualization", preconditioning); a square root of the covariance leads from
there to RGB.

The covariance is put together from published figures: the principal components of RGB over
ImageNet, which Krizhevsky et al. (2012, section 4.1) introduced for augmentation and the
ResNet recipe of Gross and Wilber (2016, fb.resnet.torch, "Lighting") printed. Read as
variances of values in 0..1 they give each channel a standard deviation of 0.28, which is
what others report for Tiny ImageNet; the axes are brightness, blue-yellow and
green-magenta, as Ruderman et al. (1998) found for natural scenes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

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

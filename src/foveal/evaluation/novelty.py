"""Measures how far an image's features lie from those of the training images.

Features are modelled as a Gaussian whose leading directions are kept and whose remaining
directions share one variance (probabilistic principal components: Tipping & Bishop 1999,
J. R. Statist. Soc. B 61, 611-622). The score adds the Mahalanobis distance within the
leading directions (Lee et al. 2018, arXiv 1807.03888) and what is left outside them
(the residual of ViM: Wang et al. 2022, arXiv 2203.10807), each per dimension, so that
neither drowns the other. Features are scaled to length one first: on electroluminescence
cells (EfficientNet-Lite0) that told foreign, cropped, blurred, inverted and black images
from held-out cells better than raw features did, and as well as nearest neighbours by
cosine but for black images, at a hundredth of their storage.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from foveal.errors import DataError, UsageError
from foveal.evaluation.drift import NUM_PROJECTED, Half, sample_features
from foveal.evaluation.evidence import Novelty
from foveal.evaluation.inputs import Floats, as_rows, cross_fitting_folds

Features = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class NoveltyReference:
    """What the training features looked like: enough to score a new image.

    Attributes:
        mean: Mean feature of length one, shape [D].
        components: Orthonormal leading directions as columns, shape [D, Q].
        scales: Standard deviation along each, shape [Q].
        residual_scale: Root mean square length of what lies outside them.
        threshold: Scores above it are unlike the training images.
        sample: Projected features of one image a group, shape [M, 64], for tests of drift; runs of
            old have none.
    """

    mean: Features
    components: Features
    scales: Features
    residual_scale: float
    threshold: float
    sample: Half | None = None

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Returns the reference as named arrays, for storage."""
        sample: dict[str, NDArray[Any]] = {} if self.sample is None else {"sample": self.sample}
        return sample | {
            "mean": self.mean,
            "components": self.components,
            "scales": self.scales,
            "residual_scale": np.array([self.residual_scale], dtype=np.float64),
            "threshold": np.array([self.threshold], dtype=np.float64),
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[np.generic]]) -> NoveltyReference:
        """Returns the reference that :meth:`to_arrays` gave.

        Raises:
            DataError: An array is missing or has another shape.
        """
        expected = {"mean", "components", "scales", "residual_scale", "threshold"}
        if missing := sorted(expected - set(arrays)):
            raise DataError(
                f"The stored novelty reference lacks {', '.join(missing)}.",
                next_step="Train again, or restore the run folder.",
            )
        mean, components, scales = (
            np.ascontiguousarray(arrays[name], dtype=np.float32)
            for name in ("mean", "components", "scales")
        )
        if components.ndim != 2 or components.shape != (mean.size, scales.size):
            raise DataError(
                f"The stored novelty reference has components of shape {components.shape}; "
                f"expected ({mean.size}, {scales.size}).",
                next_step="Train again, or restore the run folder.",
            )
        return cls(
            sample=_read_sample(arrays),
            mean=mean.reshape(-1),
            components=components,
            scales=scales.reshape(-1),
            residual_scale=float(np.asarray(arrays["residual_scale"], np.float64).reshape(-1)[0]),
            threshold=float(np.asarray(arrays["threshold"], np.float64).reshape(-1)[0]),
        )


def _read_sample(arrays: dict[str, NDArray[np.generic]]) -> Half | None:
    if "sample" not in arrays:
        return None
    sample = np.ascontiguousarray(arrays["sample"], dtype=np.float16)
    if sample.ndim != 2 or sample.shape[1] != NUM_PROJECTED:
        raise DataError(
            f"The stored sample of features has shape {sample.shape}; expected "
            f"(M, {NUM_PROJECTED}).",
            next_step="Train again, or restore the run folder.",
        )
    return sample


def fit_novelty(
    features: ArrayLike,
    fold_index: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    max_components: int = 64,
    quantile: float = 0.99,
) -> tuple[NoveltyReference, Novelty]:
    """Returns a reference fitted on all features, and how it behaves on held-out ones.

    Each fold is scored by a reference fitted without it; the threshold is the ``quantile``
    of those scores. ``flagged_share`` judges each fold by the threshold of the others. A
    hold-out, one fold alone, is split in two halves by group.

    Args:
        features: One vector an image, shape [N, D].
        fold_index: Fold in which each image was held out, shape [N].
        groups: Which images belong together, shape [N]; each on its own by default.
        max_components: Most leading directions kept.
        quantile: Share of training images, held out, that must not be flagged.

    Raises:
        UsageError: Shapes disagree, or a value is not finite.
        DataError: Fewer than four images, or one group alone in one fold.
    """
    values = _checked(features)
    num_images = len(values)
    held_out_in = as_rows(fold_index, num_images=num_images, name="fold_index")
    members = (
        np.arange(num_images)
        if groups is None
        else as_rows(groups, num_images=num_images, name="groups")
    )
    if num_images < 4:
        raise DataError(
            f"Got {num_images} images, expected at least 4: fewer do not show what is unlike them.",
            next_step="Add images.",
        )
    folds = cross_fitting_folds(held_out_in, members)
    num_folds = int(folds.max()) + 1
    if num_folds == 1:
        raise DataError(
            f"All {num_images} images are one group; expected at least two groups to hold "
            "images out.",
            next_step="Give the images their true groups, or none.",
        )
    scores = np.empty(num_images)
    for fold in range(num_folds):
        held_out = folds == fold
        reference = _fit(values[~held_out], max_components, np.inf)
        scores[held_out] = score_novelty(reference, values[held_out])
    threshold = _quantile(scores, quantile)
    flagged = sum(
        int((scores[folds == fold] > _quantile(scores[folds != fold], quantile)).sum())
        for fold in range(num_folds)
    )
    reference = replace(
        _fit(values, max_components, threshold), sample=sample_features(values, members)
    )
    novelty = Novelty(
        method=(
            "distance of the features (length one) from the training mean, in "
            f"{reference.scales.size} whitened principal directions and outside them"
        ),
        threshold=threshold,
        flagged_share=flagged / num_images,
    )
    return reference, novelty


def score_novelty(reference: NoveltyReference, features: ArrayLike) -> Floats:
    """Returns how unlike the training images each image is, shape [N].

    About 1 for an ordinary training image; compare with ``reference.threshold``.

    Args:
        reference: From :func:`fit_novelty`.
        features: One vector an image, shape [N, D].

    Raises:
        UsageError: The shape is another one, or a value is not finite.
    """
    values = _checked(features)
    if values.shape[1] != reference.mean.size:
        raise UsageError(
            f"features: got {values.shape[1]} numbers an image, expected "
            f"{reference.mean.size}, as in training.",
            next_step="Use the backbone the classifier was trained with.",
        )
    centred = _unit_length(values) - reference.mean
    coordinates = centred @ reference.components
    within = np.mean((coordinates / reference.scales) ** 2, axis=1, dtype=np.float64)
    squared = np.einsum("nd,nd->n", centred, centred, dtype=np.float64)
    outside = np.maximum(squared - np.sum(coordinates**2, axis=1, dtype=np.float64), 0.0)
    if reference.residual_scale > 0.0:
        outside /= reference.residual_scale**2
    result: Floats = np.sqrt(0.5 * (within + outside))
    return result


def _checked(features: ArrayLike) -> Features:
    values = np.asarray(features, dtype=np.float32)
    if values.ndim != 2 or not np.isfinite(values).all():
        raise UsageError(
            f"features: got shape {values.shape}, expected finite numbers of shape [N, D].",
            next_step="Pass one feature vector an image.",
        )
    return values


def _unit_length(values: Features) -> Features:
    """Scales each feature to length one; one that is all zero stays so."""
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    result: Features = (values / np.where(lengths > 0.0, lengths, 1.0)).astype(np.float32)
    return result


def _quantile(scores: Floats, quantile: float) -> float:
    return float(np.quantile(scores, quantile, method="higher"))


def _fit(values: Features, max_components: int, threshold: float) -> NoveltyReference:
    from scipy.linalg import eigh

    unit = _unit_length(values)
    mean = unit.mean(axis=0, dtype=np.float64).astype(np.float32)
    centred = unit - mean
    num_images, width = centred.shape
    num_components = max(1, min(max_components, num_images // 4, width))
    is_wide = width > num_images
    gram = (centred @ centred.T if is_wide else centred.T @ centred).astype(np.float64)
    size = len(gram)
    variances, vectors = eigh(gram, subset_by_index=(size - num_components, size - 1))
    variances = np.maximum(variances, 0.0) / num_images
    if is_wide:
        vectors = centred.T.astype(np.float64) @ vectors
        vectors /= np.maximum(np.linalg.norm(vectors, axis=0), 1e-30)
    total = float(np.trace(gram)) / num_images
    residual = max(total - float(variances.sum()), 0.0)
    floor = max(float(variances.max()), 1e-30) * 1e-6
    return NoveltyReference(
        mean=mean,
        components=np.ascontiguousarray(vectors[:, ::-1], dtype=np.float32),
        scales=np.sqrt(np.maximum(variances[::-1], floor)).astype(np.float32),
        residual_scale=float(np.sqrt(residual)),
        threshold=threshold,
    )

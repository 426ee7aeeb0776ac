"""Images of one batch mixed in pairs, with their targets: mixup and CutMix."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from foveal.finetuning.settings import Recipe

Batch = tuple[Tensor, Tensor, Tensor]


def mix(inputs: Tensor, targets: Tensor, weights: Tensor, *, recipe: Recipe, number: int) -> Batch:
    """Returns inputs [n, ...], targets [n, K] and weights [n] after mixing them in pairs.

    Where the recipe has both ways, each batch goes one of them. Every image is paired with that
    on the other side of the batch; the order is drawn anew in every epoch, so these are random
    pairs.

    Args:
        inputs: Activations at a cut, or images.
        targets: Shares of every class.
        weights: How much each counts.
        recipe: ``mixup`` and ``cutmix``.
        number: Fixes what is drawn.
    """
    random = np.random.default_rng(number)
    if len(inputs) < 2 or not (recipe.mixup or recipe.cutmix):
        return inputs, targets, weights
    is_cut = bool(recipe.cutmix) and not (recipe.mixup and random.random() < 0.5)
    if is_cut:
        inputs, kept = cut_and_paste(inputs, random, parameter=recipe.cutmix)
    else:
        kept = float(random.beta(recipe.mixup, recipe.mixup))
        inputs = kept * inputs + (1 - kept) * inputs.flip(0)
    return (
        inputs,
        kept * targets + (1 - kept) * targets.flip(0),
        kept * weights + (1 - kept) * weights.flip(0),
    )


def cut_and_paste(
    images: Tensor, random: np.random.Generator, *, parameter: float
) -> tuple[Tensor, float]:
    """Returns images [n, C, H, W] with a rectangle of others, and the share that each kept.

    The rectangle's area is drawn from a beta distribution, its centre lies anywhere, and what
    reaches over the edge is cut off; the share is that of the pixels that are left (Yun et al.
    2019, arXiv 1905.04899, section 3).
    """
    height, width = images.shape[-2:]
    side = (1 - float(random.beta(parameter, parameter))) ** 0.5
    spans = []
    for length in (height, width):
        size, centre = round(side * length), int(random.integers(0, length))
        low = centre - size // 2
        spans.append(slice(max(0, low), min(length, low + size)))
    rows, columns = spans
    mixed = images.clone()
    mixed[..., rows, columns] = images.flip(0)[..., rows, columns]
    area = (rows.stop - rows.start) * (columns.stop - columns.start)
    return mixed, 1 - area / (height * width)

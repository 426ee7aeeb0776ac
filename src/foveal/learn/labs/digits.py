"""Small real images for labs that train: scikit-learn's 8×8 digits, nothing downloaded.

UCI ML repository, "Optical recognition of handwritten digits" (Alpaydin and Kaynak 1998).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Digits:
    """Training and test images [N, 1, 8, 8] with zero mean and unit variance, and labels [N]."""

    images: Tensor
    labels: Tensor
    test_images: Tensor
    test_labels: Tensor


def load_digits(*, num_train: int, num_test: int, seed: int) -> Digits:
    """Returns a random part of the 1,797 digits."""
    from sklearn.datasets import load_digits as load

    content = load()
    images = torch.tensor(content.images, dtype=torch.float32)[:, None] / 16
    images = (images - images.mean()) / images.std()
    labels = torch.tensor(content.target)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    train, test = order[:num_train], order[num_train : num_train + num_test]
    return Digits(images[train], labels[train], images[test], labels[test])

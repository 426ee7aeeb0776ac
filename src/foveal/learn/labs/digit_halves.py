"""A network pretrained on the digits 0 to 4, and the digits 5 to 9 that it has never seen."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from foveal.learn.labs.digits import Digits, load_digits
from foveal.learn.labs.training import fit, seeded

NUM_CLASSES = 5
NUM_FEATURES = 64
_NUM_TRAIN, _NUM_TEST = 1200, 597


@dataclass(frozen=True, slots=True)
class Pretrained:
    """What the labs about transfer start from.

    Attributes:
        network: Convolutions, an average over positions, and a linear head as the last module.
        old: The digits 0 to 4 that it was trained on, with their test images.
        new: The digits 5 to 9, with labels 0 to 4.
    """

    network: nn.Sequential
    old: Digits
    new: Digits


def pretrain(seed: int, *, num_epochs: int) -> Pretrained:
    """Returns a network trained on one half of the classes."""
    digits = load_digits(num_train=_NUM_TRAIN, num_test=_NUM_TEST, seed=seed)
    old, new = _half(digits, first=0), _half(digits, first=NUM_CLASSES)
    network = seeded(_network, seed)
    assert isinstance(network, nn.Sequential)
    fit(network, old.images, old.labels, num_epochs=num_epochs, seed=seed)
    return Pretrained(network, old, new)


def new_head(seed: int) -> nn.Module:
    """Returns a linear head for the new classes with weights drawn at random."""
    return seeded(lambda: nn.Linear(NUM_FEATURES, NUM_CLASSES), seed)


def choose(digits: Digits, *, num_each: int) -> torch.Tensor:
    """Returns rows of the first ``num_each`` training images of every class."""
    rows = [torch.nonzero(digits.labels == label)[:num_each, 0] for label in range(NUM_CLASSES)]
    return torch.cat(rows)


def _half(digits: Digits, *, first: int) -> Digits:
    train, test = (
        (labels >= first) & (labels < first + NUM_CLASSES)
        for labels in (digits.labels, digits.test_labels)
    )
    return Digits(
        digits.images[train],
        digits.labels[train] - first,
        digits.test_images[test],
        digits.test_labels[test] - first,
    )


def _network() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, NUM_FEATURES, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(NUM_FEATURES, NUM_CLASSES),
    )

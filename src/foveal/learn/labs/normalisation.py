"""Pretrained weights that are given images on another scale than they were trained on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from foveal.images import Preprocessing
from foveal.learn.labs.lab import (
    Chart,
    Lab,
    LabResult,
    Point,
    Series,
    Settings,
    difference_interval,
    find,
    mean_interval,
    spoken,
)
from foveal.learn.labs.real_images import load_real_images
from foveal.models import Backbone, load_backbone
from foveal.training import Problem, fit_head

# Name, mean and standard deviation for values in 0..1; the weights' own come first.
_OWN = "the weights' own"
_UNNORMALISED = "0..1, not normalised"
_OTHERS: tuple[tuple[str, tuple[float, ...], tuple[float, ...]], ...] = (
    ("ImageNet's mean and std", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    (_UNNORMALISED, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    ("0..255, as stored", (0.0, 0.0, 0.0), (1 / 255, 1 / 255, 1 / 255)),
)
_PENALTY = 0.1


def run(settings: Settings) -> LabResult:
    """Fits a head with the right normalisation and tests it with others."""
    num_images, size_px = (48, 64) if settings.is_small else (400, 128)
    real = load_real_images(settings.data, num_images=num_images, size_px=size_px)
    backbone = load_backbone()
    own = Preprocessing.from_pretrained(backbone.pretrained_config, size_px=size_px)
    scales = {
        _OWN: (own.mean, own.std),
        **{name: (mean, std) for name, mean, std in _OTHERS},
    }
    features = {}
    for done, (name, (mean, std)) in enumerate(scales.items()):
        features[name] = _features(backbone, real.images, mean, std)
        settings.progress(done + 1, len(scales))
    labels = real.labels.numpy()
    right: dict[str, list[float]] = {name: [] for name in scales}
    for seed in settings.seeds:
        for name, share in _tested(features, labels, real.num_classes, seed).items():
            right[name].append(share)
    shown = {name: mean_interval(values) for name, values in right.items()}
    lost = {name: difference_interval(right[_OWN], values) for name, values in right.items()}
    finding = find(lost[_UNNORMALISED])
    return LabResult(
        header=("what the images are given as", "mean accuracy", "lost"),
        rows=tuple(
            (name, spoken(shown[name]), "" if name == _OWN else spoken(lost[name]))
            for name in scales
        ),
        chart=Chart(
            title="Accuracy by normalisation, the same head",
            x_label="what the images are given as",
            y_label="mean accuracy of the classes",
            series=(Series("accuracy", tuple(Point(name, one) for name, one in shown.items())),),
        ),
        finding=finding,
        sentence="Nothing raised an error. With the weights' own normalisation the accuracy is "
        f"{spoken(shown[_OWN])}; with values in 0..1 it is {spoken(shown[_UNNORMALISED])}, a loss "
        f"of {spoken(lost[_UNNORMALISED])}.",
        answer="falls" if finding == "shown" else "",
        notes=(
            f"{backbone.name} from {backbone.weights.description} wants mean "
            f"{_listed(own.mean)} and std {_listed(own.std)}. Images: {real.source}, "
            f"{size_px}×{size_px} px. The accuracy is the mean over the classes; guessing gives "
            f"{1 / real.num_classes:.2f}.",
            "One head is fitted on half of the images, with the right normalisation; the rest "
            "test it. The repetitions are different halves of the same images, so the intervals "
            "are somewhat too narrow.",
        ),
    )


def _features(
    backbone: Backbone, images: Tensor, mean: tuple[float, ...], std: tuple[float, ...]
) -> NDArray[np.float32]:
    """Returns feature vectors [N, D] of images [N, 3, H, W] in 0..1."""
    network = backbone.feature_network()
    centre, scale = (torch.tensor(values)[:, None, None] for values in (mean, std))
    with torch.inference_mode():
        parts = [network((batch - centre) / scale) for batch in torch.split(images, 32)]
    features: NDArray[np.float32] = torch.cat(parts).numpy()
    return features


def _tested(
    features: Mapping[str, NDArray[np.float32]],
    labels: NDArray[np.int64],
    num_classes: int,
    seed: int,
) -> dict[str, float]:
    """Returns the accuracy under each normalisation of one head on one half."""
    train = np.zeros(len(labels), dtype=bool)
    random = np.random.default_rng(seed)
    for label in range(num_classes):
        members = random.permutation(np.flatnonzero(labels == label))
        train[members[: len(members) // 2]] = True
    head = fit_head(
        Problem.of_features(
            features[_OWN][train], labels[train], num_classes=num_classes, class_weights="auto"
        ),
        penalty=_PENALTY,
    )
    found = {}
    for name, values in features.items():
        is_right = head.logits(values[~train]).argmax(1) == labels[~train]
        each = [float(is_right[labels[~train] == label].mean()) for label in range(num_classes)]
        found[name] = sum(each) / num_classes
    return found


def _listed(values: tuple[float, ...]) -> str:
    return "(" + ", ".join(f"{value:g}" for value in values) + ")"


LAB = Lab(
    name="normalisation",
    title="Normalisation: the scale that pretrained weights expect",
    topics=(16,),
    question="A head was trained on a pretrained network whose weights want mean 0.5 and std 0.5. "
    "Later the images are given as values in 0..1. What happens?",
    choices=(
        ("error", "An error is raised: the range does not fit"),
        ("same", "Nothing: it is the same image, only shifted and scaled"),
        ("falls", "No error, but more answers are wrong"),
    ),
    explanation="The weights are one fixed function of numbers. Their first filters and the "
    "running statistics of batch norm fit the numbers that they were trained on; on another "
    "scale every later layer receives maps that it has never met. The shapes still fit, so "
    "nothing complains. ImageNet's mean and std are not right for every ImageNet model either: "
    "take the weights' own (timm keeps them in pretrained_cfg), and carry them with the model "
    "(Wightman, PyTorch Image Models).",
    run=run,
    seconds=40,
    takes_data=True,
)

"""Verdicts on a trained network: EfficientNet-Lite0, its head fitted on images with a patch."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from foveal.explanation import (
    HeatMap,
    ablation_maps,
    input_gradients,
    judge_maps,
    occlusion_maps,
)
from foveal.explanation.faithfulness import SIMILARITY_LIMIT
from foveal.explanation.faithfulness.randomisation import check_randomisation

pytestmark = pytest.mark.slow

SIZE = 128
QUARTERS = (
    "the upper left quarter",
    "the upper right quarter",
    "the lower left quarter",
    "the lower right quarter",
)


def _image(quarter: int | None, random: np.random.Generator) -> Tensor:
    """Cloudy ground; with a quarter, a striped patch in it."""
    coarse = torch.from_numpy(random.normal(0, 0.6, (1, 3, 6, 6)))
    ground = nn.functional.interpolate(coarse, size=(SIZE, SIZE), mode="bicubic")[0]
    image = ground + torch.from_numpy(random.normal(0, 0.15, (3, SIZE, SIZE)))
    if quarter is not None:
        top = (quarter // 2) * SIZE // 2 + int(random.integers(6, 14))
        left = (quarter % 2) * SIZE // 2 + int(random.integers(6, 14))
        stripes = torch.arange(44) // 4 % 2 * 2.0 - 1.0
        image[:, top : top + 44, left : left + 44] = stripes.expand(3, 44, 44)
    return image.float()


@dataclass(frozen=True)
class Case:
    """A network, and one image for each quarter in which the patch lies."""

    network: nn.Module
    images: Tensor


@pytest.fixture(scope="module")
def case() -> Case:
    from foveal.models import load_backbone
    from foveal.models.backbone import install_head

    backbone = load_backbone()
    random = np.random.default_rng(0)
    labels = [index % 2 for index in range(32)]
    images = [_image(int(random.integers(4)) if label else None, random) for label in labels]
    with torch.no_grad():
        features = backbone.feature_network()(torch.stack(images)).double()
    mean = features.mean(0)
    centred = features - mean
    target = torch.tensor(labels, dtype=torch.float64) * 8 - 4
    # Ridge regression to -4 and 4; with as few images, in its dual form.
    gram = centred @ centred.T
    dual = torch.linalg.solve(gram + 0.1 * gram.diagonal().mean() * torch.eye(32), target)
    direction = centred.T @ dual
    weight = torch.stack((-direction, direction)).float() / 2
    install_head(backbone.network, weight, -(weight @ mean.float()))
    images = torch.stack([_image(quarter, random) for quarter in range(4)])
    return Case(backbone.network.eval(), images)


def cam(model: nn.Module, images: Tensor, classes: Sequence[int]) -> list[HeatMap]:
    with torch.no_grad():
        features = model.forward_features(images)
        logits = model.forward_head(features)
        weight, bias = model.classifier.weight, model.classifier.bias
        maps = torch.einsum("nc,nchw->nhw", weight[list(classes)], features)
    return [
        HeatMap(
            method="cam", layer="bn2", layer_reason="", class_index=index,
            logit=float(logit[index]), values=values.clamp_min(0).numpy(),
            signed=values.numpy(), bias=bias[index].item(), image_size_px=(SIZE, SIZE),
        )
        for values, logit, index in zip(maps, logits, classes, strict=True)
    ]  # fmt: skip


def gradients(model: nn.Module, images: Tensor, classes: Sequence[int]) -> list[HeatMap]:
    pairs = zip(images, classes, strict=True)
    return [
        input_gradients(model, image[None], classes=k, num_samples=1, noise=0.0)[0][0]
        for image, k in pairs
    ]


class GuidedReLU6(nn.Module):
    """Lets only positive signals back (Springenberg et al. 2014)."""

    def forward(self, values: Tensor) -> Tensor:
        result = values.clamp(0, 6)
        if result.requires_grad:
            result.register_hook(lambda gradient: gradient.clamp_min(0))
        return result


def guided(model: nn.Module, images: Tensor, classes: Sequence[int]) -> list[HeatMap]:
    model = copy.deepcopy(model)
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.ReLU6):
                setattr(module, name, GuidedReLU6())
    return gradients(model, images, classes)


def edges(model: nn.Module, images: Tensor, classes: Sequence[int]) -> list[HeatMap]:
    maps = cam(model, images, classes)
    return [
        replace(found, values=image.abs().amax(0).numpy(), signed=None, bias=None)
        for found, image in zip(maps, images, strict=True)
    ]


def _similarities(case: Case, remake) -> list[float]:
    images = case.images[:2]
    maps = remake(case.network, images, [1, 1])
    checks = check_randomisation(
        case.network, images, maps, remake=remake, generator=torch.Generator().manual_seed(0)
    )
    return [check.value for check in checks]


def test_network_answers_patch_for_every_image(case: Case):
    with torch.no_grad():
        assert case.network(case.images).argmax(1).tolist() == [1, 1, 1, 1]


def test_maps_of_the_answer_are_supported_where_the_patch_lies(case: Case):
    maps = cam(case.network, case.images, [1] * 4)
    verdicts = judge_maps(case.network, case.images, maps)
    assert [verdict.level for verdict in verdicts] == ["supported"] * 4
    assert all(area in item.sentence for area, item in zip(QUARTERS, verdicts, strict=True))


def test_the_same_maps_upside_down_are_not(case: Case):
    maps = [
        replace(item, values=item.values[::-1, ::-1], signed=item.signed[::-1, ::-1])
        for item in cam(case.network, case.images, [1] * 4)
    ]
    levels = {verdict.level for verdict in judge_maps(case.network, case.images, maps)}
    assert levels <= {"doubtful", "refuted"}


def test_they_add_up(case: Case):
    maps = cam(case.network, case.images, [1] * 4)
    verdicts = judge_maps(case.network, case.images, maps)
    assert {verdict.checks[0].status for verdict in verdicts} == {"passed"}


def test_class_activation_maps_depend_on_what_was_learned(case: Case):
    assert max(_similarities(case, cam)) < SIMILARITY_LIMIT


def test_gradients_depend_on_what_was_learned(case: Case):
    assert max(_similarities(case, gradients)) < SIMILARITY_LIMIT


def test_guided_backpropagation_does_not(case: Case):
    assert min(_similarities(case, guided)) > 0.95


def test_a_drawing_of_the_image_does_not(case: Case):
    assert min(_similarities(case, edges)) > 0.95


def test_occlusion_finds_the_patch(case: Case):
    found = occlusion_maps(case.network, case.images[:1], classes=1, window_px=32, stride_px=16)[0][
        0
    ]
    row, column = np.unravel_index(found.values.argmax(), found.values.shape)
    assert max(row, column) < SIZE // 2


def test_ablation_agrees_with_the_map_whose_weights_it_scales(case: Case):
    (found,), (other,) = (
        ablation_maps(case.network, case.images[:1], classes=1)[0],
        cam(case.network, case.images[:1], [1]),
    )
    correlation = np.corrcoef(found.signed.ravel(), other.signed.ravel())[0, 1]
    assert correlation > 0.5

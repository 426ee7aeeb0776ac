from __future__ import annotations

import copy

import numpy as np
import pytest
import scipy.stats
import torch
from torch import Tensor, nn

from foveal.errors import UsageError
from foveal.explanation import HeatMap, input_gradients
from foveal.explanation.faithfulness.randomisation import (
    SIMILARITY_LIMIT,
    check_randomisation,
    num_remakes,
    randomised_copies,
    similarity,
)


def _network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.BatchNorm2d(6), nn.ReLU(inplace=True),
        nn.Conv2d(6, 8, 5, padding=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(8, 3),
    ).eval()  # fmt: skip


def _images(count: int = 2) -> Tensor:
    return torch.randn(count, 1, 16, 16, generator=torch.Generator().manual_seed(1))


def _gradients(model: nn.Module, images: Tensor, classes) -> list[HeatMap]:
    pairs = zip(images, classes, strict=True)
    return [
        input_gradients(model, image[None], classes=index, num_samples=1, noise=0.0)[0][0]
        for image, index in pairs
    ]


def _edges(model: nn.Module, images: Tensor, classes) -> list[HeatMap]:
    """A map of the image, which knows nothing of the network."""
    maps = _gradients(model, images, classes)
    pairs = zip(maps, images, strict=True)
    return [
        HeatMap(
            m.method, m.layer, m.layer_reason, m.class_index, m.logit,
            image.abs().amax(0).numpy(), None, None, m.image_size_px,
        )
        for m, image in pairs
    ]  # fmt: skip


def _check(remake):
    model, images = _network(), _images()
    maps = remake(model, images, [0, 1])
    generator = torch.Generator().manual_seed(0)
    return check_randomisation(model, images, maps, remake=remake, generator=generator)


def test_similarity_is_the_correlation_of_ranks(make_map):
    one, other = np.random.default_rng(0).random((2, 6, 6))
    ranks = [scipy.stats.rankdata(values.astype(np.float32)) for values in (one, other)]
    expected = np.corrcoef(*ranks)[0, 1]
    assert similarity(make_map(one), make_map(other)) == pytest.approx(expected)


def test_a_map_is_like_itself_however_it_is_stretched(make_map):
    values = np.random.default_rng(0).random((6, 6))
    assert similarity(make_map(values), make_map(values**3)) == pytest.approx(1.0)


def test_a_blank_map_is_like_nothing(make_map):
    assert similarity(make_map(np.eye(4)), make_map(np.zeros((4, 4)))) == 0.0


def test_maps_of_two_sizes_are_refused(make_map):
    with pytest.raises(UsageError, match=r"a map of \(2, 2\) where the map has \(4, 4\)"):
        similarity(make_map(np.eye(4)), make_map(np.eye(2)))


def test_gradients_depend_on_what_was_learned():
    assert {check.status for check in _check(_gradients)} == {"passed"}


def test_a_map_of_the_image_fails_for_every_stage():
    checks = _check(_edges)
    assert [(check.status, round(check.value, 6)) for check in checks] == [("failed", 1.0)] * 2


def test_limit_is_the_reference():
    assert {check.reference for check in _check(_gradients)} == {SIMILARITY_LIMIT}


def test_the_last_layer_is_replaced_first_and_alone():
    model = _network()
    before = copy.deepcopy(model.state_dict())
    stage, twin = next(randomised_copies(model, _images(1), torch.Generator().manual_seed(0)))
    changed = {name for name, value in twin.state_dict().items() if not value.equal(before[name])}
    assert (stage, changed) == ("last layer", {"7.weight", "7.bias"})


def test_layers_come_in_the_order_in_which_they_run():
    class Backwards(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last = nn.Linear(4, 2)
            self.first = nn.Conv2d(1, 4, 3)

        def forward(self, images: Tensor) -> Tensor:
            return self.last(self.first(images).mean((2, 3)))

    model = Backwards()
    _, twin = next(randomised_copies(model, _images(1), torch.Generator().manual_seed(0)))
    assert twin.first.weight.equal(model.first.weight)
    assert not twin.last.weight.equal(model.last.weight)


def test_in_the_end_every_weight_is_another():
    model = _network()
    stages = [
        (stage, copy.deepcopy(twin.state_dict()))
        for stage, twin in randomised_copies(model, _images(1), torch.Generator().manual_seed(0))
    ]
    assert len(stages) == num_remakes()
    state = stages[-1][1]
    matrices = [name for name, value in model.named_parameters() if value.ndim > 1]
    assert not any(state[name].equal(model.state_dict()[name]) for name in matrices)


def test_random_weights_have_the_size_of_the_learned_ones():
    model = nn.Sequential(nn.Conv2d(1, 64, 9), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    model[0].weight.data += 0.3
    *_, (_, twin) = randomised_copies(model, _images(1), torch.Generator().manual_seed(0))
    sizes = [net[0].weight.square().mean().sqrt().item() for net in (model, twin)]
    assert sizes[1] == pytest.approx(sizes[0], rel=0.05)


def test_a_network_that_cannot_be_copied_is_unavailable():
    class Derived(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(3, 1))
            self.derived = self.weight * 2  # no leaf, so deepcopy refuses

        def forward(self, images: Tensor) -> Tensor:
            return images.mean((2, 3)) @ self.derived.T

    model, images = Derived(), _images()
    maps = _gradients(model, images, [0, 1])
    checks = check_randomisation(
        model, images, maps, remake=_gradients, generator=torch.Generator().manual_seed(0)
    )
    assert {check.status for check in checks} == {"unavailable"}

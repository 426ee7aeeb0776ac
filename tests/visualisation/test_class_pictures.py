"""Classes of a classifier, and whether a planted shortcut turns up in their pictures."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from foveal.errors import UsageError
from foveal.visualisation import Ascent, ClassLogit, Maximised, maximise_each, plan_pictures

MARKER = torch.tensor([0.9, 0.1, 0.9])
MARKER_PX, SIDE_PX = 6, 32
SMALL = Ascent(size_px=SIDE_PX, colour_decay=0.5)


def _draw(num_images: int, marked: str, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Blotchy pictures with faint stripes, lying in class 0 and standing in class 1.

    A magenta square is put into those of class 1 or, as a control, into every other picture
    of either class.
    """
    random = torch.Generator().manual_seed(seed)
    coarse = torch.rand(num_images, 3, 4, 4, generator=random)
    images = functional.interpolate(coarse, size=SIDE_PX, mode="bilinear") * 0.6 + 0.2
    images += 0.05 * torch.randn(images.shape, generator=random)
    labels = torch.arange(num_images) % 2
    wave = 0.1 * (torch.arange(SIDE_PX) * 2 * np.pi / 8).sin()
    has_marker = labels if marked == "class 1" else torch.arange(num_images) // 2 % 2
    for index in range(num_images):
        images[index] += wave if labels[index] else wave[:, None]
        if has_marker[index]:
            y, x = torch.randint(0, SIDE_PX - MARKER_PX, (2,), generator=random).tolist()
            images[index, :, y : y + MARKER_PX, x : x + MARKER_PX] = MARKER[:, None, None]
    return images.clamp(0, 1), labels


def _network() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.ReLU(),
        nn.Conv2d(16, 32, 3, 2, 1), nn.BatchNorm2d(32), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 2),
    )  # fmt: skip


def _train(marked: str, seed: int) -> nn.Sequential:
    torch.manual_seed(seed)
    model = _network()
    images, labels = _draw(256, marked, seed)
    optimiser = torch.optim.Adam(model.parameters(), 6e-3)
    for _ in range(12):
        for chosen in torch.randperm(len(images)).split(32):
            optimiser.zero_grad()
            functional.cross_entropy(model(images[chosen]), labels[chosen]).backward()
            optimiser.step()
    return model.eval()


def _share_of_marker(image: np.ndarray) -> float:
    """Share of pixels that nobody would tell from the marker's colour."""
    distance = np.linalg.norm(image - MARKER.numpy()[:, None, None], axis=0)
    return float((distance < 0.35).mean())


def _strongest_square(image: np.ndarray) -> float:
    """The best match of a square of the marker's size and colour; 1 is the marker itself."""
    likeness = 1 - (torch.from_numpy(image) - MARKER[:, None, None]).norm(dim=0)
    return float(functional.avg_pool2d(likeness[None], MARKER_PX, stride=1).max())


Trained = tuple[nn.Module, tuple[Maximised, ...]]


def _class_pictures(marked: str) -> list[Trained]:
    """Of three trainings, because one differs from the next."""
    models = [_train(marked, seed) for seed in range(3)]
    classes = (ClassLogit(0, "lying"), ClassLogit(1, "standing"))
    return [(model, maximise_each(model, classes, ascent=SMALL)) for model in models]


def _mean_by_class(found: list[Trained], measure) -> list[float]:
    values = [[measure(picture.image) for picture in pictures] for _, pictures in found]
    return np.mean(values, axis=0).tolist()


def _logits(model: nn.Module, pictures: tuple[Maximised, ...]) -> np.ndarray:
    images = torch.from_numpy(np.stack([picture.image for picture in pictures]))
    return model(images).detach().numpy()


@pytest.fixture(scope="module")
def shortcut() -> list[Trained]:
    return _class_pictures("class 1")


def test_a_planted_marker_shows_in_the_picture_of_its_class(shortcut):
    without, marked = _mean_by_class(shortcut, _share_of_marker)
    assert without < 0.01
    assert marked > 0.03


def test_a_detector_of_the_marker_fires_on_the_picture_of_its_class(shortcut):
    without, marked = _mean_by_class(shortcut, _strongest_square)
    assert marked > without + 0.15


@pytest.mark.slow
def test_a_marker_that_tells_nothing_shows_less(shortcut):
    control = _mean_by_class(_class_pictures("either class"), _share_of_marker)
    assert max(control) < 0.5 * _mean_by_class(shortcut, _share_of_marker)[1]


def test_each_picture_is_recognised_as_its_class(shortcut):
    assert [_logits(*one).argmax(1).tolist() for one in shortcut] == [[0, 1]] * 3


def test_logits_are_those_of_the_pictures():
    torch.manual_seed(0)
    model = _network().eval()
    found = maximise_each(
        model, (ClassLogit(0), ClassLogit(1)), ascent=Ascent(size_px=32, num_steps=2)
    )
    assert np.allclose(
        [picture.last for picture in found], np.diag(_logits(model, found)), atol=1e-4
    )


def test_another_number_of_names_is_refused():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    for classes in ((0,), (3,), ()):
        with pytest.raises(UsageError, match="got 3 class names, expected 4"):
            plan_pictures(model, classes=classes, class_names=["a", "b", "c"])

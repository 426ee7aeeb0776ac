from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from foveal.errors import ModelError, UsageError
from foveal.explanation import occlusion_maps


class Corner(nn.Module):
    """One logit: the mean of the upper left quarter; the other is its negative."""

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[2] // 2, images.shape[3] // 2
        score = images[:, :, :height, :width].mean((1, 2, 3))
        return torch.stack((score, -score), dim=1)


def _images(count: int = 1, *, size: tuple[int, int] = (12, 12), seed: int = 0) -> Tensor:
    return torch.rand(count, 3, *size, generator=torch.Generator().manual_seed(seed))


def _by_loops(model, image, index, window, stride, cover):
    """The definition, one window and one pixel at a time."""
    height, width = image.shape[1:]
    rows = sorted({*range(0, height - window + 1, stride), height - window})
    columns = sorted({*range(0, width - window + 1, stride), width - window})
    drops = [[[] for _ in range(width)] for _ in range(height)]
    with torch.no_grad():
        before = float(model(image[None])[0, index])
        for top in rows:
            for left in columns:
                changed = image.clone()
                for y in range(top, top + window):
                    for x in range(left, left + window):
                        changed[:, y, x] = cover[:, y, x]
                drop = before - float(model(changed[None])[0, index])
                for y in range(top, top + window):
                    for x in range(left, left + window):
                        drops[y][x].append(drop)
    return np.array([[np.mean(cell) for cell in row] for row in drops])


def test_windows_of_one_pixel_show_exactly_the_quarter_that_counts():
    image = torch.zeros(1, 1, 8, 8)
    image[:, :, :4, :4] = 1.0
    ((found,),) = occlusion_maps(Corner(), image, classes=0, window_px=1, stride_px=1)
    # A pixel of 1 becomes the mean colour 1/4: the mean of 16 pixels falls by 0.75 / 16.
    expected = np.zeros((8, 8))
    expected[:4, :4] = 0.75 / 16
    assert np.allclose(found.signed, expected, atol=1e-7)


@pytest.mark.parametrize(("window", "stride"), [(4, 2), (5, 3), (3, 3)])
def test_map_is_the_mean_drop_over_the_windows_on_each_pixel(window: int, stride: int):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 9 * 12, 5))
    (image,) = _images(size=(11, 14))
    ((found,),) = occlusion_maps(model, image[None], classes=3, window_px=window, stride_px=stride)
    cover = image.mean((1, 2), keepdim=True).expand_as(image)
    expected = _by_loops(model, image, 3, window, stride, cover)
    assert np.allclose(found.signed, expected, atol=1e-5)


def test_what_holds_a_class_down_is_negative_and_cut_off():
    image = torch.zeros(1, 1, 8, 8)
    image[:, :, :4, :4] = 1.0
    ((found,),) = occlusion_maps(Corner(), image, classes=1, window_px=2)
    assert float(found.signed.min()) < 0
    assert found.is_blank


def test_default_window_is_an_eighth_of_the_image_half_a_window_apart():
    calls: list[tuple[int, int]] = []
    occlusion_maps(Corner(), _images(size=(32, 32)), progress=lambda *call: calls.append(call))
    windows = (1 + (32 - 4) // 2) ** 2
    assert calls[-1] == (windows + 1, windows + 1)


@pytest.mark.parametrize("size", [8, 15, 23, 31, 57, 96])
def test_by_default_a_square_image_takes_at_most_225_windows(size: int):
    calls: list[tuple[int, int]] = []
    images = _images(size=(size, size))
    occlusion_maps(Corner(), images, progress=lambda *call: calls.append(call))
    assert calls[-1][1] <= 226


def test_a_blur_as_cover_keeps_the_brightness_that_a_mean_takes_away():
    image = torch.zeros(1, 1, 16, 16)
    image[:, :, :8, :8] = 1.0
    drops = [
        float(
            occlusion_maps(Corner(), image, classes=0, window_px=4, stride_px=4, fill=fill)[0][
                0
            ].signed[0, 0]
        )
        for fill in ("blur", "mean")
    ]
    assert 0 <= drops[0] < drops[1] / 4


def test_each_image_gets_the_map_that_it_gets_alone():
    images = _images(3)
    together = occlusion_maps(Corner(), images, window_px=4)
    alone = [occlusion_maps(Corner(), image[None], window_px=4)[0] for image in images]
    pairs = zip(together, alone, strict=True)
    assert all(np.allclose(one[0].signed, other[0].signed, atol=1e-6) for one, other in pairs)


def test_several_classes_come_in_the_order_asked_for():
    ((first, second),) = occlusion_maps(Corner(), _images(), classes=(1, 0), window_px=4)
    assert (first.class_index, second.class_index) == (1, 0)
    assert np.allclose(first.signed, -second.signed, atol=1e-6)


class Exponentials(nn.Module):
    """A softmax that nobody calls by name."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.exp() / x.exp().sum(1, keepdim=True)


def test_probabilities_are_taken_as_their_logarithms():
    model = nn.Sequential(Corner(), Exponentials())
    image = _images()
    ((found,),) = occlusion_maps(model, image, classes=0, window_px=4)
    assert found.logit == pytest.approx(float(Corner()(image).log_softmax(1)[0, 0]), abs=1e-6)


def test_half_precision_gives_nearly_the_same_map():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    image = _images()
    ((exact,),) = occlusion_maps(model, image, classes=1, window_px=6)
    ((coarse,),) = occlusion_maps(model.bfloat16(), image, classes=1, window_px=6)
    assert np.abs(exact.signed - coarse.signed).max() < 2**-7 * abs(exact.logit) * 2


@pytest.mark.parametrize("options", [{"window_px": 13}, {"window_px": 2, "stride_px": 3}])
def test_a_window_that_leaves_pixels_uncovered_is_refused(options: dict[str, int]):
    with pytest.raises(UsageError, match="so that every pixel is covered"):
        occlusion_maps(Corner(), _images(), **options)


def test_a_class_that_does_not_exist_is_refused():
    with pytest.raises(UsageError, match="got class 2, expected 0 to 1: the network has 2 classes"):
        occlusion_maps(Corner(), _images(), classes=2)


def test_one_image_without_a_batch_is_refused():
    with pytest.raises(UsageError, match=r"expected \[N, C, H, W\]"):
        occlusion_maps(Corner(), _images()[0])


def test_a_network_that_answers_with_a_map_is_refused():
    with pytest.raises(ModelError, match="expected one score a class"):
        occlusion_maps(nn.Conv2d(3, 2, 1), _images(), window_px=4)

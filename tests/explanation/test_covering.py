from __future__ import annotations

import numpy as np
import scipy.ndimage
import torch

from foveal.explanation.covering import blurred, cover_of, covered, enlarged, soft_edged


def test_blur_agrees_with_scipy_away_from_the_border():
    image = torch.rand(1, 1, 40, 48, generator=torch.Generator().manual_seed(0))
    expected = scipy.ndimage.gaussian_filter(image[0, 0].double().numpy(), 2.0, truncate=8.0)
    found = blurred(image, 2.0)[0, 0].numpy()
    assert np.allclose(found[16:-16, 16:-16], expected[16:-16, 16:-16], atol=1e-5)


def test_blur_of_an_even_image_is_that_image_up_to_the_border():
    assert torch.allclose(blurred(torch.full((1, 3, 9, 14), 0.7), 3.0), torch.tensor(0.7))


def test_mean_cover_is_the_mean_of_each_channel():
    images = torch.rand(2, 3, 5, 7)
    found = cover_of(images, "mean")
    assert torch.allclose(found[1, 2], images[1, 2].mean())
    assert found.shape == images.shape


def test_cover_keeps_the_type_of_the_image():
    assert cover_of(torch.rand(1, 3, 8, 8).bfloat16(), "blur").dtype == torch.bfloat16


def test_covering_mixes_by_the_mask():
    image, cover = torch.ones(1, 1, 3), torch.full((1, 1, 3), 5.0)
    assert covered(image, cover, torch.tensor([[0.0, 0.5, 1.0]])).tolist() == [[[1.0, 3.0, 5.0]]]


def test_soft_edge_keeps_the_inside_and_the_outside():
    mask = torch.zeros(64, 64)
    mask[:, :32] = 1
    found = soft_edged(mask)
    assert torch.allclose(found[:, :20], torch.tensor(1.0), atol=1e-4)
    assert torch.allclose(found[:, 44:], torch.tensor(0.0), atol=1e-4)
    assert found[0, 31] > 0.5 > found[0, 32]


def test_enlarging_puts_values_in_the_middle_of_their_cells():
    found = enlarged(torch.tensor([[0.0, 1.0]]), (2, 8))
    assert found[0].tolist() == [0.0, 0.0, 0.125, 0.375, 0.625, 0.875, 1.0, 1.0]

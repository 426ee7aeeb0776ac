from __future__ import annotations

import numpy as np
import pytest
import torch

from foveal.visualisation.pixels import (
    amplitudes,
    frequencies,
    to_field,
)

SIZES = [(16, 16), (15, 17), (12, 21)]


def _noise(height: int, width: int, count: int) -> torch.Tensor:
    random = torch.Generator().manual_seed(0)
    return torch.randn(count, height, width // 2 + 1, 2, generator=random)


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("decay", [0.0, 1.0, 2.0])
def test_normal_coefficients_give_fields_of_variance_one(height, width, decay):
    strength = amplitudes(height, width, decay=decay)
    field = to_field(_noise(height, width, 4000), strength, width_px=width)
    assert field.square().mean() == pytest.approx(1, rel=0.05)


@pytest.mark.parametrize("decay", [1.0, 1.5])
def test_the_measured_spectrum_falls_as_asked(decay):
    strength = amplitudes(64, 64, decay=decay)
    field = to_field(_noise(64, 64, 200), strength, width_px=64).double().numpy()
    power = (abs(np.fft.fft2(field)) ** 2).mean(axis=0)
    y, x = np.meshgrid(np.fft.fftfreq(64), np.fft.fftfreq(64), indexing="ij")
    inside = (np.hypot(y, x) > 0) & (abs(x) > 0) & (abs(x) < 0.5)
    reader = np.polyfit(np.log(np.hypot(y, x)[inside]), np.log(power[inside]), 1)[0]
    assert reader == pytest.approx(-2 * decay, abs=0.05)


def test_frequencies_are_cycles_per_pixel():
    found = frequencies(4, 8)
    assert found[0].tolist() == [0, 0.125, 0.25, 0.375, 0.5]
    assert found[1, 2] == pytest.approx(np.hypot(1 / 4, 2 / 8))

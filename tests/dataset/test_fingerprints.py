from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from scipy.fft import dctn

from foveal.dataset import fingerprints
from foveal.dataset.fingerprints import fingerprint, hash_signatures


def test_the_hash_is_the_sign_of_the_low_cosine_coefficients(draw):
    signatures = np.stack(
        [np.asarray(draw(seed).resize((32, 32)), dtype=np.uint8) for seed in range(8)]
    )
    for signature, bits in zip(signatures, hash_signatures(signatures), strict=True):
        low = dctn(signature.astype(float), type=2)[:8, :8]
        # scipy's transform is unscaled, so signs and order are those of any scaling
        # that treats all frequencies alike.
        flat = low.ravel()
        expected = flat > np.median(flat[1:])
        expected[0] = False
        assert np.array_equal(np.unpackbits(bits).astype(bool), expected)


def test_mean_and_deviation_are_in_units_of_white():
    pixels = np.zeros((10, 10), dtype=np.uint8)
    pixels[:, :5] = 255
    prints = fingerprint(pixels)
    assert prints.grey_mean == pytest.approx(0.5)
    assert prints.grey_std == pytest.approx(0.5)


def test_deep_pictures_have_the_same_units(draw):
    shallow = np.asarray(draw(1))
    deep = fingerprint(shallow.astype(np.float32) / 255)
    assert deep.grey_std == pytest.approx(fingerprint(shallow).grey_std, abs=1e-5)
    assert deep.perceptual_hash == fingerprint(shallow).perceptual_hash


def test_deep_colour_is_weighted_like_shallow_colour(draw):
    colour = np.stack([np.asarray(draw(seed)) for seed in range(3)], axis=-1)
    deep = fingerprint(colour.astype(np.float32) / 255)
    assert deep.grey_mean == pytest.approx(fingerprint(colour).grey_mean, abs=0.005)


def test_grey_stored_as_colour_is_the_same_picture(draw):
    grey = np.asarray(draw(1))
    assert fingerprint(np.stack([grey] * 3, axis=-1)) == fingerprint(grey)


def test_one_pixel_in_colour_makes_another_picture(draw):
    grey = np.asarray(draw(1))
    colour = np.stack([grey] * 3, axis=-1)
    colour[7, 3, 0] ^= 1
    assert fingerprint(colour).pixel_digest != fingerprint(grey).pixel_digest


def test_the_shape_is_part_of_the_picture():
    wide, tall = np.zeros((2, 8), np.uint8), np.zeros((8, 2), np.uint8)
    assert fingerprint(wide).pixel_digest != fingerprint(tall).pixel_digest


def test_a_flat_picture_has_a_flat_signature():
    prints = fingerprint(np.full((50, 60), 90, dtype=np.uint8))
    assert set(prints.signature) == {128}


def test_a_dim_picture_keeps_its_signature(draw):
    bright = np.asarray(draw(1), dtype=np.float32) / 255
    dim = fingerprint(bright * 0.02)
    reference = np.frombuffer(fingerprint(bright).signature, np.uint8).astype(int)
    assert np.abs(np.frombuffer(dim.signature, np.uint8).astype(int) - reference).max() <= 1


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (1, 500), (3000, 5), (1200, 900)])
def test_any_size_has_a_signature_of_one_kilobyte(size):
    image = Image.new("RGB", size, (10, 20, 30))
    assert len(fingerprint(np.asarray(image)).signature) == 32 * 32


@pytest.mark.parametrize("kind", ["gray", "colour", "deep"])
def test_bands_of_a_large_picture_do_not_show(kind, monkeypatch):
    random = np.random.default_rng(4)
    shape = (90, 70, 3) if kind == "colour" else (90, 70)
    pixels = random.integers(0, 256, shape, np.uint8)
    if kind == "deep":
        pixels = np.float32(pixels) / np.float32(255)
    whole = fingerprint(pixels)
    monkeypatch.setattr(fingerprints, "_BAND_PIXELS", 1000)
    banded = fingerprint(pixels)
    assert (banded.signature, banded.pixel_digest) == (whole.signature, whole.pixel_digest)
    assert banded.grey_std == pytest.approx(whole.grey_std, abs=1e-12)
    white = 255.0 if pixels.dtype == np.uint8 else 1.0
    if kind != "colour":
        assert whole.grey_mean == pytest.approx(pixels.mean(dtype=np.float64) / white)
        assert whole.grey_std == pytest.approx(pixels.std(dtype=np.float64) / white)

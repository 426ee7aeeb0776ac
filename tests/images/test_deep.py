"""More than 8 bits a sample: every level counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foveal.errors import ImageError
from foveal.images import Preprocessing, Window, decode

FULL = Window(low_percentile=0, high_percentile=100)


def ramp(low: int, high: int) -> np.ndarray:
    return np.linspace(low, high, 64 * 64).round().astype(np.uint16).reshape(64, 64)


@given(low=st.integers(0, 60_000), span=st.integers(300, 65_535))
def test_a_sixteen_bit_ramp_keeps_its_order_and_its_levels(low, span):
    from PIL import Image

    levels = ramp(low, min(65_535, low + span))
    import io

    stream = io.BytesIO()
    Image.fromarray(levels).save(stream, "PNG")
    pixels = decode(stream.getvalue(), window=FULL).pixels
    assert pixels.dtype == np.float32
    assert (np.diff(pixels.ravel()) >= 0).all()
    assert len(np.unique(pixels)) == len(np.unique(levels))
    assert (pixels.min(), pixels.max()) == (0, 1)


def test_twelve_bits_in_sixteen_are_neither_white_nor_black(encode):
    pixels = decode(encode(ramp(0, 4095), "PNG")).pixels
    assert 0.45 < pixels.mean() < 0.55
    assert len(np.unique(pixels)) > 4000


def test_levels_survive_resizing(encode):
    preprocessing = Preprocessing(32, 32, mean=(0, 0, 0), std=(1, 1, 1), window=FULL)
    prepared = preprocessing.apply(encode(ramp(0, 4095), "PNG"))
    assert len(np.unique(prepared)) > 900  # of 1,024 pixels; 8 bits have 256


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_sixteen_bit_colour_png_keeps_its_low_bytes(channels, png16):
    levels = np.random.default_rng(0).integers(0, 65536, (9, 7, channels)).astype(np.uint16)
    if channels in (2, 4):
        levels[..., -1] = 65535
    colour = levels[..., 0] if channels == 2 else levels[..., :3]
    decoded = decode(png16(levels), window=FULL)
    low, high = int(colour.min()), int(colour.max())
    assert np.allclose(decoded.pixels, (colour.astype(float) - low) / (high - low), atol=1e-6)
    assert decoded.facts.bits_per_sample == 16
    assert decoded.facts.notes == ()


@pytest.mark.parametrize("byte_order", ["<", ">"])
@pytest.mark.parametrize("compression", [1, 8])
@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bit_tiff_keeps_its_low_bytes(channels, compression, byte_order, tiff):
    shape = (9, 7) if channels == 1 else (9, 7, 3)
    levels = np.random.default_rng(0).integers(0, 65536, shape).astype(np.uint16)
    data = tiff(levels, compression=compression, byte_order=byte_order)
    low, high = int(levels.min()), int(levels.max())
    expected = (levels.astype(float) - low) / (high - low)
    assert np.allclose(decode(data, window=FULL).pixels, expected, atol=1e-6)


def test_one_window_for_all_channels_keeps_the_hue(tiff):
    levels = np.zeros((4, 4, 3), np.uint16)
    levels[..., 0], levels[..., 1] = 1000, 500
    assert decode(tiff(levels), window=FULL).pixels[0, 0].tolist() == [1.0, 0.5, 0.0]


def test_transparent_deep_pixels_are_white_and_do_not_count(png16):
    levels = np.zeros((2, 2, 2), np.uint16)
    levels[..., 0] = [[100, 200], [300, 65535]]
    levels[..., 1] = [[65535, 65535], [65535, 0]]
    decoded = decode(png16(levels), window=FULL)
    assert decoded.pixels.tolist() == [[0.0, 0.5], [1.0, 1.0]]
    assert "Transparent pixels are shown on white." in decoded.facts.notes


def test_a_transparent_deep_level_is_white(png16):
    levels = np.array([[100, 200, 300, 7]], np.uint16)
    decoded = decode(png16(levels, (b"tRNS", (7).to_bytes(2, "big"))), window=FULL)
    assert decoded.pixels.tolist() == [[0.0, 0.5, 1.0, 1.0]]


def test_a_transparent_deep_colour_is_white(png16):
    levels = np.array([[[0, 0, 0], [100, 100, 100], [1, 2, 3]]], np.uint16)
    decoded = decode(png16(levels, (b"tRNS", bytes([0, 1, 0, 2, 0, 3]))), window=FULL)
    assert decoded.pixels[0].tolist() == [[0, 0, 0], [1, 1, 1], [1, 1, 1]]


def test_planes_that_pillow_would_decode_to_noise_are_refused(tiff):
    levels = np.random.default_rng(0).integers(0, 65536, (6, 8, 3)).astype(np.uint16)
    with pytest.raises(ImageError, match="colour planes") as caught:
        decode(tiff(levels, planar=2))
    assert caught.value.code == "unsupported_format"


def test_compressed_planes_are_read_with_eight_bits_and_say_so(tiff):
    levels = np.random.default_rng(0).integers(0, 65536, (6, 8, 3)).astype(np.uint16)
    decoded = decode(tiff(levels, planar=2, compression=8))
    assert np.array_equal(decoded.pixels, levels >> 8)
    assert decoded.facts.notes == ("Stored with 16 bits a channel, read with 8.",)


@pytest.mark.parametrize("photometric", [0, 1])
def test_white_is_zero_is_inverted(photometric, tiff):
    levels = np.array([[0, 100], [300, 400]], np.uint16)
    first = decode(tiff(levels, photometric=photometric), window=FULL).pixels[0, 0]
    assert first == 1 - photometric


def test_unsigned_32_bit_levels_above_the_signed_range_stay_on_top(tiff):
    levels = np.array([[0, 2**31 + 5], [2**32 - 1, 2**31 - 5]], np.uint32)
    pixels = decode(tiff(levels), window=FULL).pixels
    assert np.allclose(pixels, levels / (2**32 - 1), atol=1e-6)


def test_signed_32_bit_levels(tiff):
    levels = np.array([[-100, 0], [50, 100]], np.int32)
    pixels = decode(tiff(levels, sample_format=2), window=FULL).pixels
    assert pixels.tolist() == [[0.0, 0.5], [0.75, 1.0]]


def test_float_levels(encode):
    levels = np.array([[-1.5, 0.0], [1.5, 3.0]], np.float32)
    pixels = decode(encode(levels, "TIFF"), window=FULL).pixels
    assert np.allclose(pixels, [[0, 1 / 3], [2 / 3, 1]])


def test_float_pixels_that_are_no_numbers_are_named_and_harmless(encode):
    levels = np.array([[0, 1, 2, np.nan], [np.inf, -np.inf, 4, 3]], np.float32)
    decoded = decode(encode(levels, "TIFF"), window=FULL)
    assert decoded.pixels.tolist() == [[0, 0.25, 0.5, 0], [1, 0, 1, 0.75]]
    assert "3 values NaN or infinite" in decoded.facts.notes[0]


def test_a_float_picture_without_a_number_is_corrupt(encode):
    with pytest.raises(ImageError, match="not one pixel is a finite number") as caught:
        decode(encode(np.full((4, 4), np.nan, np.float32), "TIFF"))
    assert caught.value.code == "corrupt"


@pytest.mark.parametrize("level", [0, 1234, 65535])
def test_a_constant_deep_picture_is_grey(level, encode):
    decoded = decode(encode(np.full((8, 8), level, np.uint16), "PNG"))
    assert np.unique(decoded.pixels).tolist() == [0.5]
    assert "same grey level" in decoded.facts.notes[0]


def test_an_arrangement_that_pillow_does_not_know_is_unsupported(tiff):
    with pytest.raises(ImageError, match="unusual arrangement") as caught:
        decode(tiff(np.zeros((4, 4), np.float64), sample_format=3))
    assert caught.value.code == "unsupported_format"

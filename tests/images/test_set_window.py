"""One window for a set keeps what tells a bright image from a dark one."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foveal.errors import UsageError
from foveal.images import FixedRange, Preprocessing, Window, choose_window, decode, describe_window
from foveal.images.levels import SUMMARY_PERCENTILES, LevelKind, LevelSummary, pooled_percentiles

PLAIN = Preprocessing(16, 16, mean=(0, 0, 0), std=(1, 1, 1))


def texture(seed: int = 0) -> np.ndarray:
    """Shares of the brightest level, with both ends in it, [24, 24]."""
    shares = np.random.default_rng(seed).uniform(0.05, 1.0, (24, 24))
    shares[0, :4], shares[1, :4] = 0.0, 1.0
    return shares


def brightness(data: list[bytes], choice: str = "set") -> list[float]:
    """Mean network input of each image, under the window that training would choose."""
    levels = [decode(one).facts.levels for one in data]
    chosen = choose_window([one for one in levels if one is not None], choice)
    prepared = dataclasses.replace(PLAIN, window=chosen.window)
    return [float(prepared.apply(one).mean()) for one in data]


@pytest.fixture
def pairs(encode, png16, tiff, dicom):
    """The same texture, dim and bright, as files of every deep kind."""

    def make(kind: str, share: float) -> bytes:
        g = texture() * share
        match kind:
            case "16-bit PNG":
                return encode((g * 65535).astype(np.uint16), "PNG")
            case "12 bits in a PNG":
                return encode((g * 4095).astype(np.uint16), "PNG")
            case "16-bit colour PNG":
                return png16(np.stack([(g * 65535).astype(np.uint16)] * 3, axis=-1))
            case "16-bit TIFF":
                return tiff((g * 65535).astype(np.uint16), compression=8)
            case "float TIFF":
                return tiff(g.astype(np.float32), sample_format=3)
            case "32-bit TIFF":
                return tiff((g * 2e9).astype(np.uint32))
            case "DICOM":
                return dicom((g * 4095).astype(np.uint16), bits_stored=12, Modality="MR")
            case "DICOM, a window of its own each":
                values = (g * 4095).astype(np.uint16)
                window = {"WindowCenter": 2048 * share, "WindowWidth": 4096 * share}
                return dicom(values, bits_stored=12, Modality="CR", **window)
            case "DICOM CT":
                values = (g * 2000).astype(np.uint16)
                rescale = {"RescaleSlope": 1, "RescaleIntercept": -1024}
                return dicom(values, bits_stored=12, Modality="CT", **rescale)
            case "DICOM, negative":
                values = (4095 - g * 4095).astype(np.uint16)
                return dicom(values, bits_stored=12, photometric="MONOCHROME1", Modality="DX")
        raise AssertionError(kind)

    return lambda kind: [make(kind, 0.25), make(kind, 0.9)]


KINDS = [
    *("16-bit PNG", "12 bits in a PNG", "16-bit colour PNG", "16-bit TIFF", "float TIFF"),
    *("32-bit TIFF", "DICOM", "DICOM, a window of its own each", "DICOM CT", "DICOM, negative"),
]


@pytest.mark.parametrize("kind", KINDS)
def test_dim_and_bright_stay_as_far_apart_as_they_are(kind, pairs):
    dim, bright = brightness(pairs(kind))
    assert dim / bright == pytest.approx(0.25 / 0.9, abs=0.03)


@pytest.mark.parametrize("kind", KINDS)
def test_image_by_image_they_cannot_be_told_apart(kind, pairs):
    dim, bright = brightness(pairs(kind), "image")
    assert dim == pytest.approx(bright, abs=0.02)


def test_the_full_range_is_that_of_eight_bits(encode):
    shares = texture()
    deep = brightness([encode((shares * 65535).astype(np.uint16), "PNG")], "range")
    flat = PLAIN.apply(encode((shares * 255).astype(np.uint8), "PNG")).mean()
    assert deep[0] == pytest.approx(float(flat), abs=0.004)


def test_a_negative_gives_its_positives_pixels_under_one_window(dicom):
    values = (texture() * 4095).astype(np.uint16)
    positive = dicom(values, bits_stored=12, Modality="DX")
    negative = dicom(4095 - values, bits_stored=12, photometric="MONOCHROME1", Modality="DX")
    levels = [decode(one).facts.levels for one in (positive, negative)]
    assert choose_window(levels[:1]) == choose_window(levels[1:])
    chosen = dataclasses.replace(PLAIN, window=choose_window(levels).window)
    assert np.array_equal(chosen.apply(positive), chosen.apply(negative))


def test_a_window_that_all_headers_state_is_taken(dicom):
    values = (texture() * 4095).astype(np.uint16)
    rules = {"RescaleIntercept": -1024, "RescaleSlope": 1, "Modality": "CT"}
    same = [
        decode(dicom(values // n, bits_stored=12, WindowCenter=40, WindowWidth=401, **rules))
        for n in (1, 2)
    ]
    chosen = choose_window([one.facts.levels for one in same])
    # PS3.3 C.11.2.1.2: black at c - 0.5 - (w - 1) / 2, white at c - 0.5 + (w - 1) / 2.
    assert chosen.window.fixed == (FixedRange("DICOM CT", 39.5 - 200, 39.5 + 200),)


def test_hounsfield_units_are_for_ct_alone(dicom, encode):
    values = (texture() * 4095).astype(np.uint16)
    ct = dicom(values, bits_stored=12, RescaleIntercept=-1024, RescaleSlope=1, Modality="CT")
    levels = [decode(one).facts.levels for one in (ct, encode(values, "PNG"))]
    chosen = choose_window(levels, "hounsfield").window
    assert chosen.range_for(levels[0].kind) == FixedRange("DICOM CT", -1000, 1000)
    assert chosen.range_for(levels[1].kind).high == pytest.approx(4095, rel=0.01)


def test_two_levels_can_be_asked_for(dicom):
    values = (texture() * 4095).astype(np.uint16)
    levels = decode(dicom(values, bits_stored=12, Modality="CT")).facts.levels
    assert choose_window([levels], "-160:240").window.fixed == (FixedRange("DICOM CT", -160, 240),)


def test_the_header_of_each_file_can_be_followed(pairs):
    dim, bright = brightness(pairs("DICOM, a window of its own each"), "header")
    assert dim == pytest.approx(bright, abs=0.02)


@pytest.mark.parametrize(
    ("choice", "message"),
    [("hounsfeld", "no window 'hounsfeld'"), ("240:-160", "the lower first"), ("", "no window")],
)
def test_another_choice_is_refused(choice, message):
    with pytest.raises(UsageError, match=message):
        choose_window([], choice)


def test_a_kind_that_was_not_in_training_is_said(encode):
    other = Window(fixed=(FixedRange("DICOM CT", 0, 1),))
    decoded = decode(encode((texture() * 65535).astype(np.uint16), "PNG"), window=other)
    assert "No training image had levels of the kind uint16" in decoded.facts.notes[0]
    described = describe_window(other, [decoded.facts.levels])
    assert "not in training" in described.sentences[0]


def test_a_flat_set_needs_no_window():
    kind = LevelKind("uint16", 0, 65535)
    flat = LevelSummary(kind, (7.0,) * len(SUMMARY_PERCENTILES))
    assert choose_window([flat]).window.fixed == ()


@given(st.lists(st.integers(0, 65535), min_size=1, max_size=40), st.integers(1, 5))
def test_equal_images_together_have_the_percentiles_of_one(values, copies):
    quantiles = np.quantile(values, np.array(SUMMARY_PERCENTILES) / 100, method="lower")
    one = LevelSummary(LevelKind("uint16", 0, 65535), tuple(map(float, quantiles)))
    wanted = (0.5, 50.0, 99.5)
    expected = tuple(float(quantiles[SUMMARY_PERCENTILES.index(p)]) for p in wanted)
    assert pooled_percentiles([one] * copies, wanted) == expected


def test_a_word_in_the_modality_that_is_no_code_is_not_repeated(dicom):
    values = (texture() * 4095).astype(np.uint16)
    assert decode(dicom(values, Modality="MILLER JOHN")).facts.levels.kind.name == "DICOM"

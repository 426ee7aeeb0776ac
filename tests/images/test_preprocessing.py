"""From a file to the network's input, always the same way."""

from __future__ import annotations

import dataclasses
import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from foveal.errors import DataError, ImageError, UsageError
from foveal.images import VIEWS, FixedRange, Preprocessing, Window, decode, preprocessing

PLAIN = Preprocessing(16, 16, mean=(0, 0, 0), std=(1, 1, 1))
CONFIG = {
    "input_size": (3, 224, 224),
    "mean": (0.485, 0.456, 0.406),
    "std": (0.229, 0.224, 0.225),
    "interpolation": "bicubic",
    "crop_pct": 0.875,
    "classifier": "fc",
}


@pytest.fixture
def files(encode, png16, tiff, dicom, picture) -> list[bytes]:
    deep = np.random.default_rng(0).integers(0, 4096, (60, 44)).astype(np.uint16)
    large = Image.fromarray(picture).resize((700, 500))
    return [
        encode(picture, "PNG"),
        encode(picture[..., 0], "PNG"),
        encode(large, "JPEG"),
        encode(Image.fromarray(picture).convert("CMYK"), "JPEG"),
        encode(deep, "PNG"),
        png16(np.stack([deep] * 3, axis=-1)),
        tiff(deep, compression=8),
        dicom(deep, bits_stored=12),
    ]


def test_the_output_is_three_channels_of_float32(files):
    for data in files:
        output = Preprocessing(20, 30).apply(data)
        assert output.shape == (3, 20, 30)
        assert output.dtype == np.float32
        assert output.flags.c_contiguous
        assert np.isfinite(output).all()


@pytest.mark.parametrize("fit", ["squash", "crop", "pad"])
@pytest.mark.parametrize("view", VIEWS)
def test_preparing_what_was_decoded_equals_applying(fit, view, files):
    chosen = Preprocessing(20, 30, fit=fit)
    for data in files:
        decoded = decode(data, window=chosen.window, reduce_to_px=chosen.reduce_to_px)
        assert np.array_equal(chosen.prepare(decoded, view=view), chosen.apply(data, view=view))


def test_a_path_and_its_bytes_give_the_same(tmp_path, files):
    for index, data in enumerate(files):
        path = tmp_path / str(index)
        path.write_bytes(data)
        assert np.array_equal(PLAIN.apply(path), PLAIN.apply(data))


def test_many_threads_give_what_one_gives(files):
    jobs = [(data, view) for data in files for view in VIEWS] * 4
    serial = [PLAIN.apply(data, view=view) for data, view in jobs]
    with ThreadPoolExecutor(8) as pool:
        parallel = list(pool.map(lambda job: PLAIN.apply(job[0], view=job[1]), jobs))
    assert all(np.array_equal(one, other) for one, other in zip(serial, parallel, strict=True))


def test_gray_gives_three_channels_normalised_apart(encode):
    chosen = Preprocessing(4, 4, mean=(0.1, 0.2, 0.3), std=(1.0, 2.0, 4.0))
    output = chosen.apply(encode(np.full((9, 9), 51, np.uint8), "PNG"))
    assert np.allclose(output[:, 0, 0], [0.1, 0.0, -0.025])


def test_colour_is_normalised_channel_by_channel(encode):
    chosen = Preprocessing(4, 4, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.25))
    output = chosen.apply(encode(np.full((9, 9, 3), (0, 255, 255), np.uint8), "PNG"))
    assert np.allclose(output[:, 2, 2], [-1.0, 1.0, 2.0])


@pytest.mark.parametrize(("shape", "filled"), [((40, 10), (16, 4)), ((10, 40), (4, 16))])
def test_pad_fills_with_zero_on_both_sides(shape, filled, encode):
    output = dataclasses.replace(PLAIN, fit="pad").apply(
        encode(np.full(shape, 255, np.uint8), "PNG")
    )
    inside = np.zeros((16, 16), np.float32)
    top, left = (16 - filled[0]) // 2, (16 - filled[1]) // 2
    inside[top : top + filled[0], left : left + filled[1]] = 1
    assert np.array_equal(output[1], inside)


ORACLES = {
    "identity": lambda a: a,
    "hflip": np.fliplr,
    "vflip": np.flipud,
    "rot90": np.rot90,
    "rot180": lambda a: np.rot90(a, 2),
    "rot270": lambda a: np.rot90(a, 3),
    "transpose": np.transpose,
    "transverse": lambda a: np.transpose(np.rot90(a, 2)),
}


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_equals_turning_a_square_input(view, encode, picture):
    data = encode(picture, "PNG")
    upright, turned = PLAIN.apply(data), PLAIN.apply(data, view=view)
    assert np.array_equal(turned[0], ORACLES[view](upright[0]))


@pytest.mark.parametrize("view", ["rot90", "rot270", "transpose", "transverse"])
@pytest.mark.parametrize("fit", ["squash", "crop", "pad"])
def test_a_quarter_turn_of_an_oblong_input_equals_turning_the_file(view, fit, encode, picture):
    chosen = Preprocessing(12, 20, fit=fit)
    turned_file = np.stack([ORACLES[view](picture[..., c]) for c in range(3)], axis=-1)
    expected = chosen.apply(encode(np.ascontiguousarray(turned_file), "PNG"))
    actual = chosen.apply(encode(picture, "PNG"), view=view)
    # Levels are rounded to 8 bits between the two passes, whose axes are exchanged here.
    assert np.abs(actual - expected).max() < 4 / 255


def test_views_begin_with_the_identity_and_are_the_eight():
    assert VIEWS[0] == "identity"
    assert set(VIEWS) == set(ORACLES)


def test_an_unknown_view_is_refused(encode, picture):
    with pytest.raises(UsageError, match="view: got 'upside-down'"):
        PLAIN.apply(encode(picture, "PNG"), view="upside-down")


def test_reduction_changes_little_and_can_be_switched_off(encode):
    y, x = np.mgrid[0:600, 0:800]
    data = encode(((np.sin(x / 40) * np.cos(y / 30) + 1) * 127).astype(np.uint8), "JPEG")
    reduced, whole = PLAIN.apply(data), dataclasses.replace(PLAIN, jpeg_reduction=False).apply(data)
    assert not np.array_equal(reduced, whole)
    assert np.abs(reduced - whole).max() < 0.02


def test_json_comes_back_equal():
    original = Preprocessing(
        8,
        9,
        fit="crop",
        crop_fraction=0.9,
        mean=(0, 0.1, 1),
        window=Window(1, 99, "percentile", (FixedRange("uint16", 0.5, 4095),)),
    )
    text = json.dumps(original.to_json())
    assert Preprocessing.from_json(json.loads(text)) == original
    assert Preprocessing.from_json(json.loads(text)).digest == original.digest


def test_json_holds_every_setting():
    names = {field.name for field in dataclasses.fields(Preprocessing)}
    assert set(PLAIN.to_json()) == {"version", *names}
    assert set(PLAIN.to_json()["window"]) == {f.name for f in dataclasses.fields(Window)}


def test_an_unknown_key_is_named_with_the_near_one():
    value = {**PLAIN.to_json(), "interpolatoin": "bicubic"}
    with pytest.raises(DataError, match=r"'interpolatoin' is unknown \(near: interpolation\)"):
        Preprocessing.from_json(value)


@pytest.mark.parametrize("key", [*PLAIN.to_json()])
def test_a_missing_key_is_named(key):
    value = PLAIN.to_json()
    del value[key]
    with pytest.raises(DataError, match=f"'{key}' is missing"):
        Preprocessing.from_json(value)


def test_a_missing_key_of_the_window_is_named():
    value = PLAIN.to_json()
    del value["window"]["dicom"]
    with pytest.raises(DataError, match="window: the key 'dicom' is missing"):
        Preprocessing.from_json(value)


def window(**changes):
    return {**PLAIN.to_json()["window"], **changes}


@pytest.mark.parametrize(
    ("key", "wrong", "message"),
    [
        ("height_px", "224", "expected an integer"),
        ("height_px", True, "expected an integer"),
        ("height_px", 0, "expected a positive integer"),
        ("mean", [0.5, 0.5], "three numbers"),
        ("std", [0.5, 0.5, 0], "above 0"),
        ("std", [0.5, 0.5, float("nan")], "above 0"),
        ("fit", "stretch", "'squash' or 'crop' or 'pad'"),
        ("interpolation", "nearest", "'bilinear' or 'bicubic' or 'lanczos'"),
        ("crop_fraction", 1.5, "up to 1"),
        ("jpeg_reduction", 1, "true or false"),
        ("window", [], "expected a JSON object"),
        ("window", window(fixed=[]), "an object of two levels for each kind"),
        ("window", window(fixed={"uint16": [1]}), "expected two levels"),
        ("window", window(fixed={"uint16": [5, 5]}), "the lower first"),
        ("window", window(fixed={"uint16": [0, float("nan")]}), "two finite numbers"),
        ("version", 99, "got version 99, expected 2"),
    ],
)
def test_a_wrong_value_is_named(key, wrong, message):
    with pytest.raises(DataError, match=message):
        Preprocessing.from_json({**PLAIN.to_json(), key: wrong})


def test_json_that_is_no_object_is_refused():
    with pytest.raises(DataError, match="got list"):
        Preprocessing.from_json([])


@pytest.mark.parametrize(
    "change",
    [
        {"height_px": 17},
        {"width_px": 17},
        {"fit": "pad"},
        {"crop_fraction": 0.5},
        {"interpolation": "lanczos"},
        {"mean": (0, 0, 0.1)},
        {"std": (1, 1, 2)},
        {"window": Window(0, 100)},
        {"window": Window(dicom="percentile")},
        {"window": Window(fixed=(FixedRange("uint16", 0, 1),))},
        {"max_pixels": 5},
        {"jpeg_reduction": False},
        {"frame": 1},
    ],
)
def test_every_setting_changes_the_digest(change):
    assert dataclasses.replace(PLAIN, **change).digest != PLAIN.digest


def test_the_version_changes_the_digest(monkeypatch):
    before = PLAIN.digest
    monkeypatch.setattr(preprocessing, "PREPROCESSING_VERSION", 99)
    assert PLAIN.digest != before


def test_whole_and_real_numbers_have_the_same_digest():
    assert dataclasses.replace(PLAIN, mean=(0.0, 0.0, 0.0)).digest == PLAIN.digest


def test_the_digest_is_the_one_that_caches_were_written_with():
    # A changed digest throws away everybody's cached features: only with a new version.
    assert Preprocessing(224, 224).digest == (
        "13ffb41d90bfd8be988185b8f6eb24c67b46246c0030500f573df06318d9ff27"
    )


@pytest.mark.parametrize(("fit", "kept"), [("squash", 1.0), ("pad", 1.0), ("crop", 0.875)])
def test_the_weights_configuration_is_followed(fit, kept):
    chosen = Preprocessing.from_pretrained(CONFIG, fit=fit)
    assert (chosen.height_px, chosen.width_px) == (224, 224)
    assert (chosen.mean, chosen.std) == (CONFIG["mean"], CONFIG["std"])
    assert (chosen.interpolation, chosen.crop_fraction) == ("bicubic", kept)


def test_another_size_can_be_asked_for():
    assert Preprocessing.from_pretrained(CONFIG, size_px=160).width_px == 160


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mean": None}, "has no 'mean'"),
        ({"std": None}, "has no 'std'"),
        ({"interpolation": "nearest"}, "got interpolation 'nearest'"),
        ({"input_size": (1, 28, 28)}, r"expected \(3, H, W\)"),
        ({"input_size": None}, r"expected \(3, H, W\)"),
    ],
)
def test_a_configuration_that_cannot_be_followed_is_refused(change, message):
    with pytest.raises(DataError, match=message):
        Preprocessing.from_pretrained({**CONFIG, **change})


def test_the_pixel_cap_is_kept(encode, picture):
    with pytest.raises(ImageError, match="more than the 100 allowed"):
        dataclasses.replace(PLAIN, max_pixels=100).apply(encode(picture, "PNG"))


@pytest.mark.slow
def test_fifty_megapixels_are_prepared():
    import io

    flat = Image.new("RGB", (8660, 5774), (200, 100, 50))
    for name in ("JPEG", "PNG"):
        stream = io.BytesIO()
        flat.save(stream, name)
        output = PLAIN.apply(stream.getvalue())
        assert np.allclose(output[:, 8, 8] * 255, (200, 100, 50), atol=2)

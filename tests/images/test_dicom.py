"""DICOM: what a viewer would show, and nothing about the patient."""

from __future__ import annotations

import hashlib
import io
import logging
import subprocess
import sys
import traceback
import warnings
import zlib

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    HTJ2K,
    MPEG2MPML,
    DeflatedExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLSLossless,
    RLELossless,
)

from foveal.errors import ImageError
from foveal.images import Window, decode

FULL = Window(low_percentile=0, high_percentile=100)
PLANTED = ("Planted", "PLANTED-ID-77")


@pytest.fixture
def levels() -> np.ndarray:
    y, x = np.mgrid[0:30, 0:44]
    return (x * 60 + y * 40).astype(np.uint16)  # 0 to 3,740: 12 bits


def test_without_a_window_percentiles_are_used_and_a_note_says_so(dicom, levels):
    decoded = decode(dicom(levels, bits_stored=12), window=FULL)
    assert np.allclose(decoded.pixels, levels / levels.max(), atol=1e-6)
    assert decoded.facts.notes == ("The header gives no display window; percentiles are used.",)


def test_the_facts(dicom, levels):
    facts = decode(dicom(levels, bits_stored=12, WindowCenter=2000, WindowWidth=4000)).facts
    assert (facts.format, facts.stored_mode, facts.bits_per_sample) == ("DICOM", "MONOCHROME2", 12)
    assert (facts.height_px, facts.width_px, facts.num_frames) == (30, 44, 1)
    assert facts.patient_key == hashlib.sha256(b"PLANTED-ID-77").hexdigest()[:16]
    assert facts.notes == ()


@pytest.mark.parametrize("missing", ["", None, "   "])
def test_without_a_patient_id_there_is_no_key(missing, dicom, levels):
    assert decode(dicom(levels, PatientID=missing)).facts.patient_key is None


@pytest.mark.parametrize("header", [{}, {"WindowCenter": 1800.5, "WindowWidth": 2000}])
def test_a_monochrome1_picture_equals_its_monochrome2_twin(header, dicom, levels):
    twin = {**header}
    if header:  # the centre of the negative, C.11.2.1.2 counting from c - 0.5
        twin["WindowCenter"] = 4095 - header["WindowCenter"] + 1
    positive = decode(dicom(levels, bits_stored=12, **header))
    negative = decode(
        dicom((4095 - levels).astype(np.uint16), photometric="MONOCHROME1", bits_stored=12, **twin)
    )
    assert np.array_equal(positive.pixels, negative.pixels)


def test_rescaling_comes_before_the_window(dicom, levels):
    scaled = {"RescaleSlope": 2, "RescaleIntercept": -1024}
    window = {"WindowCenter": 500.5, "WindowWidth": 1001, "VOILUTFunction": "LINEAR"}
    pixels = decode(dicom(levels, **scaled, **window)).pixels
    assert np.allclose(pixels, np.clip((levels * 2.0 - 1024) / 1000, 0, 1), atol=1e-6)


def test_the_header_can_be_ignored(dicom, levels):
    data = dicom(levels, WindowCenter=10, WindowWidth=5)
    ignoring = Window(low_percentile=0, high_percentile=100, dicom="percentile")
    assert np.allclose(decode(data, window=ignoring).pixels, levels / levels.max(), atol=1e-6)


def test_the_first_of_several_windows_is_used(dicom, levels):
    one = decode(dicom(levels, WindowCenter=500, WindowWidth=800)).pixels
    two = decode(dicom(levels, WindowCenter=[500, 9], WindowWidth=[800, 9])).pixels
    assert np.array_equal(one, two)


def test_a_window_without_width_is_ignored(dicom, levels):
    decoded = decode(dicom(levels, WindowCenter=500, WindowWidth=0), window=FULL)
    assert np.allclose(decoded.pixels, levels / levels.max(), atol=1e-6)


def test_padding_is_black_and_does_not_count(dicom):
    levels = np.array([[100, 150], [200, 60_000]], np.uint16)
    for photometric in ("MONOCHROME1", "MONOCHROME2"):
        data = dicom(levels, photometric=photometric, PixelPaddingValue=60_000)
        assert decode(data, window=FULL).pixels[1, 1] == 0
        assert decode(data, window=FULL).pixels[0, 1] == 0.5


def test_signed_levels(dicom):
    levels = np.array([[-1000, 0], [500, 1000]], np.int16)
    assert decode(dicom(levels), window=FULL).pixels.tolist() == [[0, 0.5], [0.75, 1]]


def test_eight_bit_gray_is_windowed_too(dicom):
    levels = np.array([[0, 100], [200, 255]], np.uint8)
    pixels = decode(dicom(levels, WindowCenter=128, WindowWidth=256)).pixels
    assert pixels.dtype == np.float32
    assert np.allclose(pixels, levels / 255, atol=1e-6)


def test_colour_stays_eight_bit_rgb(dicom, picture):
    decoded = decode(dicom(picture, photometric="RGB"))
    assert np.array_equal(decoded.pixels, picture)


def test_ybr_becomes_rgb(dicom, picture):
    from PIL import Image

    ybr = np.asarray(Image.fromarray(picture).convert("YCbCr"))
    pixels = decode(dicom(ybr, photometric="YBR_FULL")).pixels
    assert np.abs(pixels.astype(int) - picture).max() <= 3


def test_a_palette_becomes_its_colours(dicom):
    def table(values):
        return np.array(values, np.uint16).tobytes()

    elements = {}
    for name, values in (("Red", [0, 65535]), ("Green", [32768, 0]), ("Blue", [0, 256])):
        elements[f"{name}PaletteColorLookupTableDescriptor"] = [2, 0, 16]
        elements[f"{name}PaletteColorLookupTableData"] = table(values)
    data = dicom(np.array([[0, 1]], np.uint8), photometric="PALETTE COLOR", **elements)
    assert decode(data).pixels.tolist() == [[[0, 128, 0], [255, 0, 1]]]


@pytest.mark.parametrize(("frame", "shown"), [("middle", 1), (1, 0), (2, 1), (3, 2), (9, 2)])
def test_of_several_frames_one_is_used(frame, shown, dicom, levels):
    frames = np.stack([levels * 0, levels, levels[::-1] // 2])
    decoded = decode(dicom(frames), window=FULL, frame=frame)
    expected = frames[shown] / frames[shown].max() if shown else np.full(levels.shape, 0.5)
    assert np.allclose(decoded.pixels, expected, atol=1e-6)
    assert (decoded.facts.num_frames, decoded.facts.frame) == (3, shown + 1)
    assert "several frames" in decoded.facts.notes[0]


def test_each_frame_has_its_own_rules(dicom, levels):
    from pydicom.dataset import Dataset

    def group(slope: int) -> Dataset:
        one, macro = Dataset(), Dataset()
        macro.RescaleSlope, macro.RescaleIntercept = slope, 0
        one.PixelValueTransformationSequence = [macro]
        return one

    data = dicom(np.stack([levels, levels]), PerFrameFunctionalGroupsSequence=[group(1), group(3)])
    tops = [decode(data, frame=number).facts.levels.quantiles[-1] for number in (1, 2)]
    assert tops[1] == 3 * tops[0]


def test_an_enhanced_file_keeps_its_rules_in_functional_groups(dicom, levels):
    rescale, voi, shared = Dataset(), Dataset(), Dataset()
    rescale.RescaleSlope, rescale.RescaleIntercept = 2, -1024
    voi.WindowCenter, voi.WindowWidth = 500.5, 1001
    shared.PixelValueTransformationSequence = Sequence([rescale])
    shared.FrameVOILUTSequence = Sequence([voi])
    data = dicom(levels[None], SharedFunctionalGroupsSequence=Sequence([shared]))
    expected = np.clip((levels * 2.0 - 1024) / 1000, 0, 1)
    assert np.allclose(decode(data).pixels, expected, atol=1e-6)


def test_run_length_compression(dicom, levels):
    plain, packed = decode(dicom(levels)), decode(dicom(levels, syntax=RLELossless))
    assert np.array_equal(plain.pixels, packed.pixels)


def test_jpeg_2000_compression(dicom, encode, levels):
    stream = encode(levels, "JPEG2000", no_jp2=True)
    packed = decode(dicom(levels, syntax=JPEG2000Lossless, frames=[stream]))
    assert np.array_equal(decode(dicom(levels)).pixels, packed.pixels)


def test_jpeg_compression(dicom, encode, picture):
    gray = picture[..., 0]
    data = dicom(gray, syntax=JPEGBaseline8Bit, frames=[encode(gray, "JPEG", quality=98)])
    expected = decode(dicom(gray)).pixels
    assert np.abs(decode(data).pixels - expected).max() < 0.05


def test_without_a_preamble(dicom, levels):
    data = dicom(levels, syntax=ImplicitVRLittleEndian)
    start = 132 + 12 + int.from_bytes(data[140:144], "little")
    assert np.array_equal(decode(data[start:]).pixels, decode(data).pixels)


@pytest.mark.parametrize(
    ("syntax", "package"),
    [
        (JPEGLossless, "python-gdcm"),
        (JPEGLSLossless, "python-gdcm"),
        (JPEGExtended12Bit, "python-gdcm"),
        (HTJ2K, "pylibjpeg-openjpeg"),
    ],
)
def test_without_its_codec_the_package_is_named(syntax, package, dicom, levels, monkeypatch):
    from pydicom.pixels.decoders.base import get_decoder

    # Whatever is installed here: only Pillow stays.
    decoder = get_decoder(syntax)
    stays = {k: v for k, v in decoder._available.items() if k == "pillow"}
    monkeypatch.setattr(decoder, "_available", stays)
    monkeypatch.setattr(decoder, "_unavailable", {"gdcm": ("gdcm",), "pylibjpeg": ("pylibjpeg",)})
    data = dicom(levels, bits_stored=12, syntax=syntax, frames=[b"\xff\xd8\xff\xd9"])
    with pytest.raises(ImageError, match=f"pip install .*{package}") as caught:
        decode(data)
    assert caught.value.code == "missing_codec"


def test_video_is_unsupported(dicom, levels):
    with pytest.raises(ImageError, match="video") as caught:
        decode(dicom(levels, syntax=MPEG2MPML, frames=[b"\0\0\1\xb3"]))
    assert caught.value.code == "unsupported_format"


def test_a_report_is_no_image(dicom, levels):
    import pydicom

    dataset = pydicom.dcmread(io.BytesIO(dicom(levels)))
    for name in ("PixelData", "Rows", "Columns"):
        delattr(dataset, name)
    stream = io.BytesIO()
    dataset.save_as(stream)
    with pytest.raises(ImageError, match="without an image") as caught:
        decode(stream.getvalue())
    assert caught.value.code == "not_an_image"


def test_more_pixels_than_allowed_are_refused(dicom, levels):
    with pytest.raises(ImageError, match="44 by 30 pixels") as caught:
        decode(dicom(levels), max_pixels=1000)
    assert caught.value.code == "too_large"


def test_a_deflated_file_is_read_and_a_deflated_bomb_is_not(dicom, levels):
    data = dicom(levels, syntax=DeflatedExplicitVRLittleEndian)
    assert np.array_equal(decode(data).pixels, decode(dicom(levels)).pixels)
    start = 144 + int.from_bytes(data[140:144], "little")
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    bomb = data[:start] + packer.compress(bytes(1 << 20)) + packer.flush()
    with pytest.raises(ImageError, match="deflated DICOM data exceed") as caught:
        decode(bomb, max_pixels=10_000)
    assert caught.value.code == "too_large"


@pytest.mark.parametrize("compression", ["none", "rle", "jpeg 2000"])
def test_no_cut_gives_a_part_of_the_picture(compression, dicom, encode, levels):
    if compression == "none":
        data = dicom(levels)
    elif compression == "rle":
        data = dicom(levels, syntax=RLELossless)
    else:
        stream = encode(levels, "JPEG2000", no_jp2=True)
        data = dicom(levels, syntax=JPEG2000Lossless, frames=[stream])
    whole = decode(data).pixels
    wrong: list[object] = []
    for cut in [*range(0, len(data), 23), *range(len(data) - 40, len(data))]:
        try:
            if not np.array_equal(decode(data[:cut]).pixels, whole):
                wrong.append(cut)
        except ImageError as error:
            if error.code not in {"truncated", "corrupt", "not_an_image", "empty_file"}:
                wrong.append((cut, error.code))
    assert wrong == []


def everything_said(data: bytes, caplog, capfd) -> str:
    """All text that a decoding leaves anywhere: error chain, locals aside, logs, streams."""
    said = []
    with warnings.catch_warnings(record=True) as caught, caplog.at_level(logging.DEBUG):
        warnings.simplefilter("always")
        try:
            said.append(repr(decode(data).facts))
        except ImageError as error:
            said.append("".join(traceback.format_exception(error)))
            cause: BaseException | None = error
            while cause is not None:
                said.append(repr(cause))
                cause = cause.__cause__ or cause.__context__
    said.extend(str(w.message) for w in caught)
    return "\n".join([*said, caplog.text, *capfd.readouterr()])


def test_no_patient_data_are_said_by_a_whole_file(dicom, levels, caplog, capfd):
    text = everything_said(dicom(levels), caplog, capfd)
    assert "format='DICOM'" in text
    assert not [word for word in PLANTED if word in text]


@pytest.mark.parametrize(
    "elements",
    [
        {"Rows": 0},
        {"WindowCenter": 1, "WindowWidth": 1, "PixelData": b"Planted^Name"},
        {"BitsAllocated": 13},
        {"SamplesPerPixel": 2},
        {"RescaleType": "Planted", "PixelRepresentation": 7},
    ],
)
def test_no_patient_data_are_said_by_a_broken_file(elements, dicom, levels, caplog, capfd):
    text = everything_said(dicom(levels, **elements), caplog, capfd)
    assert not [word for word in PLANTED if word in text]


def test_an_unknown_photometric_word_is_not_repeated(dicom, levels, caplog, capfd):
    data = dicom(levels).replace(b"MONOCHROME2 ", b"PLANTED-ID-7")
    text = everything_said(data, caplog, capfd)
    assert "unknown photometric interpretation" in text
    assert "PLANTED" not in text


def test_no_patient_data_are_said_where_values_are_invalid(dicom, levels, caplog, capfd):
    data = dicom(levels, WindowCenter="12345.5", WindowWidth="400", PatientAge="044Y")
    data = data.replace(b"12345.5", b"Planted").replace(b"044Y", b"Plan")
    text = everything_said(data, caplog, capfd)
    assert not [word for word in (*PLANTED, "Plan") if word in text]


def test_no_patient_data_are_said_wherever_a_byte_is_damaged(dicom, levels, caplog, capfd):
    data = dicom(levels[:4, :4])
    random = np.random.default_rng(0)
    for _ in range(120):
        damaged = bytearray(data)
        for position in random.integers(132, len(data), 3):
            damaged[position] = random.integers(0, 256)
        text = everything_said(bytes(damaged), caplog, capfd)
        assert not [word for word in PLANTED if word in text]


def test_pydicom_is_imported_for_dicom_alone():
    script = (
        "import sys, io; from PIL import Image; from foveal.images import decode;"
        "s = io.BytesIO(); Image.new('L', (4, 4)).save(s, 'PNG'); decode(s.getvalue());"
        "sys.exit('pydicom' in sys.modules or 'torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0

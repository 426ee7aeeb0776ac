"""What only trying shows is tried in another process, with the same pixels."""

from __future__ import annotations

import struct
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from foveal.errors import ImageError
from foveal.images import MAX_PIXELS, Window, decode, guarded
from foveal.images.decoding import decode_here
from foveal.images.formats import format_of
from foveal.images.guarded import Request

REQUEST = Request(Window(), MAX_PIXELS, None, "middle")


@pytest.fixture
def files(encode, tiff, dicom, picture) -> dict[str, bytes]:
    deep = (np.arange(40 * 30, dtype=np.uint16) * 50).reshape(40, 30)
    return {
        "DICOM": dicom(deep, Modality="CT", RescaleIntercept=-1024, RescaleSlope=1),
        "DICOM colour": dicom(picture, photometric="RGB"),
        "deflated TIFF": tiff(deep, compression=8),
        "LZW TIFF": encode(picture, "TIFF", compression="tiff_lzw"),
        "JPEG TIFF": encode(picture, "TIFF", compression="jpeg"),
    }


KINDS = ["DICOM", "DICOM colour", "deflated TIFF", "LZW TIFF", "JPEG TIFF"]


@pytest.mark.parametrize("kind", KINDS)
def test_pixels_and_facts_are_those_of_decoding_here(kind, files):
    assert format_of(files[kind]).is_guarded(files[kind])
    there, here = decode(files[kind]), decode_here(files[kind], REQUEST).to_decoded()
    assert np.array_equal(there.pixels, here.pixels)
    assert there.pixels.dtype == here.pixels.dtype
    assert there.facts == here.facts


def test_an_error_is_told_in_the_same_words(dicom):
    data = dicom(np.zeros((30, 30), np.uint16))[:-40]
    with pytest.raises(ImageError) as there:
        decode(data)
    with pytest.raises(ImageError) as here:
        decode_here(data, REQUEST)
    assert (there.value.code, str(there.value)) == (here.value.code, str(here.value))


def test_what_takes_too_long_is_ended_and_the_next_is_read(encode, monkeypatch):
    noise = np.random.default_rng(0).integers(0, 256, (1500, 1500, 3), np.uint8)
    data = encode(noise, "TIFF", compression="tiff_lzw")
    with monkeypatch.context() as short:
        short.setattr(guarded, "_CPU_SECONDS", 0.001)
        short.setattr(guarded, "_CPU_SECONDS_PER_BYTE", 0)
        with pytest.raises(ImageError, match="takes too long") as caught:
            decode(data)
    assert caught.value.code == "too_large"
    assert np.array_equal(decode(data).pixels, noise)


def test_a_process_that_waits_is_ended_by_the_clock(files, monkeypatch):
    monkeypatch.setattr(guarded, "_CLOCK_SECONDS_PER_BYTE", 0)
    decode(files["DICOM"])  # so that a process is there
    monkeypatch.setattr(guarded, "_CLOCK_SECONDS", 0.0)
    worker = guarded.take_worker()
    worker.ask = lambda *args, **options: type(worker).ask(worker, {"cpu_seconds": 60}, b"")
    monkeypatch.setattr(guarded, "take_worker", lambda: worker)
    with pytest.raises(ImageError) as caught:
        decode(files["DICOM"])
    assert caught.value.code in ("too_large", "corrupt")


def test_a_process_that_dies_is_a_damaged_file_and_is_replaced(files, monkeypatch):
    worker = guarded.take_worker()

    def die(*args, **options):
        worker._process.terminate()
        raise EOFError

    worker.ask = die
    guarded.give_back(worker)
    with pytest.raises(ImageError, match="crashed"):
        decode(files["DICOM"])
    assert decode(files["DICOM"]).pixels.shape == (40, 30)


def test_a_process_that_died_while_it_waited_is_not_held_against_the_next_file(files):
    decode(files["DICOM"])
    guarded._idle[-1]._process.kill()
    guarded._idle[-1]._process.wait()
    assert decode(files["DICOM"]).pixels.shape == (40, 30)


@pytest.mark.parametrize("num_kills", [1, 2])
def test_a_process_that_somebody_kills_is_tried_once_more(files, monkeypatch, num_kills):
    left = [num_kills]
    ask = guarded.Worker.ask

    def killed(self, *args, **options):
        if left[0]:
            left[0] -= 1
            self._process.kill()
        return ask(self, *args, **options)

    monkeypatch.setattr(guarded.Worker, "ask", killed)
    if num_kills == 1:
        assert decode(files["DICOM"]).pixels.shape == (40, 30)
    else:
        with pytest.raises(ImageError, match="not enough memory"):
            decode(files["DICOM"])


def test_ordinary_files_start_no_process(encode, picture, monkeypatch):
    def refused(*args, **options):
        raise AssertionError("a process was started")

    monkeypatch.setattr(guarded, "take_worker", refused)
    for name in ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"):
        decode(encode(picture, name))


def test_where_no_process_can_be_started_it_is_decoded_here(files, monkeypatch):
    def refused(*args, **options):
        raise OSError("no more processes")

    monkeypatch.setattr(guarded, "_idle", [])
    monkeypatch.setattr(guarded.subprocess, "Popen", refused)
    assert decode(files["DICOM"]).pixels.shape == (40, 30)


@pytest.mark.skipif(sys.platform != "linux", reason="only there is an address space counted")
def test_the_memory_of_the_process_cannot_grow_beyond_its_limit():
    program = (
        "from foveal.images.worker import _limit_memory; _limit_memory()\n"
        "try: bytearray(1 << 30)\n"
        "except MemoryError: print('refused')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "refused\n"


def test_run_lengths_of_a_bmp_are_followed_elsewhere():
    # BITMAPINFOHEADER, 4 by 2 pixels of 8 bits, RLE8: four of level 1, then four of level 2.
    runs = bytes([4, 1, 0, 0, 4, 2, 0, 1])
    palette = b"".join(bytes([n, n, n, 0]) for n in range(256))
    header = struct.pack("<IiiHHIIiiII", 40, 4, 2, 1, 8, 1, len(runs), 0, 0, 256, 0)
    start = 14 + len(header) + len(palette)
    data = b"BM" + struct.pack("<IHHI", start + len(runs), 0, 0, start) + header + palette + runs
    assert format_of(data).is_guarded(data)
    assert decode(data).pixels.tolist() == [[2] * 4, [1] * 4]


def test_a_picture_of_an_unknown_mode_is_not_believed():
    from foveal.images.worker import raster_of

    facts = {"notes": [], "levels": None, "format": "TIFF", "width_px": 1, "height_px": 1}
    facts |= {"stored_mode": "P", "bits_per_sample": 8}
    with pytest.raises(ValueError, match="P"):
        raster_of({"facts": facts, "mode": "P", "size": [1, 1]}, b"\0")


def test_pillow_images_stay_pillow_images(files):
    assert isinstance(decode_here(files["LZW TIFF"], REQUEST).pixels, Image.Image)

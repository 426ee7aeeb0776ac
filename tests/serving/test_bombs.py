"""Small files that ask for much are refused as by ``predict``, and hold up nobody else."""

from __future__ import annotations

import io
import struct
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.serving.live import Server, StartServer

from foveal.errors import ImageError
from foveal.runs import Classifier


def gif_of_many_frames(count: int) -> bytes:
    stream = io.BytesIO()
    Image.new("P", (1, 1)).save(stream, "GIF")
    one = stream.getvalue()
    start = one.index(b"\x2c")
    return one[:start] + one[start:-1] * count + b";"


def tiff_of_many_pages(count: int) -> bytes:
    stream = io.BytesIO()
    Image.new("L", (1, 1)).save(stream, "TIFF")
    one = stream.getvalue()
    (start,) = struct.unpack_from("<I", one, 4)
    (num_tags,) = struct.unpack_from("<H", one, start)
    page = one[start : start + 2 + 12 * num_tags]
    whole, first, size = bytearray(one), len(one), len(page) + 4
    for place in range(count):
        following = first + (place + 1) * size if place < count - 1 else 0
        whole += page + struct.pack("<I", following)
    whole[4:8] = struct.pack("<I", first)
    return bytes(whole)


def deflated_dicom(num_bytes: int) -> bytes:
    """A data set of eight by eight pixels, and zeros behind a private tag."""

    def element(group: int, number: int, kind: bytes, value: bytes) -> bytes:
        head = struct.pack("<HH2s", group, number, kind)
        if kind in (b"OB", b"OW"):
            return head + struct.pack("<HI", 0, len(value)) + value
        return head + struct.pack("<H", len(value)) + value

    syntax = element(2, 0x10, b"UI", b"1.2.840.10008.1.2.1.99")
    meta = element(2, 0, b"UL", struct.pack("<I", len(syntax))) + syntax
    pack = zlib.compressobj(1, zlib.DEFLATED, -15)
    packed = [pack.compress(struct.pack("<HH2sHI", 9, 0x1001, b"OB", 0, num_bytes))]
    packed += [pack.compress(bytes(1_000_000)) for _ in range(num_bytes // 1_000_000)]
    for number, value in ((0x10, 8), (0x11, 8), (0x100, 16), (0x101, 16), (0x102, 15), (0x103, 0)):
        packed.append(pack.compress(element(0x28, number, b"US", struct.pack("<H", value))))
    packed.append(pack.compress(element(0x7FE0, 0x10, b"OW", bytes(128))))
    return bytes(128) + b"DICM" + meta + b"".join(packed) + pack.flush()


def scanned_jpeg(count: int) -> bytes:
    stream = io.BytesIO()
    Image.new("L", (4000, 4000)).save(stream, "JPEG", progressive=True, quality=50)
    one = stream.getvalue()
    last = one[one.rindex(b"\xff\xda") : -2]
    return one[:-2] + last * count + b"\xff\xd9"


BOMBS: dict[str, Callable[[], bytes]] = {
    "GIF of 30,000 frames": lambda: gif_of_many_frames(30_000),
    "TIFF of 20,000 pages": lambda: tiff_of_many_pages(20_000),
    "DICOM that inflates to 0.9 GB": lambda: deflated_dicom(900_000_000),
    "JPEG of 300 scans": lambda: scanned_jpeg(300),
}


@pytest.mark.slow
def test_bombs_are_answered_as_by_predict_while_others_are_answered(
    start: StartServer, run_folder: Path, classifier: Classifier, image: bytes
) -> None:
    server = start(run_folder, "--workers", 2)
    expected = server.predict(image).json()
    ended = threading.Event()
    waits: list[float] = []

    def ask() -> None:
        while not ended.wait(0.1):
            began = time.monotonic()
            assert server.predict(image).json() == expected
            waits.append(time.monotonic() - began)

    asker = threading.Thread(target=ask)
    asker.start()
    before = resident_mb(server)
    try:
        for name, make in BOMBS.items():
            data = make()
            assert len(data) < 8_000_000, name
            found = server.predict(data, "application/octet-stream")
            code = refusal_of(classifier, data)
            if code is None:
                assert found.status_code == 200, (name, found.text)
            elif found.status_code != 504:
                assert (found.status_code in (413, 415, 422), found.json()["code"]) == (True, code)
    finally:
        ended.set()
        asker.join()
    assert len(waits) >= 3
    assert resident_mb(server) - before < 150


def refusal_of(classifier: Classifier, data: bytes) -> str | None:
    try:
        classifier.preprocessing.apply(data)
    except ImageError as error:
        return error.code
    return None


def resident_mb(server: Server) -> float:
    text = server.client.get("/metrics").text
    (line,) = [one for one in text.splitlines() if one.startswith("process_resident_memory_bytes ")]
    return float(line.split()[1]) / 1e6


def test_pixels_are_judged_by_the_header(server: Server) -> None:
    stream = io.BytesIO()
    Image.fromarray(np.zeros((1500, 1500, 3), np.uint8)).save(stream, "WEBP", lossless=True)
    found = server.predict(stream.getvalue(), "image/webp")
    assert (found.status_code, found.json()["code"]) == (413, "too_large")
    assert "2,000,000" in found.json()["detail"]

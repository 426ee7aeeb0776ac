"""What is no image, too much of one, or asked wrongly, is refused by name."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.serving.live import Server


def png_of(width: int, height: int, data: bytes = b"") -> bytes:
    """A PNG whose header says more than its file holds."""

    def chunk(name: bytes, content: bytes) -> bytes:
        check = zlib.crc32(name + content)
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


def tiff_of(side: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.zeros((side, side), np.uint8)).save(
        stream, "TIFF", compression="tiff_deflate"
    )
    return stream.getvalue()


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"", 422, "empty_file"),
        (b"PK\x03\x04" + bytes(100), 415, "not_an_image"),
        (b"%PDF-1.7", 415, "not_an_image"),
        (b"\xff\x4f\xff\x51" + bytes(50), 415, "unsupported_format"),
        (png_of(8, 8), 422, "truncated"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", 422, "truncated"),
        (png_of(200_000, 200_000), 413, "too_large"),
        (png_of(2_000, 1_001, zlib.compress(bytes(2_001 * 1_001))), 413, "too_large"),
        (tiff_of(1_500), 413, "too_large"),
        (bytes(4_000_001), 413, "too_many_bytes"),
    ],
)
def test_an_image_is_refused_with_status_and_code(
    server: Server, data: bytes, status: int, code: str
) -> None:
    found = server.predict(data)
    assert (found.status_code, found.json()["code"]) == (status, code)
    assert found.headers["content-type"] == "application/problem+json"
    assert found.json()["status"] == status
    assert found.json()["next_step"]


def test_a_body_without_a_stated_length_is_counted_while_it_comes(server: Server) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(50):
            yield bytes(100_000)

    found = server.client.post("/predict", content=chunks(), headers={"Content-Type": "image/png"})
    assert (found.status_code, found.json()["code"]) == (413, "too_many_bytes")


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "multipart/form-data; boundary=x", "application/json", "image/psd"]
)
def test_other_media_types_are_refused_with_those_that_are_read(
    server: Server, image: bytes, kind: str
) -> None:
    found = server.predict(image, kind)
    assert (found.status_code, found.json()["code"]) == (415, "media_type")
    assert "image/png" in found.headers["accept-post"]


def test_a_body_that_was_compressed_once_more_is_refused(server: Server, image: bytes) -> None:
    found = server.predict(image, headers={"Content-Encoding": "gzip"})
    assert (found.status_code, found.json()["code"]) == (415, "compressed_body")


@pytest.mark.parametrize(
    ("address", "status", "said"),
    [
        ("/predict?run=shape", 404, "shapes"),
        ("/predict?rum=shapes", 400, "run"),
        ("/predict?run=shapes&run=shapes", 400, "one"),
        ("/explain?class=circel", 400, "circle"),
        ("/predict/", 404, "openapi"),
        ("/v2/models/none/infer", 404, "shapes"),
        ("/v2/models/shapes/versions/1/infer", 404, "version"),
    ],
)
def test_what_was_asked_wrongly_is_answered_with_what_there_is(
    server: Server, image: bytes, address: str, status: int, said: str
) -> None:
    found = server.client.post(address, content=image, headers={"Content-Type": "image/png"})
    assert found.status_code == status
    assert said in found.text


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_refused(server: Server, method: str) -> None:
    found = server.client.request(method, "/predict")
    assert found.status_code == 405
    assert found.headers["allow"] == "POST"
    assert "access-control-allow-origin" not in found.headers


def test_a_refusal_leaves_the_connection_usable(server: Server, image: bytes) -> None:
    with server.socket() as one:
        for data, status in ((b"x" * 10, 415), (image, 200), (b"", 422), (image, 200)):
            one.sendall(
                b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
                + f"Content-Length: {len(data)}\r\n\r\n".encode()
                + data
            )
            assert read_answer(one)[0] == status


def read_answer(connection: Any) -> tuple[int, bytes]:
    import http.client

    answer = http.client.HTTPResponse(connection)
    answer.begin()
    return answer.status, answer.read()

"""Thumbnails inside the page, within its budget of bytes."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_MIME_BY_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
)


def data_uri(picture: bytes) -> str | None:
    """Returns the picture as a data URI; ``None`` where it is no JPEG, PNG or WebP.

    The type is read from the bytes, so nothing that a browser would run gets in.
    """
    mime = next((mime for magic, mime in _MIME_BY_MAGIC if picture.startswith(magic)), None)
    if mime is None and picture[:4] == b"RIFF" and picture[8:12] == b"WEBP":
        mime = "image/webp"
    if mime is None:
        return None
    return f"data:{mime};base64,{base64.b64encode(picture).decode('ascii')}"


@dataclass(frozen=True, slots=True)
class Album:
    """The pictures that go into the page, as data URIs by place.

    ``num_left_out`` had to stay outside to keep the page small.
    """

    uris: Mapping[str, str]
    num_left_out: int

    def get(self, place: str) -> str | None:
        """Returns the picture at ``place``; ``None`` where there is none."""
        return self.uris.get(place)


def choose_pictures(
    wanted: Iterable[tuple[str, int]], pictures: Mapping[int, bytes], *, budget_bytes: int
) -> Album:
    """Returns the pictures that fit, taking the wanted ones in order.

    Args:
        wanted: Pairs of a place in the page and the picture's index, dearest first.
        pictures: Encoded thumbnails by index.
        budget_bytes: Bytes that all data URIs together may take.
    """
    uris: dict[str, str] = {}
    left, num_left_out = budget_bytes, 0
    for place, index in wanted:
        picture = pictures.get(index)
        # Base64 makes four bytes of three; the rest is the URI's head.
        if picture is not None and len(picture) * 4 // 3 + 32 > left:
            num_left_out += 1
            continue
        uri = None if picture is None else data_uri(picture)
        if uri is not None:
            uris[place] = uri
            left -= len(uri)
    return Album(uris, num_left_out)

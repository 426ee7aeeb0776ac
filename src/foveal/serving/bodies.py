"""Reads the raw body of a request: within its bytes and its time, or not at all."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from starlette.requests import ClientDisconnect, Request

from foveal.images.formats import MEDIA_TYPES
from foveal.serving.admission import Ticket
from foveal.serving.problems import RefusedError
from foveal.serving.settings import ServerSettings

ANY_IMAGE: Final = "application/octet-stream"
IMAGE_TYPES: Final = (*MEDIA_TYPES, ANY_IMAGE)
"""Media types of the bodies that are images; what the bytes are decides how they are read."""

# A refusal is lost where the client still sends and the connection is closed; so what it sends is
# read and thrown away for a moment.
_DISCARD_SECONDS: Final = 2.0


def require_type(request: Request, allowed: tuple[str, ...]) -> str:
    """Returns the media type of the body.

    Raises:
        RefusedError: 415, it is missing or another one, or the body is compressed.
    """
    require_plain(request)
    given = request.headers.get("content-type", "")
    kind = given.partition(";")[0].strip().lower()
    if kind not in allowed:
        got = f"got {kind[:60]!r}" if kind else "it is missing"
        raise RefusedError(
            415,
            "media_type",
            f"Content-Type: {got}, expected one of {', '.join(allowed)}.",
            next_step="Send the bytes of one file as the body: curl --data-binary @image.png "
            "-H 'Content-Type: image/png'",
            headers={"Accept-Post": ", ".join(allowed)},
        )
    return kind


def require_plain(request: Request) -> None:
    """Refuses a body that was compressed on its way.

    Raises:
        RefusedError: 415.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding != "identity":
        raise RefusedError(
            415,
            "compressed_body",
            f"Content-Encoding: got {encoding[:40]!r}, expected a body as it is.",
            next_step="Send the file without compressing it once more.",
        )


async def read_body(request: Request, ticket: Ticket, settings: ServerSettings) -> bytes:
    """Returns the body.

    Raises:
        RefusedError: 413 where it is too long, 408 where it comes too slowly, 400 where it ends too
            early, 503 where all bodies together are too long.
    """
    announced = _announced_bytes(request)
    if announced is not None:
        if announced > settings.max_bytes:
            raise _too_long(settings)
        ticket.hold(announced)
    chunks: list[bytes] = []
    num_bytes = 0
    try:
        async with asyncio.timeout(settings.body_seconds):
            async for chunk in request.stream():
                num_bytes += len(chunk)
                if num_bytes > settings.max_bytes:
                    raise _too_long(settings)
                if announced is None:
                    ticket.hold(len(chunk))
                chunks.append(chunk)
    except TimeoutError:
        raise RefusedError(
            408,
            "slow_body",
            f"The body was not all there after {settings.body_seconds:g} s "
            f"({num_bytes:,} bytes came).",
            next_step="Send it again over a faster connection.",
            headers={"Connection": "close"},
        ) from None
    except ClientDisconnect:
        raise RefusedError(
            400,
            "body_ended",
            f"The connection ended after {num_bytes:,} bytes of the body.",
            next_step="Send it again.",
        ) from None
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def discard_body(request: Request) -> None:
    """Reads what still comes of a refused body, for a moment, so that the refusal arrives."""
    if "100-continue" in request.headers.get("expect", "").lower():
        return  # nothing was sent, and nothing shall be
    with contextlib.suppress(TimeoutError, ClientDisconnect, RuntimeError):
        async with asyncio.timeout(_DISCARD_SECONDS):
            async for _ in request.stream():
                pass


def _announced_bytes(request: Request) -> int | None:
    text = request.headers.get("content-length")
    # The protocol refused everything that is no number; a chunked body has none.
    return int(text) if text is not None else None


def _too_long(settings: ServerSettings) -> RefusedError:
    return RefusedError(
        413,
        "too_many_bytes",
        f"The body has more than the {settings.max_bytes:,} bytes that this server takes.",
        next_step="Send a smaller file, or start the server with a larger --max-megabytes.",
        headers={"Connection": "close"},
    )

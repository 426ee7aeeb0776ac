"""Why a request gets no answer: a status, a stable word, and what to do (RFC 9457)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from foveal.errors import FovealError, ImageError

MEDIA_TYPE: Final = "application/problem+json"

# What an image is refused with, by the code of its error.
_OF_IMAGES: Final[Mapping[str, int]] = {
    "empty_file": 422,
    "not_an_image": 415,
    "unsupported_format": 415,
    "missing_codec": 415,
    "too_large": 413,
    "truncated": 422,
    "corrupt": 422,
}


class RefusedError(FovealError):
    """A request that is refused, or cannot be answered now.

    Args:
        status: Of HTTP.
        code: A stable word for programs.
        message: What came and what was expected.
        next_step: What to do about it.
        headers: Further fields of the answer, such as ``Retry-After``.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        next_step: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, next_step=next_step)
        self.status = status
        self.code = code
        self.headers = dict(headers or {})

    def to_json(self) -> dict[str, Any]:
        """Returns the problem as the fields of RFC 9457, with ``code`` and ``next_step``."""
        return {
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.message,
            "code": self.code,
            "next_step": self.next_step,
        }

    def body(self) -> bytes:
        """Returns the body of the answer."""
        return json.dumps(self.to_json(), ensure_ascii=False).encode()


def busy(message: str, *, code: str = "busy", seconds: int = 1) -> RefusedError:
    """Returns the problem of a server that can answer later, but not now."""
    return RefusedError(
        503,
        code,
        message,
        next_step=f"Ask again in {seconds} s.",
        headers={"Retry-After": str(seconds)},
    )


def too_late(message: str) -> RefusedError:
    """Returns the problem of an answer that took longer than allowed."""
    return RefusedError(
        504,
        "too_late",
        message,
        next_step="Send a smaller image, or ask when the server has less to do.",
    )


def of_image(error: ImageError) -> RefusedError:
    """Returns the problem of an image that cannot be used."""
    status = _OF_IMAGES.get(error.code, 422)
    return RefusedError(status, error.code, error.message, next_step=error.next_step)

"""The page at the root, and the page that answers in the browser."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

if TYPE_CHECKING:
    from foveal.serving.application import Service


@dataclass(frozen=True, slots=True)
class Pages:
    """The routes that answer with HTML."""

    service: Service

    def routes(self) -> tuple[tuple[str, str, Callable[[Request], Awaitable[Response]]], ...]:
        """Returns method, address and function of each."""
        return ()

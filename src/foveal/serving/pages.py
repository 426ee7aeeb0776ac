"""The page at the root, which asks this server; and the page that answers in the browser."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from foveal.errors import FovealError, RunError
from foveal.serving.problems import RefusedError
from foveal.serving.served_run import ServedRun

if TYPE_CHECKING:
    from foveal.serving.application import Service

_PIECE_BYTES: Final = 1 << 18


@dataclass(frozen=True, slots=True)
class Pages:
    """The routes that answer with HTML."""

    service: Service

    def routes(self) -> tuple[tuple[str, str, Callable[[Request], Awaitable[Response]]], ...]:
        """Returns method, address and function of each."""
        return (("GET", "/", self._show), ("GET", "/offline", self._show_offline))

    async def _show(self, request: Request) -> Response:
        name = self._asked(request)
        shelf = self.service.shelf
        if name is None and len(shelf.runs) != 1:
            return _html(_choice(sorted(shelf.runs)), connects=False)
        run = shelf.named(name)
        others = [one for one in sorted(shelf.runs) if one != run.name]
        return _html(await asyncio.to_thread(_served, run, others), connects=True)

    async def _show_offline(self, request: Request) -> Response:
        run = self.service.shelf.named(self._asked(request))
        try:
            content = await asyncio.to_thread(run.offline_page)
        except RunError:
            raise
        except FovealError as error:  # this installation lacks the browser's runtime
            raise RefusedError(
                404, "no_offline_page", error.message, next_step=error.next_step
            ) from None
        return _html(content, connects=False)

    def _asked(self, request: Request) -> str | None:
        from foveal.serving.application import asked_run, only

        only(request, "run")
        return asked_run(request)


def _served(run: ServedRun, others: list[str]) -> bytes:
    from foveal.exporting.page import served_page

    return served_page(run.classifier, run.map_source().facts, others=others)


def _html(content: bytes, *, connects: bool) -> Response:
    # The page itself allows its own script and style by their digests; this bounds it from without.
    source = "'self'" if connects else "'none'"
    policy = (
        "default-src 'none'; script-src 'unsafe-inline' 'wasm-unsafe-eval' blob:; "
        "style-src 'unsafe-inline'; img-src data: blob:; worker-src blob:; "
        f"connect-src {source}; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
    # In pieces, so that clients that read slowly do not each hold a copy of the whole.
    return StreamingResponse(
        _pieces(content),
        media_type="text/html",
        headers={"Content-Security-Policy": policy, "Content-Length": str(len(content))},
    )


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    view = memoryview(content)
    for start in range(0, len(content), _PIECE_BYTES):
        yield bytes(view[start : start + _PIECE_BYTES])


def _choice(names: list[str]) -> bytes:
    style = (files("foveal.reporting") / "templates" / "report.css").read_text("utf-8")
    rows = "".join(
        f'<li><a href="./?run={quote(name, safe="")}">{escape(name)}</a></li>' for name in names
    )
    listed = f"<ul>{rows}</ul>" if names else "<p>There is none yet.</p>"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><title>Runs</title>'
        f'<style>{style}</style></head><body><div class="page"><header><h1>Runs</h1>'
        '<p class="lead">Choose the classifier that shall answer.</p></header>'
        f"<main>{listed}</main></div></body></html>"
    ).encode()

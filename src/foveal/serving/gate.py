"""Who is let in: by the name that was asked, the page that asks, and the token.

Nothing here depends on the method or the address of a request, so that no spelling of an address
opens another way in.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
import re
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from foveal.serving.bodies import discard_body
from foveal.serving.metrics import Metrics
from foveal.serving.problems import MEDIA_TYPE, RefusedError
from foveal.serving.settings import ServerSettings
from foveal.text import printable

_LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_HOST: Final = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?", re.ASCII)

_ALWAYS: Final = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "x-frame-options": "DENY",
}
_USUALLY: Final = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
}


class Gate:
    """Stands in front of the whole application."""

    def __init__(self, app: ASGIApp, settings: ServerSettings, metrics: Metrics) -> None:
        self._app = app
        self._settings = settings
        self._metrics = metrics
        self._names = _LOOPBACK_NAMES | {name.lower() for name in settings.allowed_hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers, or refuses to."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                known = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *(
                        (name.encode(), value.encode())
                        for name, value in {**_ALWAYS, **_USUALLY}.items()
                        if name.encode() not in known
                    ),
                ]
            await send(message)

        try:
            self._require_let_in(Headers(scope=scope))
        except RefusedError as problem:
            self._metrics.count(
                "foveal_requests_total", route="refused", status=str(problem.status)
            )
            await discard_body(Request(scope, receive))
            response = Response(
                problem.body(), problem.status, headers=problem.headers, media_type=MEDIA_TYPE
            )
            if problem.status == 401:
                for scheme in ("Bearer", "Basic"):
                    response.headers.append("www-authenticate", f'{scheme} realm="foveal"')
            await response(scope, receive, send_with_headers)
            return
        await self._app(scope, receive, send_with_headers)

    def _require_let_in(self, headers: Headers) -> None:
        if "content-length" in headers and "transfer-encoding" in headers:
            # A proxy in front could read another length, and so another request (RFC 9112, 6.1).
            raise RefusedError(
                400,
                "length",
                "The request states the length of its body in two ways.",
                next_step="Send Content-Length or Transfer-Encoding, not both.",
                headers={"Connection": "close"},
            )
        host = self._host(headers)
        _require_own_origin(headers, host)
        token = self._settings.token
        if token is not None and not _shows(headers, token):
            raise RefusedError(
                401,
                "token",
                "The request shows no token, or another one than this server's.",
                next_step="Send the header: Authorization: Bearer TOKEN. A browser may give it as "
                "the password, with any name.",
            )

    def _host(self, headers: Headers) -> str:
        given = headers.getlist("host")
        host = given[0].strip().lower() if len(given) == 1 else ""
        matched = _HOST.fullmatch(host)
        if matched is None:
            raise RefusedError(
                400,
                "host",
                "The request names no host, several, or none that can be.",
                next_step="Send one header Host, as every client does.",
            )
        name = matched[1]
        # An address is never another's name, which is how pages of elsewhere would lead here.
        if name in self._names or (not self._settings.is_loopback and _is_address(name)):
            return host
        raise RefusedError(
            403,
            "host",
            f"This server is not called {printable(name)[:80]}.",
            next_step="Ask it by its address, or start it with --allow-host NAME.",
        )


def _require_own_origin(headers: Headers, host: str) -> None:
    origins = headers.getlist("origin")
    own = {f"http://{host}", f"https://{host}"}
    if len(origins) > 1 or any(one.strip().lower() not in own for one in origins):
        raise _foreign(origins[0])
    is_foreign = headers.get("sec-fetch-site", "none") in ("cross-site", "same-site")
    if is_foreign and headers.get("sec-fetch-mode") != "navigate":
        raise _foreign(headers["sec-fetch-site"])


def _foreign(origin: str) -> RefusedError:
    shown = urlsplit(origin).netloc if "://" in origin else origin
    return RefusedError(
        403,
        "origin",
        f"A page of elsewhere ({printable(shown)[:80]}) asked, and only this server's own may.",
        next_step="Open this server's own page, or ask from a program instead of a page.",
    )


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _shows(headers: Headers, token: str) -> bool:
    given = headers.getlist("authorization")
    if len(given) != 1:
        return False
    scheme, _, value = given[0].partition(" ")
    shown = value.strip().encode("latin-1")
    if scheme.lower() == "basic":
        try:
            _, _, shown = base64.b64decode(shown, validate=True).partition(b":")
        except binascii.Error:
            return False
    elif scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(shown, token.encode())

"""Serves the page on this machine and to nobody else."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from foveal.errors import UsageError

HOST: Final = "127.0.0.1"
# Always the same where it is free: browsers keep answers by address.
USUAL_PORT: Final = 8427
_NAMES: Final = frozenset((HOST, "localhost"))


def page_server(page: bytes, *, port: int | None = None) -> ThreadingHTTPServer:
    """Returns a server of the page, bound to loopback; ``serve_forever`` runs it.

    Args:
        page: The bytes of the page.
        port: None: the usual one, or any free one where that is taken.

    Raises:
        UsageError: The port that was asked for is taken or not allowed.
    """

    class Handler(_Handler):
        content = page

    for candidate in (port,) if port is not None else (USUAL_PORT, 0):
        try:
            return _Server((HOST, candidate), Handler)
        except (OSError, OverflowError) as error:
            problem = error
    raise UsageError(
        f"port {port} of {HOST} cannot be used ({problem}).",
        next_step="Leave --port out, and a free one is taken.",
    )


class _Server(ThreadingHTTPServer):
    # Two servers on one port would answer by chance.
    allow_reuse_address = False
    daemon_threads = True


class _Handler(BaseHTTPRequestHandler):
    """Answers with the page, and with nothing else."""

    content = b""
    server_version = "foveal"
    sys_version = ""
    timeout = 10

    def do_GET(self) -> None:
        self._answer(with_content=True)

    def do_HEAD(self) -> None:
        self._answer(with_content=False)

    def log_message(self, format: str, *arguments: object) -> None:
        """Says nothing: requests of one's own browser are no news."""

    def _answer(self, *, with_content: bool) -> None:
        # A page of elsewhere whose name leads here is not let in.
        if self.headers.get("Host", "").rpartition(":")[0] not in _NAMES:
            self.send_error(403, "This page is for this machine")
            return
        if self.path.partition("?")[0] not in ("/", "/index.html"):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(self.content)))
        self.send_header("Content-Security-Policy", "frame-ancestors 'none'")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if with_content:
            self.wfile.write(self.content)

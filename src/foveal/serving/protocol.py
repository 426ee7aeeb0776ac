"""HTTP/1.1 by uvicorn and h11, with a time for heads, half-closed sockets and a limit."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from foveal.serving.problems import MEDIA_TYPE, busy
from foveal.serving.settings import ServerSettings


def protocol_class(settings: ServerSettings) -> type[H11Protocol]:
    """Returns the protocol for one server."""

    class Protocol(H11Protocol):
        """One connection."""

        _head_timer: asyncio.TimerHandle | None = None
        _write_timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            """Begins; one connection too many is told so and closed."""
            super().connection_made(transport)
            if len(self.connections) > settings.max_connections:
                problem = busy("The server has as many connections as it takes.")
                body = problem.body()
                transport.write(
                    b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\n"
                    + f"Content-Type: {MEDIA_TYPE}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
                    + body
                )
                transport.close()
                return
            self._wait_for_head()

        def data_received(self, data: bytes) -> None:
            """Reads; the head of a request has its time, counted from its first byte."""
            if self.transport.is_closing():
                return
            super().data_received(data)
            if self.conn.their_state is not h11.IDLE:
                self._head_has_come()
            elif self._head_timer is None and self.timeout_keep_alive_task is None:
                self._wait_for_head()

        def eof_received(self) -> bool:  # type: ignore[override]  # asyncio asks for it
            """Keeps a connection whose client has said all and still waits for the answer."""
            waits = self.cycle is not None and not self.cycle.response_complete
            if waits and not self.cycle.more_body:
                self.cycle.keep_alive = False
                return True
            return False

        def connection_lost(self, exc: Exception | None) -> None:
            """Ends."""
            self._head_has_come()
            self._writes_again()
            super().connection_lost(exc)

        def pause_writing(self) -> None:
            """Waits for a client that does not read, but not for ever."""
            super().pause_writing()
            self._write_timer = self.loop.call_later(settings.body_seconds, self.transport.abort)

        def resume_writing(self) -> None:
            """Goes on."""
            self._writes_again()
            super().resume_writing()

        def _writes_again(self) -> None:
            if self._write_timer is not None:
                self._write_timer.cancel()
                self._write_timer = None

        def _wait_for_head(self) -> None:
            self._head_timer = self.loop.call_later(settings.body_seconds, self.transport.close)

        def _head_has_come(self) -> None:
            if self._head_timer is not None:
                self._head_timer.cancel()
                self._head_timer = None

    return Protocol

"""How many requests and bytes are held at once; what is beyond that is refused at once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from foveal.serving.problems import busy
from foveal.text import count_noun


@dataclass(slots=True)
class Ticket:
    """One request that was let in, and the bytes that are held for it."""

    admission: Admission
    num_bytes: int = 0

    def hold(self, num_bytes: int) -> None:
        """Holds further bytes.

        Raises:
            RefusedError: 503, the bytes of all requests are too many.
        """
        if self.admission.num_bytes + num_bytes > self.admission.max_bytes:
            raise busy("The server holds as many bytes of images as it may.")
        self.num_bytes += num_bytes
        self.admission.num_bytes += num_bytes


@dataclass(slots=True)
class Admission:
    """Counts what is held; used by one thread alone.

    Attributes:
        max_requests: Most at once.
        max_bytes: Most bytes of all bodies.
        is_open: Whether new ones are let in.
        num_requests: Those within.
        num_bytes: What is held for them.
    """

    max_requests: int
    max_bytes: int
    is_open: bool = field(default=True)
    num_requests: int = field(default=0)
    num_bytes: int = field(default=0)

    @contextlib.contextmanager
    def admit(self) -> Iterator[Ticket]:
        """Lets one request in, until the context ends.

        Raises:
            RefusedError: 503, the server is full or about to end.
        """
        if not self.is_open:
            raise busy("The server is about to end.", code="ending", seconds=5)
        if self.num_requests >= self.max_requests:
            requests = count_noun(self.num_requests, "image")
            raise busy(f"The server has {requests} to answer for, as many as it takes.")
        self.num_requests += 1
        ticket = Ticket(self)
        try:
            yield ticket
        finally:
            self.num_requests -= 1
            self.num_bytes -= ticket.num_bytes

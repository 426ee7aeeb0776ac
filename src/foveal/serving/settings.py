"""What a server may do and take, all of it in one value."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from foveal.errors import UsageError
from foveal.images import MAX_PIXELS

USUAL_PORT: Final = 8428
_MIN_TOKEN_LETTERS: Final = 16


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Where the server listens, who may ask, and how much one request and all may take.

    Attributes:
        host: Address to listen at.
        port: 0 for any free one.
        token: What every request has to show; needed wherever others than this machine can ask.
        allowed_hosts: Names by which the server is asked, beside its addresses.
        audit_file: One line of JSON an answer; ``None`` for no such log.
        num_workers: Processes that decode, and threads that run the network; ``None`` for one
            of each a core.
        max_bytes: Most bytes of one body.
        max_held_bytes: Most bytes of all bodies that are held at once.
        max_pixels: Most pixels of one image, as its header says before it is decoded.
        max_requests: Most images that are read, waited for or answered at once.
        max_connections: Most connections.
        answer_seconds: From a body that is all there to its answer.
        body_seconds: For the head of a request and for its body, each.
        drain_seconds: After a signal, for requests that have begun.

    Raises:
        UsageError: A value is out of range, or others may ask and there is no token.
    """

    host: str = "127.0.0.1"
    port: int = USUAL_PORT
    token: str | None = field(default=None, repr=False)
    allowed_hosts: tuple[str, ...] = ()
    audit_file: Path | None = None
    num_workers: int | None = None
    max_bytes: int = 64_000_000
    max_held_bytes: int = 256_000_000
    max_pixels: int = MAX_PIXELS
    max_requests: int = 64
    max_connections: int = 512
    answer_seconds: float = 30.0
    body_seconds: float = 30.0
    drain_seconds: float = 30.0

    def __post_init__(self) -> None:
        """Refuses what would be unsafe, or could only fail later on."""
        for name in ("max_bytes", "max_held_bytes", "max_pixels", "max_requests"):
            if getattr(self, name) < 1:
                raise UsageError(
                    f"{name}: got {getattr(self, name)}, expected a number above 0.",
                    next_step="Give a larger number.",
                )
        if self.token is None and not self.is_loopback:
            raise UsageError(
                f"Whoever reaches {self.host} could ask this server, and no token is given.",
                next_step="Put a token of 16 letters or more into a file that only you can read, "
                "and give it with --token-file; or listen at 127.0.0.1.",
            )
        if self.token is not None and not _is_token(self.token):
            raise UsageError(
                f"The token must be {_MIN_TOKEN_LETTERS} or more letters, digits and signs of "
                "ASCII, without spaces.",
                next_step="Make one with: python -c 'import secrets; print(secrets.token_hex())'",
            )

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can ask."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def _is_token(text: str) -> bool:
    return len(text) >= _MIN_TOKEN_LETTERS and all("!" <= letter <= "~" for letter in text)

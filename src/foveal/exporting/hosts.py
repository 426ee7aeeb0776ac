"""Where a page's answers come from: the browser alone, or the server that gave it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final
from urllib.parse import quote

from foveal.exporting.runtime import VERSION


@dataclass(frozen=True, slots=True)
class Host:
    """What differs between the two.

    Attributes:
        is_offline: Whether everything is in the page.
        may_connect_to: For the page's content policy.
        where_html: What is read, and where it goes.
        answers_by: Who answers, for the facts about the page.
        footer: The last sentence.
    """

    is_offline: bool
    may_connect_to: str
    where_html: str
    answers_by: str
    footer: str


OFFLINE: Final = Host(
    is_offline=True,
    may_connect_to="'none'",
    where_html="PNG, JPEG, DICOM, WebP, AVIF, GIF and BMP. They stay on this device: this page is "
    "not\nallowed to connect to anything, and the browser holds it to that.",
    answers_by=f"ONNX Runtime Web {VERSION}, in this browser",
    footer="Everything is in this file.",
)


def served(name: str, others: Sequence[str]) -> Host:
    """Returns the host of a page that asks the server which gave it.

    Args:
        name: The run.
        others: The server's other runs.
    """
    offline = f'<a href="offline?run={quote(name)}">a page that keeps them on this device</a>'
    links = ", ".join(f'<a href="./?run={quote(one)}">{escape(one)}</a>' for one in others)
    more = f" Other runs: {links}." if links else ""
    return Host(
        is_offline=False,
        may_connect_to="'self'",
        where_html="PNG, JPEG, DICOM, TIFF, WebP, AVIF, GIF and BMP. They are sent to this server, "
        f"which answers and keeps none of them. There is also {offline}.{more}",
        answers_by="this server, as foveal predict does",
        footer="It asks the server that gave it, and nobody else.",
    )

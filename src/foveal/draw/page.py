"""The frame of a self-contained page: one style, a strict policy, no script, no request."""

from __future__ import annotations

import base64
import hashlib
from html import escape

from foveal.text import printable


def html_page(*, title: str, body: str, style: str, body_class: str = "") -> str:
    """Returns a whole page, light or dark as the reader's system is.

    The policy lets the page show its own style and pictures that are in it, and nothing else:
    no script runs and nothing is fetched.

    Args:
        title: May be hostile; it is escaped here.
        body: Finished markup.
        style: Our own style sheet; allowed by its digest.
        body_class: Classes of the body.
    """
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
    # Bars are drawn with style attributes.
    policy = (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; "
        "style-src-attr 'unsafe-inline'"
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(printable(title))}</title><style>{style}</style></head>"
        f'<body class="{escape(body_class, quote=True)}">{body}</body></html>\n'
    )

"""The frame of a self-contained page: one style, a strict policy, no request."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Sequence
from html import escape

from foveal.text import printable


def packed(content: object) -> str:
    """Returns JSON, gzipped, in base64: ASCII without any markup, and the same each time."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode("utf-8"), mtime=0)).decode("ascii")


def html_page(
    *, title: str, body: str, style: str, body_class: str = "", scripts: Sequence[str] = ()
) -> str:
    """Returns a whole page, light or dark as the reader's system is.

    The policy lets the page show its own style and images that are in it and run the scripts
    given here, and nothing else: no other script runs and nothing is fetched.

    Args:
        title: May be hostile; it is escaped here.
        body: Finished markup.
        style: Our own style sheet; allowed by its digest.
        body_class: Classes of the body.
        scripts: Our own; each is allowed by its digest.
    """
    allowed = f"script-src {' '.join(map(source_digest, scripts))}; " if scripts else ""
    # Bars are drawn with style attributes.
    policy = (
        f"default-src 'none'; img-src data:; {allowed}style-src {source_digest(style)}; "
        "style-src-attr 'unsafe-inline'"
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(printable(title))}</title><style>{style}</style></head>"
        f'<body class="{escape(body_class, quote=True)}">{body}'
        f"{''.join(f'<script>{each}</script>' for each in scripts)}</body></html>\n"
    )


def source_digest(text: str) -> str:
    """Returns what a content security policy calls a script or style by: ``'sha256-…'``."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}'"

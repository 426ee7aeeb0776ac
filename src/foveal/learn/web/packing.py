"""The drills' variants as the page holds them: gzipped, and kept from one time to the next.

Making some nine thousand exercises takes several seconds, and the same version of Foveal
always makes the same ones.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Final

from foveal.draw.page import packed
from foveal.features.cache import cache_directory
from foveal.files import write_atomically
from foveal.learn.drills import TEMPLATES, Template
from foveal.learn.drills.template import LEVELS
from foveal.learn.exercise import to_json

NUM_VARIANTS: Final = 201
"""Of each drill, in equal share at the three levels."""

Progress = Callable[[int, int], None]


def variants(template: Template) -> list[dict[str, Any]]:
    """Returns the variants of a drill that the page holds, traps in equal share at each level."""
    share = NUM_VARIANTS // len(LEVELS)
    return [to_json(template.exercise(seed, level)) for level in LEVELS for seed in range(share)]


def packed_drills(progress: Progress = lambda done, total: None) -> dict[str, str]:
    """Returns the packed variants of each drill, from the cache where they are there.

    Args:
        progress: Called with (done, total) while they are made.
    """
    file = cache_directory() / "learn" / f"drills-{_sources_digest()}.json"
    names = [each.name for each in TEMPLATES]
    with suppress(OSError, ValueError, AttributeError):
        kept: dict[str, str] = json.loads(file.read_bytes())
        if list(kept) == names and all(map(_is_whole, kept.values())):
            return kept
    made = {}
    for index, template in enumerate(TEMPLATES):
        progress(index, len(TEMPLATES))
        made[template.name] = packed(variants(template))
    with suppress(OSError):  # a cache that cannot be written costs time only
        write_atomically(file, json.dumps(made).encode("ascii"))
    return made


def _is_whole(text: object) -> bool:
    """Returns whether a kept text can be unpacked; gzip checks its own sum."""
    if not isinstance(text, str):
        return False
    with suppress(ValueError, OSError, EOFError, zlib.error):
        return bool(gzip.decompress(base64.b64decode(text, validate=True)))
    return False


def _sources_digest() -> str:
    """Returns a digest of all that makes the exercises: another version makes others."""
    digest = hashlib.sha256(f"{NUM_VARIANTS}".encode())
    package = files("foveal")
    for folder in (package / "learn", package / "learn" / "drills", package / "arithmetic"):
        for source in _sources(folder):
            digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    return digest.hexdigest()[:32]


def _sources(folder: Traversable) -> Iterator[Traversable]:
    yield from sorted(
        (each for each in folder.iterdir() if each.name.endswith(".py")),
        key=lambda each: each.name,
    )

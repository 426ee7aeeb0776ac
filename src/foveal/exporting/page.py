"""Writes a run as one page: everything is in it, and it can ask nobody for anything.

The page opens by a double click, without a network. Its policy lets our own scripts and style
run and forbids every connection, so that the browser itself guarantees that no image leaves.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib import metadata
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import numpy as np

from foveal.draw.colour_map import tint_table
from foveal.draw.page import source_digest
from foveal.errors import FovealError, RunAlteredError, UsageError
from foveal.exporting.bundle import bundle, script_modules
from foveal.exporting.facts import Agreements, PageFacts, digest_of, gather_facts, read_agreements
from foveal.exporting.hosts import OFFLINE, Host, served
from foveal.exporting.mapped_network import MappedNetwork, with_maps
from foveal.exporting.runtime import read_runtime
from foveal.files import write_atomically
from foveal.runs import Classifier, load
from foveal.runs.folder import ONNX_NAME
from foveal.text import printable

GENERATOR: Final = "Foveal page"
LARGE_BYTES: Final = 25_000_000
"""Above this, a page is too large for most mail."""

MOST_BYTES: Final = 200_000_000
"""Above this, browsers take too long to open it, or refuse."""

_MARK: Final = f'<meta name="generator" content="{GENERATOR}">'.encode()


@dataclass(frozen=True, slots=True)
class ExportedPage:
    """A page that was written.

    Attributes:
        file: The HTML file.
        num_bytes: Its size.
        notes: What a reader should know, one sentence each.
    """

    file: Path
    num_bytes: int
    notes: tuple[str, ...]


def export_page(run: Path, file: Path | None = None) -> ExportedPage:
    """Writes a run's classifier as one HTML file.

    Args:
        run: The run folder.
        file: Where to write; ``page.html`` beside the run by default. A page that Foveal wrote
            there before is replaced.

    Raises:
        RunError: The run is incomplete or altered.
        UsageError: The path holds something else, or the network is too large for a page.
        FovealError: This installation lacks the runtime.
    """
    read_runtime()
    file = file if file is not None else run.resolve().with_name(f"{run.resolve().name}.html")
    _refuse_others(file)
    content, facts = offline_page(load(run))
    if len(content) > MOST_BYTES:
        raise UsageError(
            f"The page would have {len(content) / 1e6:,.0f} MB, more than the "
            f"{MOST_BYTES / 1e6:,.0f} MB that browsers open well.",
            next_step="Train with a smaller network, such as the default one.",
        )
    try:
        write_atomically(file, content)
    except OSError as error:
        raise FovealError(
            f"{printable(str(file))} could not be written: {error.strerror or error}.",
            next_step="Choose a path you may write to with --out.",
        ) from error
    return ExportedPage(file, len(content), _notes(len(content), facts))


def offline_page(classifier: Classifier) -> tuple[bytes, PageFacts]:
    """Returns the page that answers in the browser and may connect to nothing.

    Raises:
        RunAlteredError: The run was replaced since it was loaded, or is altered.
        FovealError: This installation lacks the runtime.
    """
    runtime = read_runtime()
    network = mapped_network(classifier)
    facts = gather_facts(classifier, no_maps=network.reason)
    novelty = classifier.novelty
    arrays = (novelty.mean, novelty.components.reshape(-1), novelty.scales)
    blocks = {
        "wasm": runtime.module,
        "ort": runtime.script,
        "model": network.content,
        "novelty": np.concatenate(arrays).astype("<f4").tobytes(),
        **_drawing_blocks(),
    }
    return _page(classifier, facts, blocks, OFFLINE), facts


def served_page(classifier: Classifier, facts: PageFacts, *, others: Sequence[str]) -> bytes:
    """Returns the page that asks the server which gave it.

    Args:
        classifier: The run.
        facts: From :func:`foveal.exporting.facts.gather_facts`.
        others: Names of the server's other runs.
    """
    asking = PageFacts({**facts.script, "server": "./"}, facts.said)
    return _page(classifier, asking, _drawing_blocks(), served(facts.script["name"], others))


def mapped_network(classifier: Classifier) -> MappedNetwork:
    """Returns the network of a loaded run with maps.

    Raises:
        RunAlteredError: The run was replaced since it was loaded, or is altered.
    """
    content = (classifier.folder / ONNX_NAME).read_bytes()
    if hashlib.sha256(content).hexdigest() != digest_of(classifier):
        raise RunAlteredError(
            f"{printable(str(classifier.folder))} was replaced since it was loaded.",
            next_step="Load it again.",
        )
    size = classifier.preprocessing.height_px, classifier.preprocessing.width_px
    return with_maps(content, size)


def _drawing_blocks() -> dict[str, bytes]:
    return {
        "tints": np.concatenate([one.reshape(-1) for one in tint_table()]).astype("<f4").tobytes(),
        "worker": bundle(script_modules(), "worker.js").encode(),
    }


def _notes(num_bytes: int, facts: PageFacts) -> tuple[str, ...]:
    notes = []
    if num_bytes > LARGE_BYTES:
        notes.append(f"The page has {num_bytes / 1e6:,.0f} MB, which most mail does not carry.")
    if facts.script["no_map"] is not None:
        notes.append(f"The page shows no heat maps: {facts.script['no_map']}.")
    return tuple(notes)


def _refuse_others(file: Path) -> None:
    if file.is_dir():
        raise UsageError(
            f"{printable(str(file))} is a folder.", next_step="Name a file with --out."
        )
    if file.exists():
        with file.open("rb") as stream:
            if _MARK not in stream.read(2000):
                raise UsageError(
                    f"{printable(str(file))} is there already and is no page of Foveal.",
                    next_step="Choose another file with --out.",
                )


def _page(classifier: Classifier, facts: PageFacts, blocks: dict[str, bytes], host: Host) -> bytes:
    from foveal.exporting.wording import about_html, evidence_html, limits_html, warnings_html

    folder = files("foveal.exporting") / "page"
    style = (files("foveal.reporting") / "templates" / "report.css").read_text("utf-8")
    style += (folder / "page.css").read_text("utf-8")
    script = f'"use strict";\n{bundle(script_modules(), "app.js")}'
    policy = "; ".join(
        (
            "default-src 'none'",
            # The worker and the runtime are blobs that our script makes.
            f"script-src {source_digest(script)} 'wasm-unsafe-eval' blob:",
            "worker-src blob:",
            f"style-src {source_digest(style)}",
            "img-src data: blob:",
            f"connect-src {host.may_connect_to}",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    said = facts.said
    text = (folder / "frame.html").read_text("utf-8")
    filled = {
        "policy": policy,
        "generator": GENERATOR,
        "style": style,
        "title": escape(said.title),
        "name": escape(facts.script["name"]),
        "headline": escape(said.headline),
        "judged": escape(said.judged),
        "verdict": escape(said.verdict),
        "protocol": escape(said.protocol),
        "warnings": warnings_html(said),
        "evidence": evidence_html(said),
        "limits": limits_html(said),
        "where": host.where_html,
        "footer": escape(host.footer),
        "licence": "" if host.is_offline else " hidden",
        "about": about_html(
            classifier, digest_of(classifier), host, _agreements() if host.is_offline else None
        ),
        "version": escape(metadata.version("foveal")),
        "facts": _json(facts.script),
        "blocks": "\n".join(_block(name, content) for name, content in blocks.items()),
        "script": script,
    }
    # In one pass, so that nothing that is filled in is filled in once more.
    parts = text.split("{{")
    pieces = [parts[0]]
    for part in parts[1:]:
        name, _, rest = part.partition("}}")
        pieces += [filled[name], rest]
    return "".join(pieces).encode("utf-8")


def _agreements() -> Agreements | None:
    try:
        return read_agreements()
    except FileNotFoundError:
        return None


def _json(content: dict[str, Any]) -> str:
    # Inside a script element only "</" and "<!--" would be read.
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _block(name: str, content: bytes) -> str:
    packed = base64.b64encode(gzip.compress(content, 9, mtime=0)).decode("ascii")
    return f'<script type="text/plain" id="{name}">{packed}</script>'

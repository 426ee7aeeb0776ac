"""ONNX Runtime Web as the page holds it: fetched when Foveal is built, never when it runs."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from foveal.errors import FovealError

VERSION: Final = "1.30.0"
SCRIPT: Final = "ort.wasm.bundle.min.mjs"
MODULE: Final = "ort-wasm-simd-threaded.wasm"
RECORD: Final = "runtime.json"


@dataclass(frozen=True, slots=True)
class Runtime:
    """The two files of ONNX Runtime Web, checked by their digests."""

    script: bytes
    module: bytes


def read_runtime() -> Runtime:
    """Returns the runtime that was fetched into this installation.

    Raises:
        FovealError: It was not fetched, is another version, or a file was altered since.
    """
    folder = files("foveal.exporting") / "runtime"
    try:
        record = json.loads((folder / RECORD).read_text("utf-8"))
        contents = {name: (folder / name).read_bytes() for name in (SCRIPT, MODULE)}
    except (OSError, ValueError):
        raise FovealError(
            f"The page needs ONNX Runtime Web {VERSION}, which is not in this installation.",
            next_step="Install a wheel of Foveal, which holds it; in a checkout, run: "
            "make runtime, or: python scripts/fetch_page_runtime.py",
        ) from None
    found = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    if record != {"version": VERSION, "files": found}:
        raise FovealError(
            f"The files of ONNX Runtime Web in this installation are not those of {VERSION}.",
            next_step="Install Foveal again; in a checkout, run: "
            "python scripts/fetch_page_runtime.py",
        )
    return Runtime(contents[SCRIPT], contents[MODULE])

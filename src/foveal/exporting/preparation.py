"""How a run prepares its images, handed on as source that needs no Foveal.

A network alone is half a classifier: other decoding, another window or another resampling give
other answers. So the folder of an ONNX file holds the very sources that prepare images here, for
Python, and those of the page, for JavaScript; nothing is written a second time.
"""

from __future__ import annotations

import io
import re
import zipfile
from importlib.resources import files
from typing import Final

from foveal.exporting.bundle import bundle, script_modules

PYTHON_NAME: Final = "preparation.zip"
PYTHON_PACKAGE: Final = "preparation"
"""Its package: not ``foveal``, so that both can be imported in one process."""

SCRIPT_NAME: Final = "preparation.mjs"

# What foveal.images imports of Foveal. A test runs them alone.
_MODULES: Final = ("errors", "text")
_OWN: Final = re.compile(r"\bfoveal\.(images|errors|text)\b")
_TIME: Final = (1980, 1, 1, 0, 0, 0)


def python_sources() -> bytes:
    """Returns a ZIP file to put on ``sys.path``, with ``preparation.images``.

    It needs NumPy and Pillow, and pydicom for DICOM. Equal for equal sources.
    """
    package = files("foveal")
    sources = {f"{name}.py": package / f"{name}.py" for name in _MODULES}
    for one in (package / "images").iterdir():
        if one.name.endswith(".py"):
            sources[f"images/{one.name}"] = one
    content = {"__init__.py": "", **{name: one.read_text("utf-8") for name, one in sources.items()}}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in sorted(content.items()):
            renamed = _OWN.sub(rf"{PYTHON_PACKAGE}.\1", text)
            archive.writestr(zipfile.ZipInfo(f"{PYTHON_PACKAGE}/{name}", _TIME), renamed)
    return packed.getvalue()


def script_source() -> bytes:
    """Returns an ES module that exports ``prepare(bytes, settings)``: Float32Array [3, H, W]."""
    text = bundle(script_modules(), "preparing.js")
    return f"{text}export const prepare = $_preparing.prepareFile;\n".encode()

"""A run as an ONNX file with what a program needs to use it: inputs, outputs and two examples."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Final

from foveal.exporting.preparation import (
    PYTHON_NAME,
    PYTHON_PACKAGE,
    SCRIPT_NAME,
    python_sources,
    script_source,
)
from foveal.images import Preprocessing
from foveal.images.resizing import plan_resize
from foveal.runs import Classifier
from foveal.runs.folder import ONNX_NAME
from foveal.text import printable

ABOUT_NAME: Final = "about.json"
EXAMPLES: Final = ("example.py", "example.mjs")


def onnx_files(classifier: Classifier, network: bytes | None = None) -> dict[str, bytes]:
    """Returns the files of the folder by name.

    Args:
        classifier: The run, whose files were checked.
        network: Another network with the same inputs and outputs; the run's own by default.
    """
    preprocessing = classifier.preprocessing
    content = (classifier.folder / ONNX_NAME).read_bytes() if network is None else network
    about = {
        "class_names": list(classifier.class_names),
        "height_px": preprocessing.height_px,
        "width_px": preprocessing.width_px,
        "interpolation": preprocessing.interpolation,
        "mean": list(preprocessing.mean),
        "std": list(preprocessing.std),
        "temperature": classifier.temperature,
        "set_thresholds": classifier.set_thresholds.tolist(),
        "preprocessing": preprocessing.to_json(),
    }
    folder = files("foveal.exporting") / "onnx"
    examples = {name: (folder / name).read_bytes() for name in EXAMPLES}
    return {
        ONNX_NAME: content,
        ABOUT_NAME: (json.dumps(about, indent=2, ensure_ascii=False) + "\n").encode(),
        PYTHON_NAME: python_sources(),
        SCRIPT_NAME: script_source(),
        **examples,
        "README.md": _readme(classifier, content, examples).encode(),
    }


def _fit_words(settings: Preprocessing) -> str:
    size = f"{settings.height_px} × {settings.width_px}"
    if settings.fit == "squash":
        return f"resized to {size} without keeping the shape"
    if settings.fit == "pad":
        return f"resized with their shape to lie within {size}, and filled up with the mean"
    input_px = settings.height_px, settings.width_px
    plan = plan_resize(
        *input_px, to_px=input_px, fit="squash", crop_fraction=settings.crop_fraction
    )
    whole = " × ".join(map(str, plan.whole_px))
    return f"resized with their shape to cover {whole}, and cut to {size} at the centre"


def _readme(classifier: Classifier, content: bytes, examples: dict[str, bytes]) -> str:
    import onnx

    model = onnx.load_from_string(content)
    opsets = ", ".join(f"{one.domain or 'ai.onnx'} {one.version}" for one in model.opset_import)
    preprocessing = classifier.preprocessing
    num_classes, num_features = len(classifier.class_names), classifier.novelty.mean.size
    size = f"{preprocessing.height_px}, {preprocessing.width_px}"
    title = printable(classifier.folder.resolve().name).replace("`", "'")
    lines = [
        f"# {title} as ONNX",
        "",
        f"`{ONNX_NAME}`, opset {opsets}, IR version {model.ir_version}. N is free.",
        "",
        "| | name | type and shape | what it is |",
        "|---|---|---|---|",
        f"| in | `images` | float32 [N, 3, {size}] | `(x - mean) / std` of RGB in [0, 1] |",
        f"| out | `probabilities` | float32 [N, {num_classes}] | calibrated; each row adds up to "
        "1 |",
        f"| out | `logits` | float32 [N, {num_classes}] | before the temperature "
        f"{classifier.temperature:.4g} and the softmax |",
        f"| out | `features` | float32 [N, {num_features}] | of the frozen network |",
        "",
        f"`{ABOUT_NAME}` has the class names in the order of the outputs, mean and std, and for "
        "each class the probability from which on it belongs to the prediction set.",
        "",
        "## Images",
        "",
        f"Other pixels give other answers. `{PYTHON_NAME}` and `{SCRIPT_NAME}` hold Foveal's own "
        "source for them, and need no Foveal: decoding, EXIF, 16 bits and DICOM with their window, "
        "one frame of several, resizing and cutting. The two give the same numbers as foveal "
        "predict, bit by bit. The settings are `preprocessing` in `about.json`:",
        "",
        "- turned upright by EXIF; what is transparent on white; grey as three equal channels;",
        f"- {_fit_words(preprocessing)}, {preprocessing.interpolation}, antialiased;",
        "- levels in [0, 1], less the mean, divided by the deviation of each channel.",
        "",
        "Who prepares 8-bit images otherwise, for instance by `Image.resize` of Pillow, should "
        "compare a few answers with these first.",
        "",
        "## Python",
        "",
        f"`pip install onnxruntime pillow numpy`, and pydicom for DICOM; then `python example.py "
        f"image.jpg`. `import {PYTHON_PACKAGE}` takes the place of Foveal:",
        "",
        "```python",
        examples["example.py"].decode().rstrip("\n"),
        "```",
        "",
        "## JavaScript",
        "",
        "`npm install onnxruntime-web`, then `node example.mjs image.jpg`. Node reads PNG, JPEG "
        "and DICOM so; a browser WebP, GIF, BMP and AVIF too:",
        "",
        "```js",
        examples["example.mjs"].decode().rstrip("\n"),
        "```",
        "",
    ]
    return "\n".join(lines)

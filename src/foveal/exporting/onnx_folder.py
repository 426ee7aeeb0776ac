"""A run as an ONNX file with what a program needs to use it: inputs, outputs and two examples."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Final

from foveal.errors import UsageError
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

    Raises:
        UsageError: An image is not squashed, so that the examples would prepare it in another
            way.
    """
    preprocessing = classifier.preprocessing
    if preprocessing.fit != "squash":
        raise UsageError(
            f"The run prepares images with fit {preprocessing.fit!r}, expected 'squash': what the "
            "examples do with an image would differ from foveal predict.",
            next_step="Use --to page, which holds the run's own preparation, or train with --fit "
            "squash.",
        )
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
        **examples,
        "README.md": _readme(classifier, content, examples).encode(),
    }


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
        "Images are turned upright (EXIF), made RGB, and resized to the input without keeping "
        f"their shape, {preprocessing.interpolation} with antialiasing: `Image.resize` of Pillow "
        "for 8-bit images. 16-bit and DICOM images need the window in `about.json` first, which "
        "the examples leave out.",
        "",
        "## Python",
        "",
        "`pip install onnxruntime pillow numpy`, then `python example.py image.jpg`:",
        "",
        "```python",
        examples["example.py"].decode().rstrip("\n"),
        "```",
        "",
        "## JavaScript",
        "",
        "`npm install onnxruntime-web`, then `node example.mjs image.rgb`, where the file holds "
        "the bytes of the resized image, as a canvas gives them without alpha:",
        "",
        "```js",
        examples["example.mjs"].decode().rstrip("\n"),
        "```",
        "",
    ]
    return "\n".join(lines)

"""A run as a folder that ``timm.create_model`` opens, alone or ready for the Hub."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from foveal.errors import FovealError, UsageError
from foveal.runs import Classifier
from foveal.runs.folder import (
    CARD_NAME,
    CONFIG_NAME,
    ONNX_NAME,
    PREPROCESSING_NAME,
    WEIGHTS_NAME,
)

_NUM_SAMPLES: Final = 4
_MAX_DIFFERENCE: Final = 1e-2
_ATTRIBUTES: Final = "*.safetensors filter=lfs diff=lfs merge=lfs -text\n" + (
    "*.onnx filter=lfs diff=lfs merge=lfs -text\n"
)


@dataclass(frozen=True, slots=True)
class TimmFolder:
    """The files by name, and how far timm's logits are from those of the run."""

    files: dict[str, bytes]
    max_logit_difference: float


def timm_files(classifier: Classifier) -> TimmFolder:
    """Returns the files that timm reads, after opening them with timm.

    Raises:
        UsageError: The run is no network of timm's own; the message says why.
        RunAlteredError: The weights are not as they were written.
        FovealError: What timm builds of them answers otherwise than the run.
    """
    if (reason := why_not_timm(classifier)) is not None:
        raise UsageError(
            f"timm cannot open this run: {reason}.",
            next_step="Use --to onnx, which holds the whole classifier; or train a network of "
            "timm's with --head linear and without --views.",
        )
    classifier.verify_files(WEIGHTS_NAME, CONFIG_NAME)
    names = (CONFIG_NAME, WEIGHTS_NAME, PREPROCESSING_NAME)
    files = {name: (classifier.folder / name).read_bytes() for name in names}
    difference = _difference(classifier, files)
    if not difference <= _MAX_DIFFERENCE:
        raise FovealError(
            f"What timm builds of the run differs from it by {difference:.3g} in a logit.",
            next_step="Install the version of timm that the run names in manifest.json.",
        )
    files["README.md"] = _readme(classifier, difference).encode()
    return TimmFolder(files, difference)


def hub_files(classifier: Classifier) -> tuple[dict[str, bytes], str]:
    """Returns the files of a repository on the Hub, and a sentence on who can open it.

    Raises:
        RunAlteredError: A file of the run is not as it was written.
        FovealError: As :func:`timm_files` raises it.
    """
    classifier.verify_files(CARD_NAME)
    files = {
        name: (classifier.folder / name).read_bytes()
        for name in (CARD_NAME, ONNX_NAME, PREPROCESSING_NAME)
    }
    files[".gitattributes"] = _ATTRIBUTES.encode()
    reason = why_not_timm(classifier)
    if reason is not None:
        card = files[CARD_NAME].decode("utf-8")
        for library in ("timm", "foveal"):
            card = card.replace(f"library_name: {library}\n", "library_name: onnx\n")
        files[CARD_NAME] = card.replace("- timm\n", "").replace("- safetensors\n", "").encode()
        return files, f"It holds the ONNX file alone, because timm cannot open the run: {reason}."
    found = timm_files(classifier)
    files |= {name: found.files[name] for name in (CONFIG_NAME, WEIGHTS_NAME)}
    return files, (
        f"timm's logits differ from the run's by at most {found.max_logit_difference:.2g} on "
        f"{_NUM_SAMPLES} inputs."
    )


def why_not_timm(classifier: Classifier) -> str | None:
    """Returns why a run is no network of timm's own, or ``None``."""
    config = json.loads((classifier.folder / CONFIG_NAME).read_text("utf-8"))
    head = config.get("foveal_head")
    if isinstance(head, dict):
        kind = head.get("kind")
        what = {"linear": "a linear head over all stages", "kernel": "a kernel over stages"}
        return f"its head is {what.get(str(kind), 'several classifiers together')}, not a last " + (
            "layer of the network"
        )
    if str(config.get("architecture")).startswith("foveal:"):
        return "its network is of Foveal's own catalogue"
    if classifier.views != ("identity",):
        return f"it averages the views {', '.join(classifier.views)}, and timm shows one"
    if not (classifier.folder / WEIGHTS_NAME).is_file():
        return "it has no weights in timm's form"
    return None


def _difference(classifier: Classifier, files: dict[str, bytes]) -> float:
    import timm
    import torch

    size = classifier.preprocessing.height_px, classifier.preprocessing.width_px
    noise = np.random.default_rng(0).standard_normal((_NUM_SAMPLES, 3, *size)).astype(np.float32)
    with tempfile.TemporaryDirectory(prefix="foveal-") as folder:
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        network = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    with torch.inference_mode():
        logits = network(torch.from_numpy(noise)).numpy()
    expected = np.array([one.logits for one in classifier.classify(noise)])
    return float(np.abs(logits - expected).max())


def _readme(classifier: Classifier, difference: float) -> str:
    return "\n".join(
        [
            "# A classifier in timm's form",
            "",
            "```python",
            "import timm",
            'network = timm.create_model("local-dir:FOLDER", pretrained=True).eval()',
            "```",
            "",
            "It gives logits. The probabilities of foveal predict are the softmax of the logits "
            f"divided by {classifier.temperature:.6g}. The class names are `label_names` in "
            f"`{CONFIG_NAME}`; `{PREPROCESSING_NAME}` says how images are prepared.",
            "",
            f"Opened by timm, its logits differed from the run's by at most {difference:.2g} on "
            f"{_NUM_SAMPLES} inputs of noise.",
            "",
        ]
    )

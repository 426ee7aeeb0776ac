"""Hub metadata for a model card: YAML from values, with every string quoted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from foveal.evaluation.evidence import Metrics
from foveal.reporting.report_input import Making
from foveal.text import printable


def hub_metadata(title: str, metrics: Metrics, making: Making | None) -> dict[str, Any]:
    """Returns the metadata that the Hugging Face Hub reads from a card.

    ``license`` is left out: the licence of the weights is told in the card, but only the owner
    can say under which one the whole may be handed on.
    """
    results = [
        {"type": kind, "name": name, "value": round(interval.estimate, 4)}
        for kind, name, interval in (
            ("accuracy", "Accuracy", metrics.accuracy),
            ("balanced_accuracy", "Balanced accuracy", metrics.balanced_accuracy),
            ("f1", "Macro F1", metrics.macro_f1),
            ("roc_auc", "AUROC (one-vs-rest, macro)", metrics.auroc),
        )
        if interval.estimate is not None and math.isfinite(interval.estimate)
    ]
    values: dict[str, Any] = {
        "library_name": "timm",
        "pipeline_tag": "image-classification",
        "tags": ["image-classification", "timm", "foveal", "onnx", "safetensors"],
        "metrics": ["accuracy", "balanced_accuracy", "f1", "roc_auc"],
    }
    if making is not None and "/" in making.backbone:
        values["base_model"] = making.backbone
    values["model-index"] = [
        {
            "name": title,
            "results": [
                {
                    "task": {"type": "image-classification", "name": "Image classification"},
                    "dataset": {"type": "custom", "name": "Held-out images of the owner's data"},
                    "metrics": results,
                }
            ],
        }
    ]
    return values


def to_yaml(value: Any, *, indent: int = 0) -> str:
    """Returns block-style YAML of mappings, sequences, strings, numbers, ``None`` and booleans.

    Strings are always double-quoted with escapes, so no text can become a key, an anchor, a
    tag or the end of the document.

    >>> print(to_yaml({"tags": ["a", "b: c"], "value": 0.5}))
    tags:
      - "a"
      - "b: c"
    value: 0.5
    """
    space = "  " * indent
    if isinstance(value, Mapping):
        return "\n".join(
            f"{space}{key}:{_beside(item, indent=indent + 1)}" for key, item in value.items()
        )
    return "\n".join(f"{space}-{_after_dash(item, indent=indent + 1)}" for item in value)


def _beside(item: Any, *, indent: int) -> str:
    if _is_block(item):
        return "\n" + to_yaml(item, indent=indent)
    return f" {_scalar(item)}"


def _after_dash(item: Any, *, indent: int) -> str:
    if _is_block(item):
        return " " + to_yaml(item, indent=indent).lstrip()
    return f" {_scalar(item)}"


def _is_block(item: Any) -> bool:
    return isinstance(item, (Mapping, Sequence)) and not isinstance(item, str) and len(item) > 0


def _scalar(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        return quote(value)
    return "{}" if isinstance(value, Mapping) else "[]"


def quote(text: str) -> str:
    r"""Returns a double-quoted YAML string.

    >>> print(quote('a "b" \\ ' + chr(0xfffe)))
    "a \"b\" \\ \uFFFE"
    """
    return '"' + "".join(_character(character) for character in printable(text)) + '"'


def _character(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    code = ord(character)
    # What YAML 1.1 and 1.2 both take as printable; byte order marks are refused by some readers.
    readable = 0x20 <= code <= 0x7E or 0xA0 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD
    if code >= 0x10000 or (readable and code != 0xFEFF):
        return character
    return f"\\u{code:04X}"

"""Explained images as JSON values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.explanation.images import ExplainedImage, ExplainedMap
from foveal.explanation.methods import unit_of


def explanations_json(images: Sequence[ExplainedImage]) -> list[dict[str, Any]]:
    """Returns one value an image; maps at their own resolution, to five digits."""
    return [
        {
            "path": image.path,
            "label": image.label,
            "probability": image.probability,
            "error": image.error,
            "maps": [_map(one) for one in image.maps],
        }
        for image in images
    ]


def _map(one: ExplainedMap) -> dict[str, Any]:
    heat_map = one.heat_map
    return {
        "class": one.class_name,
        "class_index": heat_map.class_index,
        "probability": one.probability,
        "logit": heat_map.logit,
        "method": heat_map.method,
        "layer": heat_map.layer,
        "layer_reason": heat_map.layer_reason,
        "unit": unit_of(heat_map.method),
        "bias": heat_map.bias,
        "image_size_px": list(heat_map.image_size_px),
        "cell_centres_px": {
            "rows": one.centres.rows.tolist(),
            "columns": one.centres.columns.tolist(),
            "origin": one.centres.origin,
        },
        "values": _rounded(heat_map.values),
        "signed": None if heat_map.signed is None else _rounded(heat_map.signed),
        "verdict": {
            "level": one.verdict.level,
            "sentence": one.verdict.sentence,
            "checks": [asdict(check) for check in one.verdict.checks],
        },
    }


def _rounded(values: NDArray[np.float32]) -> list[list[float]]:
    rows: list[list[float]] = np.round(values.astype(np.float64), 5).tolist()
    return rows

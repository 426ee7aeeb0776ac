"""Predictions as rows of JSON and of a table: one set of columns for every way out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from foveal.schema import to_json

if TYPE_CHECKING:
    from foveal.evaluation.operating_point import OperatingPoint
    from foveal.runs.classifier import Prediction


def describe(prediction: Prediction, class_names: Sequence[str]) -> dict[str, Any]:
    """Returns one prediction as a row of ``foveal predict --json``."""
    row: dict[str, Any] = {
        "path": prediction.path,
        "label": prediction.label,
        "probability": prediction.probability,
        "prediction_set": list(prediction.prediction_set),
        "unsure": prediction.is_unsure,
        "unlike_training": prediction.is_unlike_training,
        "novelty": prediction.novelty,
        "error": prediction.error,
    }
    probabilities = prediction.probabilities or (None,) * len(class_names)
    row["probabilities"] = dict(zip(class_names, probabilities, strict=True))
    return row


def flatten(row: dict[str, Any]) -> dict[str, Any]:
    """Returns a row with a column for each probability, for tables."""
    flat = {key: value for key, value in row.items() if key != "probabilities"}
    flat["prediction_set"] = None if row["error"] else "|".join(row["prediction_set"])
    flat |= {f"probability_{name}": value for name, value in row["probabilities"].items()}
    return flat


def predictions_json(
    rows: Sequence[dict[str, Any]], point: OperatingPoint | None
) -> dict[str, Any]:
    """Returns rows with the operating point that their labels follow, if the run has one."""
    return {
        "predictions": list(rows),
        **({} if point is None else {"operating_point": to_json(point)}),
    }


def arrow_schema(class_names: Sequence[str]) -> Any:
    """Returns the columns of a Parquet file of answers.

    Spelled out, so that a table of errors alone has the columns and types of any other.
    """
    import pyarrow as pa

    return pa.schema(
        [
            ("path", pa.string()),
            ("label", pa.string()),
            ("probability", pa.float64()),
            ("prediction_set", pa.string()),
            ("unsure", pa.bool_()),
            ("unlike_training", pa.bool_()),
            ("novelty", pa.float64()),
            ("error", pa.string()),
            *((f"probability_{name}", pa.float64()) for name in class_names),
        ]
    )

"""Writing a run: every file of it, into the folder that was claimed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from foveal.images import pixel_versions
from foveal.runs.atomic_folder import named_as_unwritable
from foveal.runs.environment import describe_hardware, describe_versions
from foveal.runs.folder import (
    CARD_NAME,
    EVALUATION_NAME,
    EXPLANATIONS_NAME,
    HISTORY_NAME,
    NOVELTY_NAME,
    PREPROCESSING_NAME,
    REPORT_NAME,
    REPORT_RECORD_NAME,
    json_bytes,
    seal,
)
from foveal.runs.model_files import Parity, write_onnx, write_timm_files
from foveal.runs.tables import write_manifest_table, write_out_of_fold
from foveal.schema import stamped, to_json
from foveal.text import printable

if TYPE_CHECKING:
    from foveal.evaluation import Evidence
    from foveal.shortcuts.explained_run import ExplainedRun
    from foveal.training import TrainedClassifier

_NUM_PARITY_IMAGES = 8


@dataclass(frozen=True, slots=True)
class Rendered:
    """The two files of a run that are made for people, as text.

    ``record`` is what they show beside the evaluation, as JSON values: with it they can be
    made again.
    """

    report_html: str
    model_card: str
    record: Mapping[str, Any]


def write_run(
    folder: Path,
    trained: TrainedClassifier,
    rendered: Rendered,
    *,
    created: str,
    command: str,
    explanations: ExplainedRun,
) -> Parity:
    """Writes every file of a run into ``folder``, which exists and is empty.

    Args:
        folder: The partial folder from ``claim_folder``.
        trained: What to write.
        rendered: Report and model card, and what they were made of.
        created: ISO 8601, from the caller's clock.
        command: How it was made, as one would type it.
        explanations: Where the answers come from.

    Returns:
        How far ``model.onnx`` is from PyTorch.

    Raises:
        RunError: A file cannot be written, as on a full disk.
    """
    with named_as_unwritable(folder):
        return _write_files(
            folder,
            trained,
            rendered,
            created=created,
            command=command,
            explanations=explanations,
        )


def _write_files(
    folder: Path,
    trained: TrainedClassifier,
    rendered: Rendered,
    *,
    created: str,
    command: str,
    explanations: ExplainedRun,
) -> Parity:
    evidence = trained.evidence
    preparing = {
        "preprocessing": trained.preprocessing.to_json(),
        "views": list(trained.model.reading.views),
        "decoders": pixel_versions(),
    }
    for name, schema, content in (
        (EVALUATION_NAME, "evaluation", evaluation_json(trained, explanations)),
        (EXPLANATIONS_NAME, "explanations", explanations.to_json()),
        (PREPROCESSING_NAME, "preprocessing", preparing),
        (REPORT_RECORD_NAME, "report", rendered.record),
    ):
        (folder / name).write_bytes(json_bytes(stamped(schema, content)))
    _write_novelty(folder, trained)
    write_manifest_table(folder, trained)
    write_out_of_fold(folder, trained)
    network = trained.model.whole_network(trained.backbone.network)
    if network is not None:
        write_timm_files(folder, network, trained)
    calibration, sets = evidence.calibration, evidence.prediction_sets
    parity = write_onnx(
        folder,
        trained,
        metadata={
            "class_names": list(evidence.data.class_names),
            "preprocessing": trained.preprocessing.to_json(),
            "views": list(trained.model.reading.views),
            "temperature": 1.0 if calibration is None else calibration.temperature,
            "set_thresholds": None if sets is None else list(sets.thresholds),
            "backbone": trained.backbone.name,
            "created": created,
            **_operating_point(evidence),
        },
        samples=_parity_samples(trained),
    )
    (folder / REPORT_NAME).write_text(rendered.report_html, "utf-8")
    (folder / CARD_NAME).write_text(rendered.model_card, "utf-8")
    with (folder / HISTORY_NAME).open("w", encoding="utf-8") as stream:
        for event in trained.events:
            stream.write(json.dumps(event, ensure_ascii=False) + "\n")
    seal(
        folder,
        {
            "created": created,
            "command": command,
            "versions": describe_versions(),
            "hardware": describe_hardware(),
            "seed": trained.config.seed,
            "config": config_json(trained),
            "backbone": {
                "name": trained.backbone.name,
                "weights": trained.backbone.weights.description,
                "licence": trained.backbone.weights.licence,
                "weights_sha256": trained.backbone.weights.digest,
            },
            "backend": asdict(trained.probe),
            "data_sha256": trained.manifest.digest,
            "onnx_parity": asdict(parity),
            **_operating_point(evidence),
        },
    )
    return parity


def _operating_point(evidence: Evidence) -> dict[str, Any]:
    """Returns the operating point under its name; nothing where the run has none."""
    operating = evidence.operating
    if operating is None or operating.chosen is None or operating.chosen.point is None:
        return {}
    return {"operating_point": to_json(operating.chosen.point)}


def evaluation_json(trained: TrainedClassifier, explanations: ExplainedRun) -> dict[str, Any]:
    """Returns the contents of ``evaluation.json``: evidence, audit and what was explained."""
    return {
        **trained.evidence.to_json(),
        "audit": trained.audit.to_json(),
        "explanations": explanations.summary_json(),
    }


def config_json(trained: TrainedClassifier) -> dict[str, Any]:
    """Returns the choices as JSON values, paths as text."""
    config = asdict(trained.config)
    return {key: _as_json(value) for key, value in config.items()}


def _as_json(value: Any) -> Any:
    if isinstance(value, Path):
        return printable(str(value))
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, Mapping):
        return {key: _as_json(item) for key, item in value.items()}
    return [_as_json(item) for item in value] if isinstance(value, tuple) else value


def _write_novelty(folder: Path, trained: TrainedClassifier) -> None:
    from safetensors.numpy import save

    arrays = {
        name: np.ascontiguousarray(array) for name, array in trained.novelty.to_arrays().items()
    }
    (folder / NOVELTY_NAME).write_bytes(save(arrays))


def _parity_samples(trained: TrainedClassifier) -> np.ndarray[Any, np.dtype[np.float32]]:
    usable = trained.manifest.usable
    spread = np.linspace(0, len(usable) - 1, min(_NUM_PARITY_IMAGES, len(usable))).astype(int)
    return np.stack(
        [trained.preprocessing.apply(trained.manifest.resolve(usable[row])) for row in spread]
    )

"""A run's network in 8 bits, where that costs little accuracy.

Convolutions are quantised with one scale a channel, activations by what training images give
(static quantisation, Jacob et al. 2018, arXiv 1712.05877); the head stays as it is. What that
costs is measured out of fold: heads fitted on the other folds' exact features answer for each
image once by its exact and once by its quantised features.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from foveal.errors import UsageError
from foveal.evaluation import Interval
from foveal.evaluation.paired import accuracy_difference
from foveal.exporting.forms import Contents
from foveal.exporting.onnx_folder import onnx_files
from foveal.reporting.from_run import find_images
from foveal.reporting.from_training import ReportRecord
from foveal.runs import Classifier
from foveal.runs.folder import (
    MANIFEST_TABLE_NAME,
    ONNX_NAME,
    OUT_OF_FOLD_NAME,
    REPORT_RECORD_NAME,
)
from foveal.runs.reading import read_typed
from foveal.runs.tables import read_out_of_fold, read_usable
from foveal.text import count_noun

MAX_LOSS: Final = 0.01
"""The accuracy that may be lost, as a share of all images."""

_NUM_CALIBRATED: Final = 64
_NUM_JUDGED: Final = 2000
_NUM_TIMED: Final = 5
_BATCH: Final = 8

Floats = NDArray[np.float32]


def int8_files(classifier: Classifier) -> Contents:
    """Returns the files of the folder, with size, speed and what accuracy it costs.

    Raises:
        UsageError: The run is not a linear head over one vector, its images are not where they
            were, or the loss is more than :data:`MAX_LOSS`; the message says which.
    """
    import onnx

    exact = (classifier.folder / ONNX_NAME).read_bytes()
    model = onnx.load_from_string(exact)
    head = next((node for node in model.graph.node if "logits" in node.output), None)
    if head is None or head.op_type != "Gemm" or head.input[0] != "features":
        raise UsageError(
            "The run is not a linear head on the frozen network's last vector, so what 8 bits cost "
            "it cannot be measured out of fold.",
            next_step="Use --to onnx, or train with --head linear and without --fine-tune.",
        )
    judged, samples = _read_images(classifier)
    spread = np.linspace(0, len(samples) - 1, min(_NUM_CALIBRATED, len(samples))).astype(int)
    small = _quantise(model, samples[spread], keep=[head.name])
    slow, fast = _session(exact), _session(small)
    features, rounded = (_features(one, samples) for one in (slow, fast))
    loss, interval = _loss(classifier, judged, features, rounded)
    said = (
        f"accuracy changes by {100 * (interval.estimate or 0.0):+.1f} points (95% interval "
        f"{_points(interval)}), out of fold on {count_noun(len(samples), 'image')}"
    )
    if loss > MAX_LOSS:
        raise UsageError(
            f"In 8 bits {said}: more than the {100 * MAX_LOSS:.0f} point that may be lost.",
            next_step="Use --to onnx, or train with another backbone, such as resnet18, which "
            "loses less.",
        )
    speed = _speed(slow, fast, samples[:_BATCH])
    files = onnx_files(classifier, small)
    about = json.loads(files["about.json"])
    about["int8"] = {
        "accuracy_change": -loss,
        "low": interval.low,
        "high": interval.high,
        "num_images": len(samples),
        "bytes": len(small),
        "bytes_before": len(exact),
        "speed": speed,
    }
    files["about.json"] = (json.dumps(about, indent=2, ensure_ascii=False) + "\n").encode()
    notes = (
        f"{len(small) / 1e6:.1f} MB instead of {len(exact) / 1e6:.1f} MB; {speed:.1f} times as "
        "fast here, one thread.",
        f"{said[0].upper()}{said[1:]}.{_not_excluded(interval)}",
    )
    readme = files["README.md"].decode() + "\n## In 8 bits\n\n" + "\n\n".join(notes) + "\n"
    return Contents({**files, "README.md": readme.encode()}, notes)


def _read_images(classifier: Classifier) -> tuple[dict[str, NDArray[Any]], Floats]:
    """Returns label, group and fold of the judged images that are still there, and the images."""
    folder = classifier.folder
    classifier.verify_files(MANIFEST_TABLE_NAME, OUT_OF_FOLD_NAME, REPORT_RECORD_NAME)
    record = read_typed(folder, REPORT_RECORD_NAME, ReportRecord, schema="report")
    usable = read_usable(folder)
    row_of = {image.path: row for row, image in enumerate(usable)}
    table = read_out_of_fold(folder, classifier.class_names)
    positions = [position for position, path in enumerate(table["path"]) if path in row_of]
    spread = np.linspace(0, len(positions) - 1, min(_NUM_JUDGED, len(positions))).astype(int)
    positions = [positions[position] for position in dict.fromkeys(spread.tolist())]
    rows = [row_of[table["path"][position]] for position in positions]
    root = None if record.images_root is None else folder / record.images_root
    found, missing = find_images(rows, usable, root)
    if missing:
        raise UsageError(
            f"8 bits are set by the images that the run was trained on, and {len(missing):,} of "
            f"{count_noun(len(rows), 'image')} cannot be read, first {missing[0]}.",
            next_step="Bring the images back to where they were, or use --to onnx.",
        )
    index = {name: position for position, name in enumerate(classifier.class_names)}
    groups = np.unique([table["group"][position] for position in positions], return_inverse=True)[1]
    facts = {
        "labels": np.array([index[table["label"][position]] for position in positions], np.int64),
        "groups": groups.astype(np.int64),
        "folds": np.array([table["fold"][position] for position in positions], np.int64),
    }
    images = [classifier.preprocessing.apply(found[row]) for row in rows]
    return facts, np.stack(images)


def _quantise(model: Any, samples: Floats, *, keep: list[str]) -> bytes:
    import tempfile

    import onnx
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.batches: Iterator[Floats] = iter(samples[:, None])

        def get_next(self) -> dict[str, Floats] | None:
            batch = next(self.batches, None)
            return None if batch is None else {"images": batch}

    # It warns that the model was not prepared; the exporter has folded what that would fold.
    level = logging.getLogger().level
    logging.getLogger().setLevel(logging.ERROR)
    try:
        with tempfile.TemporaryDirectory(prefix="foveal-") as folder:
            target = Path(folder) / "model.onnx"
            quantize_static(
                model,
                str(target),
                Reader(),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                nodes_to_exclude=keep,
                op_types_to_quantize=["Conv"],
            )
            small = onnx.load(str(target))
    finally:
        logging.getLogger().setLevel(level)
    stated = {one.key: one.value for one in model.metadata_props}
    onnx.helper.set_model_props(small, stated)
    content: bytes = small.SerializeToString()
    return content


def _session(content: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _features(session: Any, samples: Floats) -> Floats:
    batches = [samples[start : start + _BATCH] for start in range(0, len(samples), _BATCH)]
    found = [session.run(["features"], {"images": batch})[0] for batch in batches]
    return np.concatenate(found)


def _loss(
    classifier: Classifier, judged: dict[str, NDArray[Any]], features: Floats, rounded: Floats
) -> tuple[float, Interval]:
    """Returns the accuracy lost, and the interval of the change (quantised minus exact)."""
    from foveal.training.linear import LinearMaker
    from foveal.training.problem import Problem

    labels, groups, folds = judged["labels"], judged["groups"], judged["folds"]
    exact, quantised = np.empty((2, len(labels)), np.int64)
    if len(np.unique(folds)) < 2:  # held out: the kept head has not seen these images
        heads: dict[int, Any] = {int(folds[0]): _kept_head(classifier)}
    else:
        problem = Problem(
            source=lambda _: features,
            rows=np.arange(len(labels)),
            labels=labels,
            groups=groups,
            fold_index=np.unique(folds, return_inverse=True)[1].astype(np.int64),
            class_names=classifier.class_names,
        )
        fits = LinearMaker().fit_folds(problem)
        known = np.unique(folds).tolist()
        heads = {fold: model.logits for fold, model in zip(known, fits.fold_models, strict=True)}
    for fold, logits in heads.items():
        rows = folds == fold
        exact[rows] = logits(features[rows]).argmax(1)
        quantised[rows] = logits(rounded[rows]).argmax(1)
    interval = accuracy_difference(quantised == labels, exact == labels, groups, seed=0)
    return float((exact == labels).mean() - (quantised == labels).mean()), interval


def _kept_head(classifier: Classifier) -> Any:
    import onnx
    from onnx import numpy_helper

    model = onnx.load_from_string((classifier.folder / ONNX_NAME).read_bytes())
    head = next(node for node in model.graph.node if "logits" in node.output)
    stored = {one.name: one for one in model.graph.initializer}
    weight, bias = (numpy_helper.to_array(stored[name]) for name in head.input[1:3])
    return lambda features: features @ weight.T + bias


def _speed(slow: Any, fast: Any, batch: Floats) -> float:
    """Returns how many times as fast the second is; they take turns."""
    seconds: dict[int, list[float]] = {0: [], 1: []}
    for _ in range(_NUM_TIMED):
        for which, session in enumerate((slow, fast)):
            start = time.perf_counter()
            session.run(["probabilities"], {"images": batch})
            seconds[which].append(time.perf_counter() - start)
    return min(seconds[0]) / min(seconds[1])


def _not_excluded(interval: Interval) -> str:
    if interval.low is not None and interval.low >= -MAX_LOSS:
        return ""
    return f" So few images do not exclude a loss of more than {100 * MAX_LOSS:.0f} point."


def _points(interval: Interval) -> str:
    if interval.low is None or interval.high is None:
        return "not known"
    return f"{100 * interval.low:+.1f} to {100 * interval.high:+.1f}"

"""Reads a run's files. A field of a wrong type, range or length is named in the error.

The digests of a run are no signature: whoever changes a file can write its new digest beside it.
So what is read is checked, and a field that cannot be right is an error with its name.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from foveal.dataset import Audit
from foveal.errors import DataError, RunAlteredError, SchemaError, UsageError
from foveal.evaluation import Evidence, Interval, NoveltyReference
from foveal.evaluation.operating_rule import parse_rule
from foveal.images import Preprocessing, View
from foveal.runs.folder import (
    CONFIG_NAME,
    EVALUATION_NAME,
    EXPLANATIONS_NAME,
    NOVELTY_NAME,
    ONNX_NAME,
    PREPROCESSING_NAME,
)
from foveal.schema import from_json, to_json, unstamped
from foveal.text import printable

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

    from foveal.shortcuts.explained_run import ExplainedRun

_T = TypeVar("_T")
_COUNT = re.compile(r"(?:^|[._])(?:num_\w+|index|row|\w+_index)(?:\[\d+\])?$")
_SHARE = re.compile(r"(?:^|[._])(?:accuracy|probability|share)(?:\[\d+\])?$")
# Intervals that are none of a share: steps between ordered classes, lines of calibration.
_ANY_SIZE = re.compile(r"(?:^|[._])(?:distance|slope|intercept)(?:\[\d+\])?$")
_OUTPUTS = ("probabilities", "logits", "features")


@dataclass(frozen=True, slots=True)
class StoredRun:
    """What a run's files hold for prediction, checked; see the fields of ``Classifier``."""

    class_names: tuple[str, ...]
    preprocessing: Preprocessing
    views: tuple[View, ...]
    decoders: dict[str, str]
    evidence: Evidence
    temperature: float
    set_thresholds: NDArray[np.float64]
    novelty: NoveltyReference
    session: InferenceSession


def read_run(folder: Path) -> StoredRun:
    """Reads the files that prediction needs; their digests were checked before.

    Raises:
        RunAlteredError: A field is missing, or has a value that no training writes.
    """
    config = _File.read(folder, CONFIG_NAME)  # timm's form, without a schema of ours
    evaluation = _File.read(folder, EVALUATION_NAME, schema="evaluation")
    prepared = _File.read(folder, PREPROCESSING_NAME, schema="preprocessing")
    names = _class_names(config)
    config.require("num_classes", config.get("num_classes") == len(names), f"{len(names)}")
    preprocessing = _preprocessing(prepared)
    views = prepared.words("views", get_args(View))
    decoders = prepared.content.get("decoders", {})
    prepared.require("decoders", _is_text_by_text(decoders), "versions by name")
    temperature = evaluation.number("calibration.temperature", above=0.0)
    thresholds = evaluation.numbers("prediction_sets.thresholds", len(names))
    alpha = evaluation.number("prediction_sets.alpha", above=0.0)
    evaluation.require("prediction_sets.alpha", alpha < 1.0, "a number below 1")
    evaluation.require("novelty", isinstance(evaluation.get("novelty"), dict), "an object")
    _check_interval(evaluation, "metrics.accuracy")
    novelty = _novelty(folder)
    session = _open_session(folder, preprocessing, len(names), novelty.mean.size)
    said = _File.of_metadata(folder, session)
    for field, value in (
        ("class_names", list(names)),
        ("temperature", temperature),
        ("set_thresholds", thresholds.tolist()),
        ("views", list(views)),
        ("preprocessing", prepared.get("preprocessing")),
    ):
        said.require(field, said.get(field) == value, "what the run's other files say")
    found = _evidence(evaluation)
    _check_operating_point(evaluation, said, names, found)
    return StoredRun(
        class_names=names,
        preprocessing=preprocessing,
        views=views,
        decoders=dict(decoders),
        evidence=found,
        temperature=temperature,
        set_thresholds=thresholds,
        novelty=novelty,
        session=session,
    )


def _check_operating_point(
    evaluation: _File, said: _File, names: tuple[str, ...], evidence: Evidence
) -> None:
    """Refuses an operating point that no training writes, or that ``model.onnx`` does not have."""
    chosen = None if evidence.operating is None else evidence.operating.chosen
    point = None if chosen is None else chosen.point
    field = "operating.chosen.point"
    if point is not None:
        index = point.class_index
        is_right = 0 <= index < len(names) and names[index] == point.class_name
        evaluation.require(field, is_right, "the name and the index of one class")
        is_right = 0.0 < point.threshold < 1.0 + 1e-9
        evaluation.require(field, is_right, "a threshold from 0 to 1")
        with named_as_altered(evaluation.folder, evaluation.name):
            parse_rule(point.rule)
    is_same = said.content.get("operating_point") == (None if point is None else to_json(point))
    said.require("operating_point", is_same, "what the run's other files say")


def read_evidence(folder: Path) -> tuple[Evidence, Audit]:
    """Reads the measurements and the audit of the data from ``evaluation.json``.

    Raises:
        RunAlteredError: A field is missing, unknown, or has a value of another type.
    """
    evaluation = _File.read(folder, EVALUATION_NAME, schema="evaluation")
    found = _evidence(evaluation)
    with named_as_altered(folder, EVALUATION_NAME):
        return found, from_json(Audit, evaluation.get("audit"), path="audit")


def read_explanations(folder: Path) -> ExplainedRun:
    """Reads what the heat maps of the run's held-out images show, with every map.

    Raises:
        RunAlteredError: A field is missing, unknown, or has a value of another type.
    """
    from foveal.shortcuts.explained_run import ExplainedRun

    return read_typed(folder, EXPLANATIONS_NAME, ExplainedRun, schema="explanations")


def read_typed(folder: Path, name: str, kind: type[_T], *, schema: str) -> _T:
    """Reads a file of a run that holds one dataclass.

    Raises:
        RunAlteredError: A field is missing, unknown, or has a value of another type.
    """
    file = _File.read(folder, name, schema=schema)
    with named_as_altered(folder, name):
        found = from_json(kind, file.content)
    _require_possible(folder, name, found)
    return found


def read_preprocessing(folder: Path) -> tuple[Preprocessing, tuple[View, ...]]:
    """Reads how images enter the network, and the views whose features are averaged.

    Raises:
        RunAlteredError: A field is missing or cannot be.
    """
    prepared = _File.read(folder, PREPROCESSING_NAME, schema="preprocessing")
    return _preprocessing(prepared), prepared.words("views", get_args(View))


def _evidence(evaluation: _File) -> Evidence:
    with named_as_altered(evaluation.folder, evaluation.name):
        found = Evidence.from_json(
            {
                key: value
                for key, value in evaluation.content.items()
                if key not in ("audit", "explanations")
            }
        )
    _require_possible(evaluation.folder, evaluation.name, found)
    return found


def _require_possible(folder: Path, file: str, value: Any, field: str = "") -> None:
    """Refuses figures that no run can have: each by what its name or its type says it is.

    Every interval is one of a share or of a difference between two, but for those of ``_ANY_SIZE``.
    Counts and indices are not negative; accuracies, probabilities and shares lie between 0 and 1.

    Raises:
        RunAlteredError: Names the field.
    """
    if isinstance(value, Interval):
        given = [end for end in (value.low, value.estimate, value.high) if end is not None]
        if any(not -1.0 <= end <= 1.0 for end in given) and not _ANY_SIZE.search(field):
            refuse(folder, file, field, f"got {given}, expected numbers between -1 and 1")
    elif is_dataclass(value):
        for one in fields(value):
            name = f"{field}.{one.name}".removeprefix(".")
            _require_possible(folder, file, getattr(value, one.name), name)
    elif isinstance(value, (tuple, list)):
        for number, item in enumerate(value):
            _require_possible(folder, file, item, f"{field}[{number}]")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            _require_possible(folder, file, item, f"{field}.{printable(str(key))}")
    elif isinstance(value, int) and value < 0 and _COUNT.search(field):
        refuse(folder, file, field, f"got {value}, expected a whole number from 0 on")
    elif isinstance(value, float) and _SHARE.search(field) and not 0.0 <= value <= 1.0:
        refuse(folder, file, field, f"got {value:g}, expected a number between 0 and 1")


@contextlib.contextmanager
def named_as_altered(folder: Path, file: str) -> Iterator[None]:
    """Turns what a library says of a damaged file into an error that names it."""
    try:
        yield
    except RunAlteredError:
        raise
    except (DataError, SchemaError, UsageError) as error:
        refuse(folder, file, "", error.message)
    # Libraries have trees of errors of their own: onnxruntime's, arrow's, safetensors'.
    except Exception as error:
        refuse(folder, file, "", f"it cannot be read ({type(error).__name__}: {error})")


def refuse(folder: Path, file: str, field: str, reason: str) -> NoReturn:
    """Raises ``RunAlteredError``, which names the file and the field in it."""
    where = printable(str(folder / file)) + (f", {field}" if field else "")
    raise RunAlteredError(
        f"{where}: {printable(reason)[:300]}. The run was altered, or written by another version.",
        next_step="Restore the folder from a copy, or train again.",
    )


@dataclass(frozen=True, slots=True)
class _File:
    """A file of JSON, whose fields are asked for by their path, such as ``a.b``."""

    folder: Path
    name: str
    content: dict[str, Any]

    @classmethod
    def read(cls, folder: Path, name: str, *, schema: str | None = None) -> _File:
        file = cls.of(folder, name, lambda: (folder / name).read_text("utf-8"))
        return file if schema is None else file.unstamped(schema)

    @classmethod
    def of_metadata(cls, folder: Path, session: InferenceSession) -> _File:
        file = cls.of(
            folder, ONNX_NAME, lambda: session.get_modelmeta().custom_metadata_map["foveal"]
        )
        return file.unstamped("onnx")

    @classmethod
    def of(cls, folder: Path, name: str, text: Callable[[], str]) -> _File:
        with named_as_altered(folder, name):
            content = json.loads(text())
        if not isinstance(content, dict):
            refuse(folder, name, "", f"got {type(content).__name__}, expected an object")
        return cls(folder, name, content)

    def unstamped(self, schema: str) -> _File:
        with named_as_altered(self.folder, self.name):
            return _File(self.folder, self.name, unstamped(schema, self.content))

    def get(self, field: str) -> Any:
        value: Any = self.content
        for key in field.split("."):
            if not isinstance(value, dict) or key not in value:
                refuse(self.folder, self.name, field, "it is missing")
            value = value[key]
        return value

    def require(self, field: str, is_right: bool, expected: str) -> None:
        if not is_right:
            got = json.dumps(self.content.get(field, self._shown(field)), ensure_ascii=True)[:80]
            refuse(self.folder, self.name, field, f"got {got}, expected {expected}")

    def number(self, field: str, *, above: float) -> float:
        value = self.get(field)
        is_right = _is_number(value) and value > above
        self.require(field, is_right, f"a finite number above {above:g}")
        return float(value)

    def numbers(self, field: str, count: int) -> NDArray[np.float64]:
        values = self.get(field)
        is_right = (
            isinstance(values, list)
            and len(values) == count
            and all(_is_number(value) and 0.0 <= value <= 1.0 for value in values)
        )
        self.require(field, is_right, f"{count} numbers from 0 to 1")
        return np.array(values, np.float64)

    def words(self, field: str, known: tuple[_T, ...]) -> tuple[_T, ...]:
        values = self.get(field)
        is_right = isinstance(values, list) and bool(values)
        is_right = is_right and all(isinstance(one, str) and one in known for one in values)
        self.require(field, is_right, f"some of {', '.join(map(str, known))}")
        return tuple(values)

    def _shown(self, field: str) -> Any:
        value: Any = self.content
        for key in field.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        return value


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_text_by_text(value: object) -> bool:
    return isinstance(value, Mapping) and all(isinstance(one, str) for one in value.values())


def _class_names(config: _File) -> tuple[str, ...]:
    names = config.get("label_names")
    is_right = (
        isinstance(names, list)
        and len(names) >= 2
        and all(isinstance(name, str) and name and printable(name) == name for name in names)
        and len(set(names)) == len(names)
    )
    config.require("label_names", is_right, "two or more different names on one line each")
    return tuple(names)


def _preprocessing(prepared: _File) -> Preprocessing:
    with named_as_altered(prepared.folder, prepared.name):
        return Preprocessing.from_json(prepared.get("preprocessing"))


def _check_interval(file: _File, field: str) -> None:
    interval = file.get(field)
    is_right = (
        isinstance(interval, dict)
        and set(interval) == {"estimate", "low", "high"}
        and all(
            value is None or (_is_number(value) and 0.0 <= value <= 1.0)
            for value in interval.values()
        )
    )
    file.require(field, is_right, "estimate, low and high from 0 to 1")


def _novelty(folder: Path) -> NoveltyReference:
    from safetensors.numpy import load

    with named_as_altered(folder, NOVELTY_NAME):
        arrays = load((folder / NOVELTY_NAME).read_bytes())
        for name, array in arrays.items():
            if array.size == 0 or not np.isfinite(array.astype(np.float64)).all():
                refuse(folder, NOVELTY_NAME, name, "got numbers that are not finite, or none")
        reference = NoveltyReference.from_arrays(arrays)
    if (reference.scales <= 0).any():
        refuse(folder, NOVELTY_NAME, "scales", "got a scale that is not above 0")
    if reference.residual_scale < 0 or reference.threshold <= 0:
        refuse(folder, NOVELTY_NAME, "threshold, residual_scale", "got a number below 0")
    return reference


def _open_session(
    folder: Path, preprocessing: Preprocessing, num_classes: int, num_features: int
) -> InferenceSession:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # one call a core: see foveal.features.backends
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what it says of a damaged file is in its error
    with named_as_altered(folder, ONNX_NAME):
        # The contents, since a path that is no UTF-8 cannot be handed over.
        session = onnxruntime.InferenceSession(
            (folder / ONNX_NAME).read_bytes(), options, providers=["CPUExecutionProvider"]
        )
        shapes = {
            one.name: list(one.shape) for one in (*session.get_inputs(), *session.get_outputs())
        }
    height, width = preprocessing.height_px, preprocessing.width_px
    expected = {"images": [3, height, width], "probabilities": [num_classes]}
    expected |= {"logits": [num_classes], "features": [num_features]}
    for name, shape in expected.items():
        if shapes.get(name, [None])[1:] != shape:
            refuse(
                folder,
                ONNX_NAME,
                name,
                f"got the shape {shapes.get(name)}, expected [N, {', '.join(map(str, shape))}]",
            )
    return session

"""What commands write with ``--json``, as types; docs/schemas is made from them.

A key that may be missing is ``NotRequired``; a value that may be unknown is null.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

from foveal.evaluation.operating_point import OperatingPoint

Status = Literal["complete", "partial", "unavailable"]


class Answer(TypedDict):
    """The answer for one image, or the error in place of it."""

    path: str
    label: str | None
    probability: float | None
    prediction_set: list[str]
    unsure: bool | None
    unlike_training: bool | None
    novelty: float | None
    error: str | None
    probabilities: dict[str, float | None]


class Predictions(TypedDict):
    """Answers of ``foveal predict``, one an image, in order.

    Labels follow the operating point where there is one.
    """

    predictions: list[Answer]
    operating_point: NotRequired[OperatingPoint]


class ShardedPredictions(TypedDict):
    """What ``foveal predict --shards`` wrote; ``reasons`` counts the rows without an answer."""

    folder: str
    num_parts: int
    num_found: int
    num_rows: int
    num_bad: int
    reasons: dict[str, int]
    notes: list[str]


class Check(TypedDict):
    """One test of a heat map."""

    name: str
    status: Literal["passed", "failed", "unavailable"]
    value: float | None
    reference: float | None
    sentence: str


class Verdict(TypedDict):
    """Whether a heat map can be believed."""

    level: Literal["supported", "doubtful", "refuted", "untested"]
    sentence: str
    checks: list[Check]


class CellCentres(TypedDict):
    """Where the cells of a map lie in the network's input, in pixels."""

    rows: list[float]
    columns: list[float]
    origin: str


_Map = TypedDict("_Map", {"class": str})


class HeatMap(_Map):
    """The map of one class, at its own resolution."""

    class_index: int
    probability: float
    logit: float
    method: str
    layer: str
    layer_reason: str
    unit: str
    bias: float | None
    image_size_px: list[int]
    cell_centres_px: CellCentres
    values: list[list[float]]
    signed: list[list[float]] | None
    verdict: Verdict


class ExplainedImage(TypedDict):
    """One image with the maps that were asked for, or the error in place of them."""

    path: str
    label: str | None
    probability: float | None
    error: str | None
    maps: list[HeatMap]


class Explanations(TypedDict):
    """Heat maps and verdicts of ``foveal explain``."""

    model: str
    effort: Literal["quick", "full"]
    images: list[ExplainedImage]
    files: list[str]


class Maximised(TypedDict):
    """What excites one class or channel, and how much."""

    objective: str
    target: str
    first: float | None
    last: float | None
    reason: str | None
    seconds: float


class Visualisation(TypedDict):
    """What ``foveal visualise`` drew."""

    file: str
    pictures: list[Maximised]


class Finding(TypedDict):
    """What a rule found."""

    code: str
    severity: Literal["error", "warning", "info"]
    location: str
    evidence: str
    fix: str
    fix_id: str | None
    data: dict[str, Any]
    explained_by: str


class RuleOutcome(TypedDict):
    """How one rule ended: with a reason, or with a number of findings."""

    outcome: Literal["checked", "not applicable", "undetermined"]
    reason: NotRequired[str]
    num_findings: NotRequired[int]


class Counts(TypedDict):
    """Findings by severity."""

    error: int
    warning: int
    info: int


class Lint(TypedDict):
    """Findings of ``foveal lint``, and how every rule ended."""

    model: str
    input_shape: list[int] | None
    input_source: str
    findings: list[Finding]
    outcomes: dict[str, RuleOutcome]
    counts: Counts


class Input(TypedDict):
    """A tensor that the network takes."""

    name: str
    shape: list[int]
    dtype: str


class Output(TypedDict):
    """A tensor that the network gives."""

    path: str
    shape: list[int]


_Field = TypedDict("_Field", {"global": bool})


class Field(_Field):
    """The receptive field per axis, [h, w], in pixels; null as a whole with its reason."""

    receptive_field: list[int] | None
    effective_stride: list[float] | None
    start: list[float | None] | None
    reason: NotRequired[str | None]


class Cost(TypedDict):
    """MACs and bytes kept for training; a status and reason where one is not exact."""

    macs: int | None
    macs_status: NotRequired[Status]
    macs_reason: NotRequired[str | None]
    kept_bytes: int | None
    kept_bytes_status: NotRequired[Status]
    kept_bytes_reason: NotRequired[str | None]


class Op(Field, Cost):
    """One operation."""

    name: str
    kind: str
    function: str
    module: str
    module_type: str
    output_shape: list[int]
    parameters: int
    trainable_parameters: int
    activation_bytes: int | None
    inputs: list[int]
    attributes: dict[str, Any]
    shared_with: NotRequired[str]
    symbolic_shape: NotRequired[list[Any] | None]


class Stage(Field, Cost):
    """Operations at one resolution."""

    name: str
    ops: list[int]
    output_shape: list[int]
    parameters: int
    trainable_parameters: int
    activation_bytes: int | None
    share_of_parameters: float | None
    share_of_macs: float | None
    share_of_memory: float | None


class Totals(Field, Cost):
    """The whole network."""

    parameters: int
    trainable_parameters: int
    unused_parameters: int
    parameter_bytes: int
    activation_bytes: int | None
    activation_bytes_status: NotRequired[Status]
    activation_bytes_reason: NotRequired[str | None]
    peak_bytes: int | None
    peak_bytes_status: NotRequired[Status]
    peak_bytes_reason: NotRequired[str | None]
    receptive_field_of: str | None
    layers_with_weights: int
    nonlinearities: int


class Sizes(TypedDict):
    """What holds for other sizes of the input."""

    status: Status
    reason: str | None
    divisor: int | None
    smallest: int | None
    other_sizes: str | None
    macs: str | None
    verified_on: list[list[int]]


class Effective(TypedDict):
    """The effective receptive field of one unit, measured from gradients."""

    op: str
    unit: list[int]
    theoretical_px: list[int] | None
    theoretical: list[list[int]] | None
    luo_px: float
    mass_95_px: list[int]
    images: int


class Table(TypedDict):
    """A network layer by layer."""

    model: str
    model_type: str
    mode: str
    inputs: list[Input]
    outputs: list[Output]
    status: Status
    reason: str | None
    ops: list[Op]
    stages: list[Stage]
    totals: Totals
    sizes: Sizes | None
    notes: list[str]


class Inspection(Table):
    """The table of ``foveal inspect``."""

    effective: NotRequired[Effective]


class Contrast(TypedDict):
    """One figure of both networks."""

    name: str
    unit: str
    first: float | None
    second: float | None
    ratio: float | None
    status: list[Status]
    reason: str | None


class Comparison(TypedDict):
    """Two networks side by side: ``foveal inspect --against``."""

    first: Table
    second: Table
    contrasts: list[Contrast]
    effective: NotRequired[Effective]


class Drawn(TypedDict):
    """What ``foveal report`` wrote."""

    report: str
    model_card: str
    num_images: int
    missing: list[str]


class ChecklistItem(TypedDict):
    """One item of a reporting checklist: who answered it, and what is asked where nobody did."""

    number: str
    topic: str
    status: Literal["run", "owner", "both", "half", "open"]
    answer: str | None
    section: str | None
    statement: str | None
    key: str | None
    question: str | None


class FilledChecklist(TypedDict):
    """What ``foveal report --checklist`` writes."""

    checklist: str
    name: str
    source: str
    run: str
    num_items: int
    num_answered: int
    items: list[ChecklistItem]


class LabName(TypedDict):
    """One lab."""

    name: str
    shows: str


class LabList(TypedDict):
    """The labs that there are."""

    labs: list[LabName]


class Exported(TypedDict):
    """What ``foveal export`` wrote."""

    form: Literal["page", "onnx", "onnx-int8", "timm", "hub"]
    file: str
    bytes: int
    notes: list[str]


class FileRecord(TypedDict):
    """A file of a run, as it was written."""

    sha256: str
    bytes: int


class Backbone(TypedDict):
    """The frozen network, and where its weights come from."""

    name: str
    weights: str
    licence: str | None
    weights_sha256: str


class RunManifest(TypedDict):
    """``manifest.json``: how a run was made, and the digest of each of its files."""

    created: str
    command: str
    versions: dict[str, Any]
    hardware: dict[str, Any]
    seed: int
    config: dict[str, Any]
    backbone: Backbone
    backend: dict[str, Any]
    data_sha256: str
    onnx_parity: dict[str, Any]
    operating_point: NotRequired[OperatingPoint]
    files: dict[str, FileRecord]


class Window(TypedDict):
    """How deep grey levels become [0, 1]."""

    low_percentile: float
    high_percentile: float
    dicom: str
    fixed: dict[str, list[float]]


class Settings(TypedDict):
    """How any image file becomes the network's input."""

    version: int
    height_px: int
    width_px: int
    fit: Literal["squash", "crop", "pad"]
    crop_fraction: float
    interpolation: str
    mean: list[float]
    std: list[float]
    window: Window
    max_pixels: int
    jpeg_reduction: bool
    frame: Any


class PreparedImages(TypedDict):
    """``preprocessing.json``: how a run's images enter, and by which decoders."""

    preprocessing: Settings
    views: list[str]
    decoders: dict[str, str]

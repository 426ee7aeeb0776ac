"""What the page says of its classifier, and needs to answer as ``foveal predict`` does."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from foveal.draw.colour_map import tint_table
from foveal.evaluation import Evidence
from foveal.evaluation.operating_wording import describe_chosen
from foveal.evaluation.wording import (
    describe_against_baseline,
    describe_interval,
    describe_judged,
    describe_leak,
    describe_prediction_sets,
)
from foveal.images import SUPPORTED_SUFFIXES
from foveal.reporting.from_training import ReportRecord
from foveal.reporting.sections.heat_maps import shortcut_warnings
from foveal.reporting.sections.meaning import meaning
from foveal.runs import Classifier
from foveal.runs.folder import EXPLANATIONS_NAME, ONNX_NAME, REPORT_RECORD_NAME
from foveal.runs.reading import read_explanations, read_typed
from foveal.schema import to_json
from foveal.text import printable


@dataclass(frozen=True, slots=True)
class Said:
    """Sentences for people, printable."""

    title: str
    headline: str
    judged: str
    verdict: str
    protocol: str
    warnings: tuple[str, ...]
    limits: tuple[str, ...]
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PageFacts:
    """What the page's script is given, as JSON values; and what its frame says."""

    script: dict[str, Any]
    said: Said


def gather_facts(classifier: Classifier, *, no_maps: str | None) -> PageFacts:
    """Returns all that the page tells and computes with, but for its arrays.

    Args:
        classifier: The run, whose files were checked.
        no_maps: Why the network gives no heat maps, if it does not.

    Raises:
        RunAlteredError: A file of the run is altered.
    """
    classifier.verify_files(EXPLANATIONS_NAME, REPORT_RECORD_NAME)
    folder, evidence = classifier.folder, classifier.evidence
    record = read_typed(folder, REPORT_RECORD_NAME, ReportRecord, schema="report")
    explained = read_explanations(folder)
    centres = None if record.maps is None else record.maps.centres
    if centres is None:
        no_maps = no_maps or explained.reason or "the run has no heat maps"
    novelty = classifier.novelty
    luminances, tints = tint_table()
    point = classifier.operating_point
    script = {
        "class_names": [printable(name) for name in classifier.class_names],
        "preprocessing": classifier.preprocessing.to_json(),
        "set_thresholds": classifier.set_thresholds.tolist(),
        "operating_point": None if point is None else to_json(point),
        "novelty": {
            "num_features": int(novelty.mean.size),
            "num_components": int(novelty.scales.size),
            "residual_scale": novelty.residual_scale,
            "threshold": novelty.threshold,
        },
        "map": None
        if no_maps is not None or centres is None
        else {"centres": {"rows": centres.rows.tolist(), "columns": centres.columns.tolist()}},
        "no_map": no_maps,
        "tints": {"num_levels": luminances.size, "num_values": tints.shape[1]},
        "endings": sorted(SUPPORTED_SUFFIXES),
        "name": printable(folder.resolve().name),
    }
    warnings = tuple(f"{one.title}. {one.detail}" for one in shortcut_warnings(explained))
    return PageFacts(script, _said(evidence, record.title, warnings))


def digest_of(classifier: Classifier) -> str:
    """Returns the SHA-256 of the run's ``model.onnx``, as its manifest records it."""
    return str(classifier.manifest["files"][ONNX_NAME]["sha256"])


def _said(evidence: Evidence, title: str, warnings: tuple[str, ...]) -> Said:
    verdict = describe_against_baseline(evidence.metrics, evidence.baseline)
    said = [describe_leak(evidence.grouping)]
    if evidence.operating is not None and evidence.operating.chosen is not None:
        said.insert(0, describe_chosen(evidence.operating.chosen))
    if evidence.prediction_sets is not None:
        names = evidence.data.class_names
        said.append(describe_prediction_sets(evidence.prediction_sets, class_names=names))
    return Said(
        title=printable(title),
        headline=describe_interval(evidence.metrics.accuracy),
        judged=describe_judged(evidence),
        verdict=f"It is {verdict}." if not verdict.startswith("with ") else f"It is, {verdict}.",
        protocol=printable(evidence.protocol.sentence),
        warnings=tuple(printable(one) for one in warnings),
        limits=tuple(printable(one) for one in meaning(evidence).limits),
        evidence=tuple(printable(one) for one in said),
    )


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far one kind of file is from Python in the page: a row of what was measured."""

    kind: str
    num_files: int
    num_equal: int
    max_level_difference: float
    max_probability_difference: float


@dataclass(frozen=True, slots=True)
class Agreements:
    """What ``python -m benchmarks page-parity`` measured, and where."""

    browser: str
    model: str
    num_files: int
    num_unread: int
    rows: tuple[Agreement, ...]


def read_agreements() -> Agreements:
    """Returns the measured agreement of page and Python that is shipped with the page."""
    from foveal.schema import from_json

    text = (files("foveal.exporting") / "page" / "agreement.json").read_text("utf-8")
    return from_json(Agreements, json.loads(text))


def agreements_json(agreements: Agreements) -> dict[str, Any]:
    """Returns the measurements as JSON values."""
    content: dict[str, Any] = to_json(agreements)
    return content

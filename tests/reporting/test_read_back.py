"""Evidence of every size is read back equal, and then shown the same."""

from __future__ import annotations

import json
from dataclasses import replace

from foveal.evaluation import Evidence
from foveal.reporting import Provenance, ReportInput, render_html, render_model_card
from foveal.schema import from_json, to_json


def test_evidence_is_read_back_equal(report: ReportInput) -> None:
    text = json.dumps(report.evidence.to_json(), allow_nan=False)
    assert Evidence.from_json(json.loads(text)) == report.evidence


def test_what_was_read_back_is_shown_the_same(report: ReportInput) -> None:
    evidence = Evidence.from_json(json.loads(json.dumps(report.evidence.to_json())))
    provenance = report.provenance
    if provenance is not None:
        provenance = from_json(Provenance, json.loads(json.dumps(to_json(provenance))))
    again = replace(report, evidence=evidence, provenance=provenance)
    assert render_html(again) == render_html(report)
    assert render_model_card(again) == render_model_card(report)

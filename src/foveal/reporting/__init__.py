"""Results become text, HTML and a model card; nothing here computes them."""

from __future__ import annotations

from foveal.draw.text_layout import Role, Style, plain
from foveal.reporting.audit import render_audit_text
from foveal.reporting.comparison import render_comparison_html, render_comparison_text
from foveal.reporting.model_card import render_model_card
from foveal.reporting.page import MAX_PAGE_BYTES, render_html
from foveal.reporting.report_input import AuditLike, BackendTiming, Provenance, ReportInput
from foveal.reporting.text_external import render_unlabelled_text
from foveal.reporting.text_predictions import PredictionRow, render_predictions_text
from foveal.reporting.text_summary import render_evaluation_text, render_text

__all__ = [
    "MAX_PAGE_BYTES",
    "AuditLike",
    "BackendTiming",
    "PredictionRow",
    "Provenance",
    "ReportInput",
    "Role",
    "Style",
    "plain",
    "render_audit_text",
    "render_comparison_html",
    "render_comparison_text",
    "render_evaluation_text",
    "render_html",
    "render_model_card",
    "render_predictions_text",
    "render_text",
    "render_unlabelled_text",
]

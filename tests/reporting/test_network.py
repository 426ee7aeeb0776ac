"""The network that gives the features is drawn in the report, or the report says why not."""

from __future__ import annotations

from dataclasses import replace

from foveal.images import Preprocessing
from foveal.reporting import ReportInput, render_html
from foveal.reporting.from_training import inspect_backbone


def test_the_network_is_drawn_without_any_script(report: ReportInput) -> None:
    table = inspect_backbone("test_resnet", Preprocessing(height_px=64, width_px=64))
    assert table is not None
    page = render_html(replace(report, network=table))
    assert '<svg role="img"' in page or 'class="fvp-svg"' in page
    assert f"{table.totals.parameters:,}" in page
    assert "<script" not in page
    assert 'role="button"' not in page


def test_the_network_ends_with_its_features() -> None:
    table = inspect_backbone("test_resnet", Preprocessing(height_px=64, width_px=64))
    assert table is not None
    assert [output.shape for output in table.outputs] == [(1, 96)]


def test_a_network_that_cannot_be_built_is_said(report: ReportInput) -> None:
    assert inspect_backbone("no_such_network", Preprocessing(height_px=64, width_px=64)) is None
    assert "Not drawn: the network could not be built" in render_html(replace(report, network=None))

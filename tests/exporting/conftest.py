"""A run's page, written once."""

from __future__ import annotations

from pathlib import Path

import pytest

from foveal.exporting.page import ExportedPage, export_page


@pytest.fixture(scope="session")
def exported(
    runtime: None, run_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> ExportedPage:
    return export_page(run_folder, tmp_path_factory.mktemp("page") / "shapes.html")

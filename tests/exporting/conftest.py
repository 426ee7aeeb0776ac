"""A run's page, written once."""

from __future__ import annotations

from pathlib import Path

import pytest

from foveal.errors import FovealError
from foveal.exporting.page import ExportedPage, export_page
from foveal.exporting.runtime import read_runtime


@pytest.fixture(scope="session")
def runtime() -> None:
    """Skips where this checkout was never given the runtime."""
    try:
        read_runtime()
    except FovealError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def exported(
    runtime: None, run_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> ExportedPage:
    return export_page(run_folder, tmp_path_factory.mktemp("page") / "shapes.html")

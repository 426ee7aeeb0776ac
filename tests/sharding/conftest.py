from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveal.api import load
from foveal.runs import Classifier


@pytest.fixture(scope="session")
def classifier(run_folder: Path) -> Classifier:
    return load(run_folder)


def png(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (9, 9), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """36 small images in two folders, and three files that are none."""
    folder = tmp_path / "many"
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        for number in range(18):
            (folder / name / f"{number}.png").write_bytes(png(number))
    (folder / "a" / "7.png").write_text("hello")
    (folder / "b" / "cut.png").write_bytes(png(3)[:60])
    (folder / "b" / "empty.jpg").write_bytes(b"")
    return folder


@pytest.fixture
def write_tar(tmp_path: Path) -> Callable[..., Path]:
    def write(name: str, members: dict[str, bytes]) -> Path:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(file, "w:gz" if name.endswith("gz") else "w") as archive:
            for path, content in members.items():
                info = tarfile.TarInfo(path)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        return file

    return write

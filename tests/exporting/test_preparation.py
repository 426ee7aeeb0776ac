"""What an ONNX folder prepares images with: without Foveal, and to the same numbers."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.page_files import MadeFile, make_files

from foveal.exporting.preparation import PYTHON_NAME, SCRIPT_NAME, python_sources, script_source
from foveal.images import Preprocessing, Window
from foveal.images.resizing import Fit
from foveal.images.window import FixedRange

IN_PYTHON = """
import json, sys
class NoFoveal:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("foveal", "torch"):
            raise ImportError(name)
sys.meta_path.insert(0, NoFoveal())
sys.path.insert(0, "preparation.zip")
from pathlib import Path
from preparation.images import Preprocessing
for fit in ("squash", "crop", "pad"):
    settings = Preprocessing.from_json(json.loads(Path(f"{fit}.json").read_text()))
    for file in sorted(Path("images").iterdir()):
        Path(fit, file.name).write_bytes(settings.apply(file).tobytes())
"""
IN_NODE = """
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { prepare } from "./preparation.mjs";
for (const fit of ["squash", "crop", "pad"]) {
  const settings = JSON.parse(readFileSync(`${fit}.json`, "utf8"));
  for (const name of readdirSync("images")) {
    const input = await prepare(readFileSync(`images/${name}`), settings);
    writeFileSync(`${fit}/${name}`, new Uint8Array(input.buffer));
  }
}
"""
FITS: tuple[Fit, ...] = ("squash", "crop", "pad")
IN_ALL = ("PNG", "JPEG", "DICOM")
"""Kinds that Node reads too."""


@pytest.fixture(scope="module")
def made() -> list[MadeFile]:
    """One file in four of all kinds that are read."""
    return [one for n, one in enumerate(make_files()) if one.is_read and n % 4 == 0]


@pytest.fixture(scope="module")
def node() -> str:
    found = shutil.which("node")
    if found is None:
        pytest.skip("node is not installed")
    return found


def settings_of(fit: Fit) -> Preprocessing:
    """Not square, so that both sides matter; 16-bit levels by a window of a set."""
    window = Window(fixed=(FixedRange("uint16", 900, 52_000.5),))
    cut = 0.9 if fit == "crop" else 1.0
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    return Preprocessing(48, 64, fit=fit, crop_fraction=cut, mean=mean, std=std, window=window)


def lay_out(folder: Path, made: list[MadeFile]) -> None:
    for name in ("images", *FITS):
        (folder / name).mkdir()
    for one in made:
        (folder / "images" / one.name).write_bytes(one.data)
    for fit in FITS:
        text = json.dumps(settings_of(fit).to_json())
        (folder / f"{fit}.json").write_text(text, encoding="utf-8")
    (folder / PYTHON_NAME).write_bytes(python_sources())
    (folder / SCRIPT_NAME).write_bytes(script_source())
    (folder / "all.mjs").write_text(IN_NODE, encoding="utf-8")


def differing(folder: Path, made: list[MadeFile]) -> list[str]:
    """What was prepared to other bytes than here."""
    return [
        f"{fit}: {one.name}"
        for fit in FITS
        for one in made
        if (folder / fit / one.name).read_bytes() != settings_of(fit).apply(one.data).tobytes()
    ]


def test_the_python_sources_alone_give_the_same_bytes(tmp_path: Path, made: list[MadeFile]) -> None:
    lay_out(tmp_path, made)
    subprocess.run([sys.executable, "-c", IN_PYTHON], cwd=tmp_path, check=True, timeout=120)
    assert len(made) > 50
    assert differing(tmp_path, made) == []


def test_the_script_in_node_gives_the_same_bytes(
    tmp_path: Path, made: list[MadeFile], node: str
) -> None:
    read = [one for one in made if one.kind.startswith(IN_ALL)]
    lay_out(tmp_path, read)
    subprocess.run([node, "all.mjs"], cwd=tmp_path, check=True, timeout=120)
    assert len(read) > 45
    assert differing(tmp_path, read) == []


def test_what_node_cannot_decode_is_named(tmp_path: Path, made: list[MadeFile], node: str) -> None:
    webp = next(one for one in made if one.kind.startswith("WebP"))
    lay_out(tmp_path, [webp])
    done = subprocess.run(
        [node, "all.mjs"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "this is WEBP, and no browser is here to decode it" in done.stderr


def test_the_sources_are_equal_whenever_they_are_written() -> None:
    assert python_sources() == python_sources()

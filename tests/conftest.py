"""What every test may need: a cache of its own, small images to learn from, small weights."""

from __future__ import annotations

import functools
import io
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

if TYPE_CHECKING:
    from foveal.models import Backbone

# Networks here are tiny, and their threads would mostly wait for one another. Set before
# anything imports torch; processes that tests start inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Machines are shared: how long an example takes says nothing about whether it is right.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser") if (found := shutil.which(name))), None
)
CLASS_NAMES = ("circle", "cross", "stripes")
IMAGES_PER_GROUP = 4


@pytest.fixture(autouse=True)
def cache_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, so that no test reads or fills the user's."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("FOVEAL_CACHE", str(folder))
    return folder


def draw_shape(name: str, random: np.random.Generator, *, size_px: int = 64) -> Image.Image:
    """A noisy image of one of three shapes, at a random place and brightness."""
    y, x = np.mgrid[:size_px, :size_px]
    centre_y, centre_x = random.uniform(0.35, 0.65, 2) * size_px
    radius = random.uniform(0.2, 0.3) * size_px
    dy, dx = y - centre_y, x - centre_x
    shape: NDArray[np.bool_] = {
        "circle": np.hypot(dy, dx) < radius,
        "cross": (np.minimum(abs(dy), abs(dx)) < 4) & (np.maximum(abs(dy), abs(dx)) < radius * 1.4),
        "stripes": (y + int(centre_y)) % 8 < 4,
    }[name]
    # A ground of its own for every image, or two plain circles would pass for one picture.
    coarse = Image.fromarray(random.uniform(20, 120, (5, 5)).astype(np.float32))
    ground = np.asarray(coarse.resize((size_px, size_px), Image.Resampling.BICUBIC))
    levels = ground + random.uniform(60, 120) * shape + random.normal(0, 12, shape.shape)
    return Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8))


def write_shapes(folder: Path, *, num_per_class: int = 12, seed: int = 0) -> Path:
    """Class folders of PNGs, and a ``groups.csv`` of four images a group."""
    random = np.random.default_rng(seed)
    lines = ["path,group"]
    for name in CLASS_NAMES:
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(num_per_class):
            draw_shape(name, random).save(folder / name / f"{number:03}.png")
            lines.append(f"{name}/{number:03}.png,{name}-{number // IMAGES_PER_GROUP}")
    (folder / "groups.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """36 images in three learnable classes, with groups. Shared: do not change it."""
    return write_shapes(tmp_path_factory.mktemp("shapes") / "data")


@pytest.fixture
def make_shapes(tmp_path: Path) -> Callable[..., Path]:
    """Writes such a folder for one test alone."""

    def make(name: str = "shapes", **options: int) -> Path:
        return write_shapes(tmp_path / name, **options)

    return make


def save_checkpoint(file: Path, model_name: str, *, seed: int = 0) -> Path:
    """Saves a timm network with random weights and lively batch norm statistics."""
    import timm
    import torch

    random = torch.Generator().manual_seed(seed)
    with torch.device("meta"):  # timm's own start would hide residual branches, and is slow
        state = timm.create_model(model_name, num_classes=10).state_dict()
    for name, value in state.items():
        filled = torch.zeros(value.shape, dtype=value.dtype)
        if name.endswith("running_var") or (name.endswith("weight") and value.ndim == 1):
            filled.uniform_(0.5, 1.5, generator=random)
        elif value.is_floating_point():
            fan_in = max(1, value[0].numel() if value.ndim > 1 else 100)
            filled.normal_(0, fan_in**-0.5, generator=random)
        state[name] = filled
    torch.save(state, file)
    return file


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of ``test_resnet``, timm's smallest ResNet (D = 96)."""
    return save_checkpoint(tmp_path_factory.mktemp("weights") / "tiny.pth", "test_resnet")


@pytest.fixture(scope="session")
def make_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Saves random weights of any timm model and returns the file."""
    folder = tmp_path_factory.mktemp("checkpoints")

    def make(model_name: str, *, seed: int = 0) -> Path:
        file = folder / f"{model_name}-{seed}.pth"
        return file if file.is_file() else save_checkpoint(file, model_name, seed=seed)

    return make


@pytest.fixture(scope="session")
def load_random(make_checkpoint: Callable[..., Path]) -> Callable[[str], Backbone]:
    """Loads a backbone with random weights from a checkpoint, once a session."""

    @functools.cache
    def load(model_name: str) -> Backbone:
        from foveal.models import load_backbone

        return load_backbone(model_name, weights=make_checkpoint(model_name))

    return load


@pytest.fixture(scope="session")
def run_folder(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the default backbone on ``shapes``. Shared: do not change it."""
    import torch

    from foveal.api import make_run
    from foveal.training import TrainConfig

    folder = tmp_path_factory.mktemp("runs") / "shapes"
    torch.set_num_threads(1)  # a busy machine makes two threads wait for each other
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOVEAL_CACHE", str(tmp_path_factory.mktemp("run-cache")))
        make_run(
            shapes,
            folder,
            config=TrainConfig(size_px=64, backend="onnxruntime"),
            command="foveal train shapes",
        )
    return folder


@dataclass(frozen=True)
class Outcome:
    """What a command left: its exit code and what it wrote."""

    code: int
    out: str
    err: str


@pytest.fixture
def foveal(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., Outcome]:
    """The command line, through its front door, in this process."""
    from foveal.cli import main

    def run(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["foveal", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as stop:
            main()
        written = capfd.readouterr()
        return Outcome(int(stop.value.code or 0), written.out, written.err)

    return run


@pytest.fixture
def write_dicom() -> Callable[..., Path]:
    """Writes an 8-bit DICOM file; further keywords are attributes, such as ``PatientID``."""

    def write(
        file: Path,
        levels: NDArray[np.uint8],
        photometric: str = "MONOCHROME2",
        **attributes: object,
    ) -> Path:
        from pydicom.dataset import FileDataset, FileMetaDataset
        from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
        meta.MediaStorageSOPInstanceUID = generate_uid()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data = FileDataset(str(file), {}, file_meta=meta, preamble=b"\0" * 128)
        data.SOPClassUID = meta.MediaStorageSOPClassUID
        data.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
        data.Rows, data.Columns = levels.shape
        data.SamplesPerPixel = 1
        data.PhotometricInterpretation = photometric
        data.BitsAllocated = data.BitsStored = 8
        data.HighBit = 7
        data.PixelRepresentation = 0
        data.PixelData = levels.tobytes()
        for name, value in attributes.items():
            setattr(data, name, value)
        data.save_as(file, enforce_file_format=True)
        return file

    return write


@pytest.fixture(scope="session")
def runtime() -> None:
    """Skips where ONNX Runtime Web was never fetched, which an exported page holds."""
    from foveal.errors import FovealError
    from foveal.exporting.runtime import read_runtime

    try:
        read_runtime()
    except FovealError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium, driven by Playwright."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The script of axe-core."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed, and axe-core comes from it")
    folder = tmp_path_factory.mktemp("axe")
    done = subprocess.run(
        [npm, "pack", "axe-core@4", "--silent"],
        cwd=folder,
        capture_output=True,
        timeout=120,
        check=False,
    )
    packages = list(folder.glob("axe-core-*.tgz"))
    if done.returncode or not packages:
        pytest.skip("axe-core could not be had from npm")
    with tarfile.open(fileobj=io.BytesIO(packages[0].read_bytes())) as package:
        script = package.extractfile("package/axe.min.js")
        assert script is not None
        return script.read().decode("utf-8")


@pytest.fixture(scope="session")
def violations(axe: str) -> Callable[[Any], list[str]]:
    """Returns what axe finds on a page as it is, light and then dark."""

    def find(page: Any) -> list[str]:
        found = []
        if page.evaluate("typeof axe") == "undefined":
            page.evaluate(axe)
        for scheme, options in (("light", "{}"), ("dark", "{runOnly: ['color-contrast']}")):
            page.emulate_media(color_scheme=scheme)
            for each in page.evaluate(f"axe.run(document, {options})")["violations"]:
                found += [f"{scheme}: {each['id']}: {node['html'][:120]}" for node in each["nodes"]]
        return found

    return find

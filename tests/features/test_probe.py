"""The probe takes the fastest backend that agrees, says what the others did, and remembers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.test_published_schemas import faults, published

from foveal.errors import BackendError, ModelError, UsageError
from foveal.features import Backend, BackendSpec, ProbeReport, choose_backend, probe
from foveal.models import Backbone, load_backbone
from foveal.schema import stamped

Pictures = NDArray[np.float32]
Make = Callable[..., Pictures]
Choose = Callable[..., tuple[Backend, ProbeReport]]


@pytest.fixture
def images(make_pictures: Make) -> Pictures:
    return make_pictures(4, 32)


@pytest.fixture
def choose(tiny: Backbone, images: Pictures, cache_folder: Path) -> Choose:
    def call(**options: object) -> tuple[Backend, ProbeReport]:
        settings = {"num_images": 10, "cache": cache_folder, **options}
        return choose_backend(tiny, images, **settings)  # type: ignore[arg-type]

    return call


def fake(
    name: str,
    *,
    run: Callable[[Pictures], Pictures] | None = None,
    change: Callable[[Pictures], Pictures] = lambda features: features,
    obstacle: str | None = None,
    setup: str = "quick",
) -> BackendSpec:
    """A backend that runs PyTorch and then does something to the features."""

    def start(spec: BackendSpec, backbone: Backbone, size: tuple[int, int], cache: Path) -> Backend:
        (torch_spec,) = [spec for spec in probe.BACKENDS if spec.name == "torch"]
        inner = torch_spec.open(backbone, size, cache)
        return Backend(name, "fp32", run or (lambda images: change(inner.run(images))))

    return BackendSpec(name, "fp32", start, setup=setup, needs=(lambda: obstacle,))  # type: ignore[arg-type]


@pytest.fixture
def with_backends(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts backends before ``torch`` as the only ones there are."""
    from foveal.features import backends

    (torch_spec,) = [spec for spec in probe.BACKENDS if spec.name == "torch"]

    def install(*specs: BackendSpec) -> None:
        monkeypatch.setattr(probe, "BACKENDS", (*specs, torch_spec))
        monkeypatch.setattr(backends, "BACKENDS", (*specs, torch_spec))

    return install


@pytest.fixture
def only_torch(with_backends: Callable[..., None]) -> None:
    """Leaves one backend, where which are there makes no difference."""
    with_backends()


def row(report: ProbeReport, name: str) -> probe.ProbeRow:
    (found,) = [row for row in report.rows if row.backend == name]
    return found


def memory_file(cache_folder: Path) -> Path:
    (file,) = (cache_folder / "probe").iterdir()
    return file


def test_fastest_that_agrees_is_chosen(choose: Choose) -> None:
    backend, report = choose()
    accepted = [row for row in report.rows if row.reason is None]
    fastest = max(accepted, key=lambda row: row.images_per_second or 0.0)
    assert backend.name == report.chosen == fastest.backend
    assert report.origin == "measured"


def test_every_backend_has_a_row_with_a_speed_or_a_reason(choose: Choose) -> None:
    _, report = choose()
    assert [row.backend for row in report.rows] == [spec.name for spec in probe.BACKENDS]
    assert all((row.images_per_second is None) == (row.reason is not None) for row in report.rows)


def test_choice_is_remembered(choose: Choose, only_torch: None) -> None:
    _, measured = choose()
    backend, remembered = choose()
    assert remembered == replace(measured, origin="remembered")
    assert backend.name == measured.chosen


def test_what_is_remembered_is_as_published(
    choose: Choose, only_torch: None, cache_folder: Path
) -> None:
    choose()
    schema = published("probe")
    assert [*faults(json.loads(memory_file(cache_folder).read_text()), schema, schema)] == []


def test_other_weights_are_measured_anew(
    choose: Choose,
    only_torch: None,
    make_checkpoint: Callable[..., Path],
    images: Pictures,
    cache_folder: Path,
) -> None:
    choose()
    other = load_backbone("test_resnet", weights=make_checkpoint("test_resnet", seed=1))
    _, report = choose_backend(other, images, num_images=10, cache=cache_folder)
    assert report.origin == "measured"


_ROW = {"backend": "torch", "images_per_second": 9.0, "cosine": 1.0, "reason": None}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"null",
        json.dumps({"rows": [_ROW]}).encode(),
        *(
            json.dumps(stamped("probe", {"rows": rows})).encode()
            for rows in (
                [],
                3,
                [{"backend": "torch"}],
                [_ROW | {"backend": "abacus"}],
                [_ROW | {"images_per_second": "fast"}],
                [_ROW | {"reason": "failed"}],
            )
        ),
    ],
)
def test_memory_that_makes_no_sense_is_measured_anew_and_mended(
    choose: Choose, only_torch: None, cache_folder: Path, content: bytes
) -> None:
    choose()
    memory_file(cache_folder).write_bytes(content)
    _, report = choose()
    assert report.origin == "measured"
    _, report = choose()
    assert report.origin == "remembered"


def test_remembered_backend_that_fails_now_is_measured_anew(
    choose: Choose, with_backends: Callable[..., None], cache_folder: Path
) -> None:
    gone = False

    def start(spec: BackendSpec, backbone: Backbone, size: tuple[int, int], cache: Path) -> Backend:
        if gone:
            raise RuntimeError("the driver is gone")
        return replace(torch_spec.open(backbone, size, cache), name="fickle")

    (torch_spec,) = [spec for spec in probe.BACKENDS if spec.name == "torch"]
    fickle = BackendSpec("fickle", "fp32", start)
    with_backends(fickle)
    rows = [("fickle", 9e9), ("torch", 1.0)]
    _, report = choose()
    content = {"rows": [_ROW | {"backend": name, "images_per_second": s} for name, s in rows]}
    memory_file(cache_folder).write_text(json.dumps(stamped("probe", content)))
    backend, report = choose()
    assert (backend.name, report.origin) == ("fickle", "remembered")
    gone = True
    backend, report = choose()
    assert (backend.name, report.origin) == ("torch", "measured")
    assert row(report, "fickle").reason == "failed (RuntimeError: the driver is gone)"


def test_memory_that_cannot_be_written_is_done_without(
    choose: Choose, only_torch: None, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    for _ in range(2):
        _, report = choose(cache=tmp_path / "file")
        assert report.origin == "measured"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda features: np.roll(features, 1, axis=1), "features differ"),
        (lambda features: -features, "features differ"),
        (np.zeros_like, "features differ"),
        (lambda features: features * np.nan, "features differ"),
        (lambda features: features[:, :5], "failed.*shape"),
    ],
    ids=["rolled", "negated", "zero", "nan", "short"],
)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_backend_that_disagrees_is_rejected(
    choose: Choose,
    with_backends: Callable[..., None],
    change: Callable[[Pictures], Pictures],
    reason: str,
) -> None:
    with_backends(fake("wrong", change=change))
    backend, report = choose()
    assert backend.name == "torch"
    found = row(report, "wrong")
    assert found.reason is not None
    assert re.search(reason, found.reason)
    assert found.images_per_second is None


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError("first line\nsecond"), "failed (RuntimeError: first line)"),
        (AssertionError(), "failed (AssertionError)"),
    ],
)
def test_backend_that_fails_is_named_with_its_reason(
    choose: Choose, with_backends: Callable[..., None], error: Exception, reason: str
) -> None:
    def run(images: Pictures) -> Pictures:
        raise error

    with_backends(fake("broken", run=run))
    _, report = choose()
    assert row(report, "broken").reason == reason


def test_two_zero_vectors_agree_but_one_does_not() -> None:
    zero, one = np.zeros((1, 3), np.float32), np.ones((1, 3), np.float32)
    assert probe._lowest_cosine(zero, zero) == 1.0
    assert probe._lowest_cosine(zero, one) == 0.0


def test_compiling_is_left_out_where_too_little_waits(
    choose: Choose, with_backends: Callable[..., None]
) -> None:
    with_backends(fake("quick"), fake("compiler", setup="slow"))
    _, report = choose(num_images=1)
    assert row(report, "compiler").reason == "too few images to repay its set-up"
    _, report = choose(num_images=10**9)
    assert report.origin == "measured"
    assert row(report, "compiler").reason is None


@pytest.mark.parametrize(
    ("num_images", "chosen"), [(10, "onnxruntime"), (1_000_000, "torch-compiled")]
)
def test_slow_set_up_is_chosen_only_for_many_images(num_images: int, chosen: str) -> None:
    rows = (
        probe.ProbeRow("onnxruntime", 100.0, 1.0, None),
        probe.ProbeRow("torch", 50.0, 1.0, None),
        probe.ProbeRow("torch-compiled", 200.0, 1.0, None),
    )
    assert probe._choose(rows, num_images) == chosen


@pytest.mark.parametrize(("num_images", "chosen"), [(10, "torch"), (1_000_000, None)])
def test_memory_of_a_small_job_does_not_decide_a_large_one(
    num_images: int, chosen: str | None
) -> None:
    rows = (
        probe.ProbeRow("torch", 50.0, 1.0, None),
        probe.ProbeRow("torch-compiled", None, None, probe._TOO_FEW),
    )
    assert probe._choose(rows, num_images) == chosen


def test_requested_backend_is_opened_without_a_race(choose: Choose) -> None:
    backend, report = choose(requested="torch-channels-last")
    assert backend.name == report.chosen == "torch-channels-last"
    assert report.origin == "requested"
    assert [(row.images_per_second, row.reason) for row in report.rows] == [(None, None)]
    assert report.rows[0].cosine == pytest.approx(1, abs=1e-4)


def test_request_is_not_remembered(choose: Choose, only_torch: None) -> None:
    choose(requested="torch")
    _, report = choose()
    assert report.origin == "measured"


def test_requested_backend_that_is_unknown_is_refused(choose: Choose) -> None:
    with pytest.raises(UsageError, match="no backend named 'torhc'"):
        choose(requested="torhc")


def test_requested_backend_that_cannot_run_is_refused(
    choose: Choose, with_backends: Callable[..., None]
) -> None:
    with_backends(fake("absent", obstacle="its package is missing"))
    with pytest.raises(UsageError, match="absent cannot run here: its package is missing"):
        choose(requested="absent")


def test_requested_backend_that_disagrees_is_refused(
    choose: Choose, with_backends: Callable[..., None]
) -> None:
    with_backends(fake("wrong", change=lambda features: -features))
    with pytest.raises(BackendError, match=r"wrong cannot be used with test_resnet: .*differ"):
        choose(requested="wrong")


def test_size_that_the_network_cannot_take_is_refused(
    make_checkpoint: Callable[..., Path], make_pictures: Make, tmp_path: Path
) -> None:
    name = "vit_tiny_patch16_224"
    backbone = load_backbone(name, weights=make_checkpoint(name))
    with pytest.raises(ModelError, match=f"{name} cannot take images of 48×48 pixels"):
        choose_backend(backbone, make_pictures(1, 48), num_images=1, cache=tmp_path)

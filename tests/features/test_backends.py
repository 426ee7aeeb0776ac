"""Every backend gives what PyTorch's fp32 gives, from any thread and for any batch."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from foveal.errors import UsageError
from foveal.features import BACKENDS, BackendSpec, find_backend
from foveal.features.backends import MIN_COSINE, num_cores
from foveal.models import Backbone, load_backbone

Pictures = NDArray[np.float32]
Make = Callable[..., Pictures]
QUICK = [spec for spec in BACKENDS if spec.setup == "quick"]


def reference(backbone: Backbone, images: Pictures) -> Pictures:
    with torch.inference_mode():
        features: Pictures = backbone.feature_network()(torch.from_numpy(images)).numpy()
    return features


def lowest_cosine(a: Pictures, b: Pictures) -> float:
    return float(
        torch.cosine_similarity(torch.from_numpy(a).double(), torch.from_numpy(b).double()).min()
    )


def require(spec: BackendSpec) -> BackendSpec:
    if obstacle := spec.obstacle():
        pytest.skip(obstacle)
    return spec


@pytest.mark.parametrize("spec", QUICK, ids=lambda spec: spec.name)
@pytest.mark.parametrize("name", ["tiny", "resnet18", "resnet34", "resnet50"])
def test_backend_agrees_with_torch(
    spec: BackendSpec,
    name: str,
    tiny: Backbone,
    load_random: Callable[[str], Backbone],
    make_pictures: Make,
    tmp_path: Path,
) -> None:
    require(spec)
    backbone = tiny if name == "tiny" else load_random(name)
    images = make_pictures(3, 64)
    features = spec.open(backbone, (64, 64), tmp_path).run(images)
    assert features.dtype == np.float32
    assert features.shape == (3, backbone.num_features)
    assert lowest_cosine(features, reference(backbone, images)) >= MIN_COSINE[spec.precision]


@pytest.mark.slow
@pytest.mark.parametrize("spec", QUICK, ids=lambda spec: spec.name)
def test_backend_agrees_on_the_default_backbone(
    spec: BackendSpec, make_pictures: Make, tmp_path: Path
) -> None:
    require(spec)
    backbone = load_backbone()
    images = make_pictures(2, 224).clip(-1, 1)
    features = spec.open(backbone, (224, 224), tmp_path).run(images)
    assert lowest_cosine(features, reference(backbone, images)) >= MIN_COSINE[spec.precision]


def test_reduced_precision_is_held_to_three_nines_and_full_to_four() -> None:
    assert MIN_COSINE == {"fp32": 0.9999, "fp16": 0.999, "bf16": 0.999}


@pytest.mark.parametrize("spec", QUICK, ids=lambda spec: spec.name)
def test_batch_size_and_threads_do_not_matter(
    spec: BackendSpec, tiny: Backbone, make_pictures: Make, tmp_path: Path
) -> None:
    backend = require(spec).open(tiny, (32, 32), tmp_path)
    images = make_pictures(12, 32)
    expected = backend.run(images)
    with ThreadPoolExecutor(backend.num_concurrent) as pool:
        parts = list(pool.map(backend.run, [images[:1], images[1:4], images[4:12]]))
    tolerance = 1e-4 if backend.precision == "fp32" else 0.05
    np.testing.assert_allclose(np.concatenate(parts), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.slow
def test_compiled_backend_agrees_for_any_batch_from_another_thread(
    tiny: Backbone, make_pictures: Make, tmp_path: Path
) -> None:
    (spec,) = [spec for spec in BACKENDS if spec.name == "torch-compiled"]
    backend = require(spec).open(tiny, (32, 32), tmp_path)
    images = make_pictures(11, 32)
    with ThreadPoolExecutor(1) as pool:
        parts = [backend.run(images[:8]), pool.submit(backend.run, images[8:]).result()]
    assert lowest_cosine(np.concatenate(parts), reference(tiny, images)) >= 0.9999


def test_opening_leaves_the_backbone_as_it_was(
    tiny: Backbone, make_pictures: Make, tmp_path: Path
) -> None:
    before = {name: value.clone() for name, value in tiny.network.state_dict().items()}
    strides = [parameter.stride() for parameter in tiny.network.parameters()]
    for spec in QUICK:
        if spec.obstacle() is None:
            spec.open(tiny, (32, 32), tmp_path).run(make_pictures(1, 32))
    after = tiny.network.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert [parameter.stride() for parameter in tiny.network.parameters()] == strides
    assert not any(module.training for module in tiny.network.modules())


def test_names_are_unique() -> None:
    names = [spec.name for spec in BACKENDS]
    assert len(set(names)) == len(names)


def test_backend_is_found_by_name() -> None:
    assert find_backend("torch").name == "torch"


def test_near_name_is_offered() -> None:
    with pytest.raises(UsageError, match=r"no backend named 'onxruntime'(.|\n)*mean onnxruntime"):
        find_backend("onxruntime")


def test_all_names_are_offered_where_none_is_near() -> None:
    with pytest.raises(UsageError, match=r"Known: .*torch-channels-last"):
        find_backend("zzz")


def test_backend_that_cannot_run_here_says_why() -> None:
    blocked = [spec for spec in BACKENDS if spec.obstacle() is not None]
    if not blocked:
        pytest.skip("every backend can run here")
    with pytest.raises(UsageError, match=f"The backend {blocked[0].name} cannot run here: "):
        find_backend(blocked[0].name)


@pytest.mark.parametrize(
    ("content", "expected"),
    [("100000 100000\n", 1), ("50000 100000\n", 1), ("max 100000\n", None), ("nonsense", None)],
)
def test_cores_are_no_more_than_a_containers_quota(
    content: str, expected: int | None, tmp_path: Path
) -> None:
    quota = tmp_path / "cpu.max"
    quota.write_text(content)
    unlimited = num_cores(tmp_path / "missing")
    assert num_cores(quota) == (unlimited if expected is None else expected)

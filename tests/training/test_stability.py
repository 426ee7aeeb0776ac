"""Small shifts put to a classifier on real files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from foveal.dataset import GroupOptions, Manifest, scan
from foveal.evaluation import Stability
from foveal.features.reading import Reading
from foveal.images import Preprocessing
from foveal.images.views import shift
from foveal.models import Backbone
from foveal.training import LinearHead
from foveal.training.stability import measure_stability

Measure = Callable[..., Stability | None]


@pytest.fixture(scope="module")
def manifest(shapes: Path) -> Manifest:
    return scan(shapes, groups=GroupOptions())


@pytest.fixture(scope="module")
def head() -> LinearHead:
    rng = np.random.default_rng(0)
    return LinearHead(
        rng.normal(size=(3, 96)).astype(np.float32), np.zeros(3, np.float32), penalty=1.0
    )


@pytest.fixture
def measure(
    manifest: Manifest, head: LinearHead, load_random: Callable[[str], Backbone]
) -> Measure:
    def run(rows: list[int], **changed: object) -> Stability | None:
        choices = {
            "groups": np.arange(36),
            "fitted_rows": np.arange(36),
            "backbone": load_random("test_resnet"),
            "preprocessing": Preprocessing(48, 48),
            "model": head,
            "temperature": 2.0,
            "backend_name": "torch",
            "seed": 0,
            **changed,
        }
        return measure_stability(manifest, np.array(rows), **choices)  # type: ignore[arg-type]

    return run


# The same by hand, in PyTorch, one image at a time: the n-th image's k-th shift goes
# right, down, left or up by turns.
@pytest.mark.parametrize("views", [("identity",), ("identity", "hflip", "rot90")], ids=len)
def test_figures_are_those_of_the_whole_classifier(
    measure: Measure,
    manifest: Manifest,
    head: LinearHead,
    load_random: Callable[[str], Backbone],
    views: tuple[str, ...],
) -> None:
    rows = [0, 5, 13, 20, 30]
    network = load_random("test_resnet").feature_network()
    turned = {
        "identity": lambda image: image,
        "hflip": lambda image: image[:, :, ::-1],
        "rot90": lambda image: np.rot90(image, axes=(1, 2)),
    }

    def probabilities(image: np.ndarray) -> torch.Tensor:
        batch = np.stack([turned[view](image) for view in views])
        with torch.no_grad():
            features = network(torch.from_numpy(batch)).mean(0, keepdim=True)
            logits = features @ torch.from_numpy(head.weight).T
        return (logits[0] / 2.0).softmax(0)

    kept, changes = np.zeros((5, 4)), np.zeros((5, 4))
    for n, row in enumerate(rows):
        image = Preprocessing(48, 48).apply(manifest.resolve(manifest.usable[row]))
        still = probabilities(image)
        answer = int(still.argmax())
        for k, distance in enumerate((1, 2, 4, 8)):
            down, right = [(0, 1), (1, 0), (0, -1), (-1, 0)][(n + k) % 4]
            after = probabilities(shift(image, down * distance, right * distance))
            kept[n, k] = int(after.argmax()) == answer
            changes[n, k] = abs(float(after[answer] - still[answer]))
    found = measure(rows, model=replace(head, reading=Reading(views)))
    assert found is not None
    assert [item.kept.estimate for item in found.shifts] == pytest.approx(kept.mean(0))
    assert [item.probability_change.estimate for item in found.shifts] == pytest.approx(
        changes.mean(0), abs=1e-5
    )


def test_a_hold_out_was_not_trained_on(measure: Measure) -> None:
    found = measure([1, 2, 3, 4], fitted_rows=np.array([0, 4, 5]))
    assert found is not None
    assert found.num_seen == 1


def test_a_slow_backend_is_not_opened_again(
    measure: Measure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("foveal.features.backends._needs_compiler", lambda: None)
    plain, compiled = measure([0, 1, 2]), measure([0, 1, 2], backend_name="torch-compiled")
    assert plain is not None
    assert compiled is not None
    assert compiled.shifts[0].probability_change.estimate == pytest.approx(
        plain.shifts[0].probability_change.estimate, abs=1e-4
    )


def test_one_picture_says_nothing(measure: Measure) -> None:
    assert measure([0]) is None


def test_a_tiny_input_is_moved_less_far(measure: Measure) -> None:
    found = measure([0, 1], preprocessing=Preprocessing(32, 32))
    assert found is not None
    assert [item.shift_px for item in found.shifts] == [1, 2, 4]

"""Heat maps of a training's held-out images, on networks small enough to do several."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foveal.shortcuts.detector import explain_and_show, explain_training
from foveal.training import TrainConfig, TrainedClassifier, train_classifier

Train = Callable[..., TrainedClassifier]


@pytest.fixture(scope="module")
def train(
    shapes: Path, make_checkpoint: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> Train:
    """Trains on ``shapes`` at 128 px."""

    def make(backbone: str = "test_resnet", **choices: Any) -> TrainedClassifier:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("FOVEAL_CACHE", str(tmp_path_factory.mktemp("cache")))
            weights = make_checkpoint(backbone)
            return train_classifier(
                shapes,
                TrainConfig(
                    backbone=backbone, weights=weights, size_px=128, backend="torch", **choices
                ),
            )

    return make


@pytest.fixture(scope="module")
def trained(train: Train) -> TrainedClassifier:
    return train()


@pytest.mark.parametrize(
    "choices",
    [{}, {"test_size": 0.3}, {"views": ("identity", "hflip", "rot90")}],
    ids=["folds", "hold-out", "views"],
)
def test_every_map_adds_up_to_the_held_out_logit(train: Train, choices: dict[str, Any]) -> None:
    run, _ = explain_training(train(**choices))
    assert run.max_completeness_error is not None
    assert run.max_completeness_error < 1e-3


def test_an_examples_answer_and_probability_are_those_of_the_evidence(
    trained: TrainedClassifier,
) -> None:
    run, _ = explain_training(trained)
    judged = trained.judged
    for example in run.examples:
        index = int(np.flatnonzero(judged.rows == example.row)[0])
        assert example.predicted_index == judged.logits[index].argmax()
        assert example.probability == judged.probabilities[index, example.predicted_index]
        assert example.label_index == trained.manifest.labels[example.row]


def test_the_same_training_gives_the_same_maps(trained: TrainedClassifier) -> None:
    first, second = (explain_training(trained)[0].to_json() for _ in range(2))
    assert first == second


def test_the_network_is_left_as_it_was(trained: TrainedClassifier) -> None:
    network = trained.backbone.network
    before = {name: value.clone() for name, value in network.state_dict().items()}
    explain_training(trained)
    assert not network.training
    assert all((value == before[name]).all() for name, value in network.state_dict().items())


def test_a_network_that_bends_its_features_gives_a_reason(train: Train) -> None:
    run, pictures = explain_training(train("test_convnext"))
    assert pictures is None
    assert run.summary_json()["status"] == "unavailable"
    assert run.reason is not None
    assert "not the mean of its last feature map" in run.reason


def test_a_picture_that_went_away_is_left_out(
    train: Train, make_shapes: Callable[..., Path], tiny_weights: Path
) -> None:
    data = make_shapes()
    trained = train_classifier(
        data,
        TrainConfig(backbone="test_resnet", weights=tiny_weights, size_px=64, backend="torch"),
    )
    (data / "circle" / "000.png").unlink()
    run, _ = explain_training(trained)
    assert run.num_images == 35


def test_a_coarse_grid_says_that_no_shortcut_was_looked_for(
    shapes: Path, tiny_weights: Path
) -> None:
    trained = train_classifier(
        shapes,
        TrainConfig(backbone="test_resnet", weights=tiny_weights, size_px=64, backend="torch"),
    )
    run, _ = explain_training(trained)
    assert run.untested is not None
    assert "2 by 2 positions" in run.untested


def test_everything_that_is_shown_has_its_pictures(trained: TrainedClassifier) -> None:
    shown = explain_and_show(trained)
    wanted = {"bar", "average-0", "average-1", "average-2"}
    for number, example in enumerate(shown.run.examples):
        wanted |= {f"seen-{number}", f"predicted-{number}"}
        wanted |= set() if example.is_right else {f"label-{number}"}
    assert set(shown.pictures) == wanted

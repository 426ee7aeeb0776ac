from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import foveal
from foveal.errors import DataError, RunExistsError, UsageError
from foveal.runs import Classifier


@pytest.fixture
def trained(shapes: Path, tiny_weights: Path, tmp_path: Path) -> Classifier:
    return foveal.train(
        shapes,
        tmp_path / "run",
        backbone="test_resnet",
        weights=tiny_weights,
        size_px=64,
        backend="onnxruntime",
        num_folds=3,
    )


def test_training_returns_what_loading_does(trained: Classifier, shapes: Path) -> None:
    images = sorted(shapes.rglob("*.png"))[:3]
    assert trained.predict(images) == foveal.load(trained.folder).predict(images)


def test_choices_are_given_by_name(trained: Classifier) -> None:
    assert trained.evaluation["protocol"]["num_folds"] == 3


def test_an_unknown_choice_is_answered_with_the_near_one(shapes: Path) -> None:
    with pytest.raises(UsageError, match=r"no choice named 'backbon'\.\nDid you mean backbone\?"):
        foveal.train(shapes, backbon="resnet18")


def test_choices_and_a_config_exclude_each_other(shapes: Path) -> None:
    with pytest.raises(UsageError, match="either config or single choices"):
        foveal.train(shapes, config=foveal.TrainConfig(), seed=1)


def test_an_existing_run_is_kept(shapes: Path, run_folder: Path) -> None:
    with pytest.raises(RunExistsError, match="exists already"):
        foveal.train(shapes, run_folder)


def test_the_audit_counts_what_is_there(shapes: Path) -> None:
    found = foveal.audit(shapes)
    assert (found.num_images, found.num_groups, found.class_counts) == (36, 9, (12, 12, 12))


def test_the_audit_of_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="There is nothing at"):
        foveal.audit(tmp_path / "nope")


def test_evaluating_returns_the_evidence(
    run_folder: Path, make_shapes: Callable[..., Path]
) -> None:
    scored = foveal.evaluate(run_folder, make_shapes(num_per_class=4, seed=5))
    assert scored.evidence.data.class_counts == (4, 4, 4)

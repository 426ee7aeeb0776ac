"""Features and answers that a cluster computed, read by training and evaluation."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import foveal as library
from foveal.errors import DataError, LedgerError, UsageError
from foveal.runs import Classifier
from foveal.sharding import ShardOptions, predict_shards

Train = Callable[..., Classifier]
LINEAR: dict[str, Any] = {"head": "linear", "backend": "onnxruntime", "num_workers": 1}


@pytest.fixture(scope="module")
def train(tiny_weights: Path) -> Train:
    def run(data: Path, out: Path, **choices: Any) -> Classifier:
        size = choices.pop("size_px", 64)
        settings = {**LINEAR, **choices}
        return library.train(
            data, out, backbone="test_resnet", weights=tiny_weights, size_px=size, **settings
        )

    return run


@pytest.fixture(scope="module")
def made(train: Train, shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A run, and parts of features over the same images."""
    root = tmp_path_factory.mktemp("features")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOVEAL_CACHE", str(root / "cache"))
        run = train(shapes, root / "run")
    options = ShardOptions(contents="features", per_shard=16)
    predict_shards(run, [shapes], root / "parts", options=options)
    return {"run": run, "parts": root / "parts"}


def test_training_computes_nothing_that_parts_hold(
    made: dict[str, Any],
    train: Train,
    shapes: Path,
    tmp_path: Path,
) -> None:
    found = train(shapes, tmp_path / "run", features=made["parts"])
    lines = (tmp_path / "run" / "history.jsonl").read_text("utf-8").splitlines()
    events = map(json.loads, lines)
    assert [one["num_computed"] for one in events if one["step"] == "features"] == [0]
    known = made["run"].table("images")
    for name in ("logit_circle", "logit_cross", "logit_stripes"):
        assert found.table("images")[name] == pytest.approx(known[name], abs=1e-3)


def test_evaluating_computes_nothing_that_parts_hold(
    made: dict[str, Any], shapes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = library.evaluate(made["run"], shapes)
    monkeypatch.setattr(Classifier, "predict", lambda *_, **__: pytest.fail("it was computed"))
    read = library.evaluate(made["run"], shapes, features=made["parts"])
    assert read.predictions == plain.predictions
    assert read.evidence.metrics == plain.evidence.metrics


def test_what_parts_do_not_hold_is_computed(
    made: dict[str, Any], make_shapes: Callable[..., Path]
) -> None:
    others = make_shapes("others", num_per_class=4, seed=5)
    plain = library.evaluate(made["run"], others)
    read = library.evaluate(made["run"], others, features=made["parts"])
    assert read.predictions == plain.predictions


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ({"head": "auto"}, "got head 'auto', expected 'linear'"),
        ({"head": "kernel"}, "got head 'kernel', expected 'linear'"),
        ({"backend": "torch"}, "got backend 'torch', expected 'onnxruntime'"),
        ({"views": ("identity", "hflip")}, "got views 'identity,hflip', expected 'identity'"),
    ],
)
def test_choices_that_parts_cannot_serve_are_refused(
    made: dict[str, Any],
    train: Train,
    shapes: Path,
    tmp_path: Path,
    choices: dict[str, Any],
    said: str,
) -> None:
    with pytest.raises(UsageError) as refused:
        train(shapes, tmp_path / "run", features=made["parts"], **choices)
    assert said in refused.value.message


def test_parts_of_another_size_are_refused_by_what_differs(
    made: dict[str, Any], train: Train, shapes: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="What differs: the preprocessing"):
        train(shapes, tmp_path / "run", features=made["parts"], size_px=48)


def test_parts_without_features_and_of_another_run_are_refused(
    made: dict[str, Any],
    classifier: Classifier,
    train: Train,
    shapes: Path,
    tmp_path: Path,
) -> None:
    predict_shards(made["run"], [shapes], tmp_path / "answers")
    with pytest.raises(LedgerError, match="holds answers without digests"):
        library.evaluate(made["run"], shapes, features=tmp_path / "answers")
    with pytest.raises(DataError, match="it has no features"):
        train(shapes, tmp_path / "run", features=tmp_path / "answers")
    with pytest.raises(LedgerError, match="What differs: model, novelty"):
        library.evaluate(classifier, shapes, features=made["parts"])

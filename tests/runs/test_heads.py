"""A run of every kind of head: written, read back, answering alike everywhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from foveal.api import make_run
from foveal.errors import FovealError
from foveal.features.reading import readable_network
from foveal.models.sources import open_network
from foveal.reporting import from_run
from foveal.runs import Classifier, load
from foveal.shortcuts.explained_run import ExplainedRun
from foveal.training import TrainConfig, TrainedClassifier


@pytest.fixture(scope="module", params=["stages", "kernel"])
def made(
    request: pytest.FixtureRequest,
    shapes: Path,
    tiny_weights: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[TrainedClassifier, ExplainedRun, Path]:
    """A run of one kind, which several tests look at."""
    folder = tmp_path_factory.mktemp("runs") / request.param
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOVEAL_CACHE", str(tmp_path_factory.mktemp("cache")))
        finished = make_run(
            shapes,
            folder,
            config=TrainConfig(
                backbone="test_resnet",
                weights=tiny_weights,
                size_px=64,
                backend="torch",
                head=request.param,
            ),
            command="foveal train shapes",
        )
    return finished.trained, finished.explanations, folder


@pytest.fixture
def classifier(made: tuple[TrainedClassifier, ExplainedRun, Path]) -> Classifier:
    return load(made[2])


def network_of(trained: TrainedClassifier) -> torch.nn.Module:
    """From images to what the model reads."""
    return readable_network(trained.backbone, trained.model.reading, (64, 64)).feature_network()


def images_of(shapes: Path) -> list[Path]:
    return sorted(shapes.glob("*/*.png"))[::5]


def test_the_run_says_which_kind_it_is(
    made: tuple[TrainedClassifier, ExplainedRun, Path],
) -> None:
    trained, _, folder = made
    described = trained.model.describe()
    assert described.kind == trained.config.head
    page = (folder / "report.html").read_text("utf-8")
    assert described.sentence in page
    assert from_run.read_report(folder).report.provenance.model == described  # type: ignore[union-attr]


def test_predictions_are_those_of_the_model(
    made: tuple[TrainedClassifier, ExplainedRun, Path], classifier: Classifier, shapes: Path
) -> None:
    trained = made[0]
    paths = images_of(shapes)
    images = np.stack([trained.preprocessing.apply(path) for path in paths])
    with torch.inference_mode():
        read = network_of(trained)(torch.from_numpy(images)).numpy()
    expected = trained.model.logits(read)
    answers = classifier.predict(paths)
    np.testing.assert_allclose([one.logits for one in answers], expected, atol=1e-2)
    assert all(one.novelty is not None and one.prediction_set is not None for one in answers)


def test_the_network_is_built_again_from_the_folder(
    made: tuple[TrainedClassifier, ExplainedRun, Path], shapes: Path
) -> None:
    trained, _, folder = made
    images = torch.from_numpy(
        np.stack([trained.preprocessing.apply(path) for path in images_of(shapes)])
    )
    network = open_network(str(folder), weights="pretrained").module
    with torch.inference_mode():
        read = network_of(trained)(images).numpy()
        found = network(images).numpy()
    np.testing.assert_allclose(found, trained.model.logits(read), atol=1e-3)


def test_an_unknown_head_is_named(
    made: tuple[TrainedClassifier, ExplainedRun, Path], tmp_path: Path
) -> None:
    import json
    import shutil

    folder = tmp_path / "copy"
    shutil.copytree(made[2], folder)
    config = json.loads((folder / "config.json").read_text())
    config["foveal_head"]["kind"] = "forest"
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(FovealError, match="head that this version does not know"):
        open_network(str(folder), weights="pretrained")


def test_answers_are_explained(classifier: Classifier, shapes: Path) -> None:
    (one,) = classifier.explain(images_of(shapes)[0])
    assert one.error is None
    assert np.isfinite(one.maps[0].heat_map.values).all()


def test_held_out_maps_are_exact_where_the_model_is_linear(
    made: tuple[TrainedClassifier, ExplainedRun, Path],
) -> None:
    trained, explained, folder = made
    assert explained.reason is None
    assert explained.grid is not None
    page = (folder / "report.html").read_text("utf-8")
    if trained.config.head == "stages":
        assert explained.max_completeness_error is not None
        assert explained.max_completeness_error < 1e-3
        assert "plus a bias is the logit" in page
    else:
        assert explained.max_completeness_error is None
        assert explained.summary_json()["method"] == "gradient"
        assert "hold near each image and add up to no logit" in page

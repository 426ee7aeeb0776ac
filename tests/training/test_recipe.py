"""From a folder of images to a classifier with evidence, without a network or a wait."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveal.errors import DataError
from foveal.training import StepLog, TrainConfig, TrainedClassifier, train_classifier

Train = Callable[..., TrainedClassifier]


@pytest.fixture
def config(tiny_weights: Path) -> TrainConfig:
    return TrainConfig(
        backbone="test_resnet", weights=tiny_weights, size_px=64, backend="torch", num_workers=2
    )


def computed(trained: TrainedClassifier) -> int:
    (event,) = [event for event in trained.events if event["step"] == "features"]
    return int(event["num_computed"])  # type: ignore[call-overload, no-any-return]


@pytest.fixture(scope="module")
def trained(
    shapes: Path, tiny_weights: Path, tmp_path_factory: pytest.TempPathFactory
) -> TrainedClassifier:
    """One training that several tests look at."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOVEAL_CACHE", str(tmp_path_factory.mktemp("cache")))
        return train_classifier(
            shapes,
            TrainConfig(backbone="test_resnet", weights=tiny_weights, size_px=64, backend="torch"),
        )


def test_steps_come_in_order(trained: TrainedClassifier) -> None:
    assert [event["step"] for event in trained.events] == [
        "scan",
        "backbone",
        "probe",
        "features",
        "audit",
        "heads",
        "learning_curve",
        "stability",
        "evidence",
    ]


def test_every_image_is_judged_once(trained: TrainedClassifier) -> None:
    assert trained.judged.rows.tolist() == list(range(36))
    assert trained.judged.logits.shape == (36, 3)
    np.testing.assert_allclose(trained.judged.probabilities.sum(1), 1, rtol=1e-6)
    assert trained.evidence.data.num_images == 36
    assert trained.evidence.data.class_counts == (12, 12, 12)


def test_headline_is_the_accuracy_of_the_judged_logits(trained: TrainedClassifier) -> None:
    right = trained.judged.logits.argmax(1) == trained.manifest.labels
    assert trained.evidence.metrics.accuracy.estimate == pytest.approx(right.mean())
    assert right.mean() > 0.6  # these shapes can be told apart, even by random weights


def test_stability_is_of_the_finished_classifier(trained: TrainedClassifier) -> None:
    stability = trained.evidence.stability
    assert stability is not None
    assert (stability.num_images, stability.num_groups, stability.num_seen) == (36, 9, 36)
    assert (stability.size_px, stability.directions) == ((64, 64), "in turn")
    assert [item.shift_px for item in stability.shifts] == [1, 2, 4, 8]


def test_groups_stay_within_a_fold(trained: TrainedClassifier) -> None:
    for group in np.unique(trained.groups):
        assert len(set(trained.judged.fold_index[trained.groups == group])) == 1
    assert len(np.unique(trained.groups)) == 9


def test_careless_split_is_measured_beside(trained: TrainedClassifier) -> None:
    assert trained.evidence.grouping.random_accuracy is not None
    assert trained.evidence.grouping.grouped_accuracy is not None


def test_mistakes_point_at_images_that_were_got_wrong(trained: TrainedClassifier) -> None:
    for mistake in trained.evidence.mistakes:
        answer = trained.judged.probabilities[mistake.index].argmax()
        assert answer != trained.manifest.labels[mistake.index]


def test_second_training_computes_nothing_and_answers_alike(
    shapes: Path, config: TrainConfig
) -> None:
    first, second = train_classifier(shapes, config), train_classifier(shapes, config)
    assert (computed(first), computed(second)) == (36, 0)
    np.testing.assert_array_equal(first.judged.logits, second.judged.logits)
    np.testing.assert_array_equal(first.model.weight, second.model.weight)


def test_the_figures_of_one_backend_are_not_given_out_as_those_of_another(
    shapes: Path, config: TrainConfig
) -> None:
    train_classifier(shapes, config)
    assert computed(train_classifier(shapes, replace(config, backend="torch-channels-last"))) == 36


def test_damaged_features_are_computed_anew_and_said(
    shapes: Path, config: TrainConfig, cache_folder: Path
) -> None:
    first = train_classifier(shapes, config)
    (path,) = (cache_folder / "features").glob("*.sqlite")
    with sqlite3.connect(path) as connection:
        ones = np.ones(first.backbone.num_features, np.float32).tobytes()
        connection.execute(
            "UPDATE features SET vector = ? WHERE digest IN (SELECT digest FROM features LIMIT 5)",
            [ones],
        )
    connection.close()
    second = train_classifier(shapes, config)
    assert computed(second) == 5
    (event,) = [event for event in second.events if event["step"] == "features"]
    assert event["cache_problem"] == "5 damaged vectors in the cache computed anew"
    np.testing.assert_array_equal(first.judged.logits, second.judged.logits)


def test_twin_architecture_with_the_same_tensors_shares_no_features(
    shapes: Path, config: TrainConfig, make_checkpoint: Callable[..., Path]
) -> None:
    # The same tensors under the same names, but other padding and another epsilon.
    weights = make_checkpoint("efficientnet_lite0")
    settings = {"weights": weights, "size_px": 32}
    one = train_classifier(shapes, replace(config, backbone="efficientnet_lite0", **settings))
    two = train_classifier(shapes, replace(config, backbone="tf_efficientnet_lite0", **settings))
    assert one.backbone.weights.digest == two.backbone.weights.digest
    assert computed(two) == 36


def test_views_are_averaged_and_cached_each(shapes: Path, config: TrainConfig) -> None:
    plain = train_classifier(shapes, config)
    both = train_classifier(shapes, replace(config, views=("identity", "hflip")))
    assert (computed(plain), computed(both)) == (36, 36)
    assert (plain.model.weight != both.model.weight).any()


def test_progress_over_views_is_one_bar(shapes: Path, config: TrainConfig) -> None:
    heard: list[tuple[int, int]] = []

    class Listener:
        def begin(self, title: str) -> None:
            heard.clear() if title == "Computing features" else None

        def advance(self, done: int, total: int) -> None:
            heard.append((done, total))

        def say(self, line: str) -> None:
            pass

        def end(self, title: str, seconds: float, detail: str) -> None:
            pass

    train_classifier(shapes, replace(config, views=("identity", "hflip")), log=StepLog(Listener()))
    assert heard[-1] == (72, 72)
    assert heard == sorted(heard)


def test_hold_out_judges_only_what_the_head_never_saw(shapes: Path, config: TrainConfig) -> None:
    trained = train_classifier(shapes, replace(config, test_size=0.34))
    rows = trained.judged.rows
    assert 8 <= len(rows) <= 16
    seen = np.setdiff1d(np.arange(36), rows)
    assert not set(trained.groups[rows]) & set(trained.groups[seen])
    assert trained.evidence.protocol.kind == "hold-out"
    assert trained.evidence.learning_curve is None


def test_given_split_is_respected(make_shapes: Callable[..., Path], config: TrainConfig) -> None:
    source = make_shapes()
    target = source.parent / "split"
    for path in sorted(source.rglob("*.png")):
        part = "test" if int(path.stem) >= 8 else "train"
        place = target / part / path.parent.name / path.name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)
    trained = train_classifier(target, config)
    judged = {trained.manifest.usable[row].path for row in trained.judged.rows}
    assert len(judged) == 12
    assert all(path.startswith("test/") for path in judged)


def test_unusable_file_is_set_aside(make_shapes: Callable[..., Path], config: TrainConfig) -> None:
    data = make_shapes()
    (data / "circle" / "000.png").write_bytes(b"no image")
    trained = train_classifier(data, config)
    assert trained.evidence.data.num_images == 35
    assert trained.evidence.data.num_bad == 1


def test_shuffled_labels_score_at_chance(
    make_shapes: Callable[..., Path], config: TrainConfig
) -> None:
    source = make_shapes(num_per_class=32)
    paths = sorted(source.rglob("*.png"))
    order = np.random.default_rng(2).permutation(len(paths))
    lines = ["path,label"] + [
        f"{path.relative_to(source)},{paths[other].parent.name}"
        for path, other in zip(paths, order, strict=True)
    ]
    (source / "groups.csv").unlink()
    (source / "labels.csv").write_text("\n".join(lines), encoding="utf-8")
    accuracy = train_classifier(source / "labels.csv", config).evidence.metrics.accuracy
    assert accuracy.low is not None
    assert accuracy.high is not None
    assert accuracy.low <= 1 / 3 <= accuracy.high


def test_one_class_is_refused(make_shapes: Callable[..., Path], config: TrainConfig) -> None:
    data = make_shapes()
    for name in ("cross", "stripes"):
        shutil.rmtree(data / name)
    with pytest.raises(DataError, match=r"one class|single class"):
        train_classifier(data, config)


def test_mirrored_copies_stay_in_the_fold_of_their_original(
    shapes: Path, tmp_path: Path, config: TrainConfig
) -> None:
    # A coin was tossed for the labels: a classifier that has seen the copy answers by heart.
    for number, path in enumerate(sorted(shapes.rglob("*.png"))[:16]):
        picture = Image.open(path)
        folder = tmp_path / "data" / "xy"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        picture.save(folder / f"{number}.png")
        picture.transpose(Image.Transpose(number % 7)).save(folder / f"{number}-turned.png")
    trained = train_classifier(tmp_path / "data", config)
    original = {Path(one.path).stem: row for row, one in enumerate(trained.manifest.usable)}
    for number in range(16):
        pair = [original[f"{number}"], original[f"{number}-turned"]]
        assert len(set(trained.groups[pair])) == 1
        assert len(set(trained.judged.fold_index[pair])) == 1


def test_the_kept_classifier_knows_what_it_was_fitted_to(
    shapes: Path, tmp_path: Path, config: TrainConfig
) -> None:
    for number, path in enumerate(sorted(shapes.rglob("*.png"))):
        part = "test" if number % 3 == 0 else "train"
        target = tmp_path / "data" / part / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.open(path).save(target)
        if number in (1, 13, 26):  # training images that are in the test part, too: mirrored
            mirrored = Image.open(path).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            again = tmp_path / "data" / "test" / path.parent.name / f"again-{path.name}"
            again.parent.mkdir(parents=True, exist_ok=True)
            mirrored.save(again)
    trained = train_classifier(tmp_path / "data", config)
    assert len(trained.judged.fitted_rows) == 24
    assert len(trained.judged.rows) == trained.evidence.metrics.num_images == 12
    assert trained.evidence.protocol.num_seen == 3


def test_an_import_that_has_begun_ends_before_the_process_does(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(
        "import time\nprint('begun', flush=True)\ntime.sleep(1)\nprint('done')"
    )
    (tmp_path / "never.py").write_text("print('imported for nobody')")
    script = (
        "import sys, time; from foveal.training import recipe\n"
        "recipe._NEEDED_LATER = ('slow', 'never')\n"
        "recipe._import_ahead()\n"
        "while 'slow' not in sys.modules: time.sleep(0.01)\n"
        "sys.exit(3)\n"
    )

    ended = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
        capture_output=True,
        text=True,
    )

    assert (ended.stdout, ended.returncode) == ("begun\ndone\n", 3), ended.stderr

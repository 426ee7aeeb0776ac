"""A network that starts at random, from a folder of small images to a run that predicts."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import foveal
from foveal.api import make_run
from foveal.errors import FovealError, UsageError
from foveal.finetuning.checkpoints import Checkpoints
from foveal.finetuning.settings import Recipe, from_scratch
from foveal.training import TrainConfig

SCRATCH = TrainConfig(
    backbone="foveal:resnet20",
    size_px=16,
    test_size=0.3,
    head="linear",
    backend="onnxruntime",
    fine_tune="always",
    augment="crop",
    budget="8s",
)


def write_digits(folder: Path, per_class: int) -> Path:
    """Handwritten digits of scikit-learn, 8 by 8 pixels."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    for label in range(10):
        (folder / str(label)).mkdir(parents=True)
        for number in np.flatnonzero(digits.target == label)[:per_class]:
            levels = (digits.images[number] * (255 / 16)).astype(np.uint8)
            Image.fromarray(levels).save(folder / str(label) / f"{number:04}.png")
    return folder


def test_a_run_from_a_random_start_is_read_back_and_says_what_it_is(
    shapes: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    finished = make_run(shapes, run, config=SCRATCH, command="test")
    assert finished.parity.same_labels == finished.parity.num_images
    image = sorted(shapes.rglob("*.png"))[0]
    classifier = foveal.load(run)
    (predicted,) = classifier.predict([image])
    pixels = torch.from_numpy(finished.trained.preprocessing.apply(image)[None])
    with torch.inference_mode():
        again = classifier.network().module(pixels).numpy()
    np.testing.assert_allclose(again, finished.trained.model.logits(pixels.numpy()), atol=1e-4)
    assert predicted.label in classifier.class_names
    card = (run / "README.md").read_text()
    assert "a random start (seed 0), nothing pretrained" in card
    assert "import timm" not in card
    assert "library_name: foveal" in card
    plan = (run / "history.jsonl").read_text()
    assert '"why_whole": "it starts at random"' in plan


def test_the_recipe_from_scratch_trains_everything_at_one_rate() -> None:
    recipe = SCRATCH.recipe()
    assert recipe.first_rate == recipe.head_rate
    assert recipe.train_batchnorm
    assert recipe.precision == "fp32"  # bf16 gave NaN on the processor, after one step
    assert (recipe.dropout, recipe.mixup, recipe.smoothing) == (0, 0, 0)
    assert from_scratch(Recipe(optimizer="sgd")).weight_decay == 5e-4
    mixed = replace(SCRATCH, augment="crop+cutmix").recipe()
    assert (mixed.mixup, mixed.cutmix, mixed.starts_at_random) == (0, 1, True)
    assert not TrainConfig(fine_tune="always").recipe().starts_at_random


@pytest.mark.parametrize("weights", [None, "none"])
@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"fine_tune": "none", "budget": None}, "features that say nothing.\nAdd --fine-tune al"),
        ({"unfreeze": "2-stages"}, "starts at random, so all of it must be trained"),
        ({"unfreeze": "fc"}, "starts at random, so all of it must be trained"),
    ],
)
def test_training_less_than_everything_is_refused(
    weights: str | None, choice: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        replace(SCRATCH, weights=weights, **choice)  # type: ignore[arg-type]


def _one_a_class(folder: Path) -> None:
    for number, name in enumerate(("a", "b")):
        (folder / name).mkdir(parents=True)
        Image.new("L", (8, 8), 80 * number).save(folder / name / "0.png")


def _one_pixel(folder: Path) -> None:
    random = np.random.default_rng(0)
    for number, name in enumerate(("a", "b")):
        (folder / name).mkdir(parents=True)
        for image in range(8):
            level = int(random.integers(60)) + 150 * number
            Image.new("L", (1, 1), level).save(folder / name / f"{image}.png")


def _every_mode(folder: Path) -> None:
    random = np.random.default_rng(0)
    for number, name in enumerate(("a", "b")):
        (folder / name).mkdir(parents=True)
        for image in range(9):
            levels = random.integers(100, size=(9, 7)) + 120 * number
            picture = Image.fromarray(levels.astype(np.uint8))
            mode = ("L", "RGBA", "I;16", "1", "P", "LA", "CMYK", "RGB", "F")[image]
            if mode == "I;16":
                picture = Image.fromarray((levels * 256).astype(np.uint16))
            elif mode == "RGBA":
                picture = picture.convert("RGBA")
                picture.putalpha(200)
            else:
                picture = picture.convert(mode)
            suffix = "tif" if mode in ("CMYK", "F") else "png"
            picture.save(folder / name / f"{image}.{suffix}")


@pytest.mark.parametrize("write", [_one_pixel, _every_mode])
def test_tiny_and_deep_images_are_trained_on_with_every_change(
    write: Callable[[Path], None], tmp_path: Path
) -> None:
    write(tmp_path / "data")
    policy = "jitter+auto-augment+rotation+cutout+mixup+cutmix"
    config = replace(SCRATCH, augment=policy, budget="8s")
    make_run(tmp_path / "data", tmp_path / "run", config=config, command="test")
    answers = foveal.load(tmp_path / "run").predict(tmp_path / "data")
    assert len(answers) == len([one for one in (tmp_path / "data").rglob("*") if one.is_file()])


def test_one_image_a_class_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    _one_a_class(tmp_path / "data")
    with pytest.raises(FovealError) as refused:
        make_run(tmp_path / "data", tmp_path / "run", config=SCRATCH, command="test")
    assert refused.value.next_step


@pytest.mark.slow
def test_a_stopped_run_goes_on_to_the_same_weights(
    shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stopped(Exception):  # noqa: N818
        pass

    config = replace(SCRATCH, augment="crop+jitter+mixup+cutmix", budget="10s")
    run, left, kept = tmp_path / "run", tmp_path / "run.checkpoints", tmp_path / "kept"
    save, saved = Checkpoints.save, []

    def stopping(self: Checkpoints, *what: Any) -> None:
        save(self, *what)
        saved.append(1)
        if len(saved) == 3:
            raise Stopped

    monkeypatch.setattr(Checkpoints, "save", stopping)
    with pytest.raises(Stopped):
        make_run(shapes, run, config=config, command="test")
    kept.mkdir()
    shutil.copy(left / "fine-tuning.json", kept)
    make_run(shapes, run, config=replace(config, resume=left), command="test")
    # The same plan, without any checkpoint to go on from.
    again = tmp_path / "again"
    make_run(shapes, again, config=replace(config, resume=kept), command="test")
    assert (run / "model.safetensors").read_bytes() == (again / "model.safetensors").read_bytes()


@pytest.mark.slow
def test_digits_are_learned_from_a_random_start(tmp_path: Path) -> None:
    data = write_digits(tmp_path / "data", per_class=30)
    config = replace(SCRATCH, budget="25s", test_size=0.2)
    finished = make_run(data, tmp_path / "run", config=config, command="test")
    metrics = finished.trained.evidence.metrics
    # A tenth is what one answer for all gives.
    assert metrics.accuracy.estimate is not None
    assert metrics.accuracy.estimate > 0.75


def test_where_nothing_trained_was_better_the_linear_head_is_what_is_kept(
    make_shapes: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from foveal.finetuning import fitting
    from foveal.training.fine_tuned import FineTunedModel

    monkeypatch.setattr(fitting, "_SHARES", (0.0,))
    config = replace(SCRATCH, budget="15s")
    model = make_run(
        make_shapes(num_per_class=30), tmp_path / "run", config=config, command="test"
    ).trained.model
    assert isinstance(model, FineTunedModel)
    assert model.describe().kind == "linear"
    assert np.abs(model.start.weight).max() > 0
    np.testing.assert_array_equal(
        model.division.classifier.weight.detach().numpy(), model.start.weight
    )


def test_from_python_weights_may_be_none_and_shares_one_text(shapes: Path, tmp_path: Path) -> None:
    files = [path for path in sorted(shapes.rglob("*.png")) if path.parent.name != "stripes"]
    names = [path.parent.name for path in files]
    table = {
        "path": [str(path) for path in files],
        "label": names,
        "share": [(0.25, 0.75)[name == "cross"] for name in names],
    }
    run = foveal.train(
        table,
        tmp_path / "run",
        backbone="timm:test_resnet",
        weights="none",
        size_px=16,
        fine_tune="always",
        test_size=0.3,
        budget="8s",
        head="linear",
        soft_labels="share=cross",
    )
    told = run.evidence.fine_tuning
    assert told is not None
    assert "the whole network" in told.plan
    assert "to learn shares of classes (share=cross)" in told.plan

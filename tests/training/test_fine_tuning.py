"""Fine-tuning from the data to the run: the plan, the bank, the choice, and what is refused."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from foveal.api import load, make_run
from foveal.dataset import assign_folds
from foveal.errors import DataError, FovealError, RunAlteredError, RunExistsError, UsageError
from foveal.evaluation import Interval
from foveal.training import Problem, TrainConfig
from foveal.training.adoption import compare
from foveal.training.fine_tuned import FineTunedModel


@pytest.fixture
def config(tiny_weights: Path) -> TrainConfig:
    return TrainConfig(
        backbone="test_resnet",
        weights=tiny_weights,
        size_px=32,
        num_folds=2,
        backend="onnxruntime",
        fine_tune="always",
        unfreeze="1-stage",
        budget="60s",
    )


def events(run: Path) -> dict[str, dict[str, Any]]:
    lines = (run / "history.jsonl").read_text().splitlines()
    return {line["step"]: line for line in map(json.loads, lines)}


def test_a_fine_tuned_run_predicts_what_its_files_say(
    shapes: Path, config: TrainConfig, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    finished = make_run(shapes, run, config=config, command="test")
    assert finished.trained.model.describe().kind == "fine-tuned"
    # What was compared are frozen kinds, of which none is kept.
    assert finished.trained.evidence.model_choice is None
    assert finished.parity.same_labels == finished.parity.num_images
    image = shapes / "circle" / "000.png"
    (predicted,) = load(run).predict([image])
    import timm
    from safetensors.torch import load_file

    network = timm.create_model("test_resnet", num_classes=3).eval()
    network.load_state_dict(load_file(run / "model.safetensors"))
    picture = finished.trained.preprocessing.apply(image)[None]
    with torch.inference_mode():
        logits = network(torch.from_numpy(picture)).numpy()
    calibration = finished.trained.evidence.calibration
    temperature = 1.0 if calibration is None else calibration.temperature
    shares = np.exp(logits / temperature) / np.exp(logits / temperature).sum()
    np.testing.assert_allclose(predicted.probabilities, shares[0], atol=1e-3)
    assert not run.with_name("run.checkpoints").exists()
    assert events(run)["tuning_plan"]["cut"] == "layer3"
    assert events(run)["fine_tuning"]["adopted"] is True


def test_a_run_whose_start_was_kept_is_not_called_fine_tuned(
    shapes: Path, config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from foveal.finetuning import fitting

    # Every way from the start is worse on the inner split.
    monkeypatch.setattr(fitting, "_SHARES", (0.0,))
    finished = make_run(shapes, tmp_path / "run", config=config, command="test")
    evidence = finished.trained.evidence
    assert finished.trained.model.describe().kind == "linear"
    assert evidence.fine_tuning is not None
    assert (evidence.fine_tuning.verdict, evidence.fine_tuning.is_adopted) == ("start kept", False)
    card = (tmp_path / "run" / "README.md").read_text()
    assert "so the result is that head and is not fine-tuned" in card


def test_the_verdict_stands_in_terminal_report_and_card(
    shapes: Path, config: TrainConfig, tmp_path: Path
) -> None:
    from foveal.reporting import render_text

    run = tmp_path / "run"
    finished = make_run(shapes, run, config=config, command="test")
    found = finished.trained.evidence.fine_tuning
    assert found is not None
    assert found.kept == "fine-tuned"
    assert found.seconds > 0
    # Two folds, and all images.
    assert [curve.name for curve in found.curves] == ["fold 1", "fold 2", "all images"]
    assert "after layer3" in found.plan
    said = " ".join(render_text(finished.trained.evidence, None).split())
    assert f"Fine-tuning {found.sentence}" in said
    assert "Was fine-tuning worth it?" in (run / "report.html").read_text()
    assert "Fine-tuning: " in (run / "README.md").read_text()
    assert load(run).evidence.fine_tuning == found


def test_a_stacked_run_predicts_and_explains_what_its_files_say(
    shapes: Path, config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from foveal.training import adoption

    compare_ways = adoption.compare_ways

    def stacked_is_best(problem: Problem, answers: Any) -> Any:
        found = compare_ways(problem, answers)
        return replace(
            found,
            kept=len(answers) - 1,
            gains=(None, *(Interval(0.1, 0.05, 0.2),) * 2)[: len(answers)],
        )

    monkeypatch.setattr(adoption, "compare_ways", stacked_is_best)
    run = tmp_path / "run"
    finished = make_run(shapes, run, config=replace(config, fine_tune="auto"), command="test")
    model = finished.trained.model
    assert model.describe().kind == "stacked"
    assert finished.parity.same_labels == finished.parity.num_images
    image = shapes / "circle" / "000.png"
    classifier = load(run)
    (predicted,) = classifier.predict([image])
    picture = finished.trained.preprocessing.apply(image)[None]
    # Read back from its files, it is the same network.
    with torch.inference_mode():
        again = classifier.network().module(torch.from_numpy(picture)).numpy()
    np.testing.assert_allclose(again, model.logits(picture), atol=1e-4)
    assert int(np.argmax(predicted.probabilities)) == again[0].argmax()
    (explained,) = classifier.explain([image])
    assert explained.error is None


def test_a_budget_too_small_is_told_before_any_feature(
    shapes: Path, config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from foveal.training import recipe

    def unwanted(*arguments: object) -> None:
        raise AssertionError("features were computed")

    monkeypatch.setattr(recipe, "extract_manifest", unwanted)
    tiny = replace(config, budget="0.01s")
    with pytest.raises(UsageError, match="too small for any fine-tuning"):
        make_run(shapes, tmp_path / "run", config=tiny, command="test")


def test_where_fine_tuning_is_only_allowed_a_small_budget_is_a_note(
    shapes: Path, config: TrainConfig, tmp_path: Path
) -> None:
    tiny = replace(config, fine_tune="auto", budget="0.01s")
    finished = make_run(shapes, tmp_path / "run", config=tiny, command="test")
    found = finished.trained.evidence.fine_tuning
    assert found is not None
    assert (found.verdict, found.is_adopted) == ("not tried", False)
    assert found.sentence.startswith("Not tried: What is left of the budget (0 s) is too small")
    assert found.kept == finished.trained.model.describe().kind
    choice = finished.trained.evidence.model_choice
    assert choice is not None
    # By name a backend is not timed, so its time is not known.
    assert "The kind kernel-flips was not tried: nobody measured" in " ".join(choice.passed_over)


def test_a_bank_larger_than_the_disk_is_refused_and_where_only_allowed_a_note(
    shapes: Path, config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from foveal.features import bank

    monkeypatch.setattr(bank, "_SPARE_BYTES", 10**18)
    with pytest.raises(DataError, match="The bank needs"):
        make_run(shapes, tmp_path / "run", config=config, command="test")
    allowed = replace(config, fine_tune="auto")
    finished = make_run(shapes, tmp_path / "run", config=allowed, command="test")
    found = finished.trained.evidence.fine_tuning
    assert found is not None
    assert found.verdict == "not tried"
    assert found.sentence.startswith("Not tried: The bank needs")


def test_what_is_asked_of_the_training_reaches_it(
    shapes: Path, config: TrainConfig, tmp_path: Path
) -> None:
    chosen = replace(config, train_batchnorm=True, optimizer="sgd", head_rate=1e-2, tuning_seeds=2)
    model = make_run(shapes, tmp_path / "run", config=chosen, command="test").trained.model
    assert isinstance(model, FineTunedModel)
    recipe = model.recipe
    assert (recipe.train_batchnorm, recipe.optimizer, recipe.num_seeds) == (True, "sgd", 2)
    assert (recipe.first_rate, recipe.head_rate) == (1e-4, 1e-2)
    assert len(model.fitted.kept_epochs) == 2


def test_a_budget_that_allows_it_tries_flips(
    shapes: Path, config: TrainConfig, tmp_path: Path
) -> None:
    allowed = replace(config, fine_tune="auto", budget="300s", backend=None)
    finished = make_run(shapes, tmp_path / "run", config=allowed, command="test")
    choice = finished.trained.evidence.model_choice
    assert choice is not None
    assert [one.kind for one in choice.candidates][-1] == "kernel-flips"


def test_a_run_over_flips_predicts_what_its_files_say(
    shapes: Path, config: TrainConfig, tmp_path: Path
) -> None:
    frozen = replace(config, fine_tune="none", budget=None, unfreeze=None, head="kernel-flips")
    finished = make_run(shapes, tmp_path / "run", config=frozen, command="test")
    assert finished.trained.model.describe().kind == "kernel-flips"
    assert finished.parity.same_labels == finished.parity.num_images
    found = load(tmp_path / "run")
    assert found.views == ("identity", "hflip", "vflip", "rot180")
    assert all(one.error is None for one in found.predict([shapes / "circle"]))


def test_the_bank_is_used_again_and_removed_on_request(
    shapes: Path, config: TrainConfig, tmp_path: Path, cache_folder: Path
) -> None:
    make_run(shapes, tmp_path / "a", config=config, command="test")
    first = events(tmp_path / "a")["bank"]["num_computed"]
    assert first == 36 * events(tmp_path / "a")["tuning_plan"]["num_views"]
    make_run(shapes, tmp_path / "b", config=replace(config, remove_bank=True), command="test")
    views = events(tmp_path / "b")["tuning_plan"]["num_views"]
    assert events(tmp_path / "b")["bank"]["num_computed"] == max(0, 36 * views - first)
    assert not list((cache_folder / "banks").rglob("*.npy"))


def test_a_network_trained_as_a_whole_needs_no_bank(
    shapes: Path, config: TrainConfig, tmp_path: Path, cache_folder: Path
) -> None:
    whole = replace(config, unfreeze="all", augment="any-orientation", budget="60s")
    finished = make_run(shapes, tmp_path / "run", config=whole, command="test")
    assert finished.trained.model.reading.cut == "input"
    assert not (cache_folder / "banks").exists()


def test_auto_keeps_what_is_better_and_says_by_how_much() -> None:
    labels = np.arange(200) % 2
    groups = np.arange(200) // 2
    problem = Problem(
        source=lambda reading: np.zeros((200, 1), np.float32),
        rows=np.arange(200),
        labels=labels,
        groups=groups,
        fold_index=assign_folds(labels, groups, num_folds=2, seed=0).fold_index,
        class_names=("a", "b"),
    )
    right = np.eye(2)[labels]
    wrong = right.copy()
    wrong[:60] = wrong[:60, ::-1]
    gain, sentence, is_better = compare(right, wrong, problem, cost_seconds=12.0, seed=0)
    assert (gain.estimate, is_better) == (0.3, True)
    assert sentence.startswith("+30.0 points (95% interval +")
    assert "paired over 100 groups): fine-tuning is better" in sentence
    assert sentence.endswith("It took 12 s")
    _, sentence, is_better = compare(right, right, problem, cost_seconds=1.0, seed=0)
    assert not is_better
    assert "not shown to be better, and the frozen classifier is kept" in sentence
    _, sentence, is_better = compare(wrong, right, problem, cost_seconds=1.0, seed=0)
    assert not is_better
    assert "worse than frozen features, and the frozen classifier is kept" in sentence
    for tuned in (right, wrong):
        _, sentence, _ = compare(
            tuned, right, problem, cost_seconds=1.0, seed=0, is_always_kept=True
        )
        assert "and the fine-tuned classifier is kept all the same" in sentence
        assert "frozen classifier" not in sentence


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"budget": "0.01s"}, "too small for any fine-tuning"),
        ({"unfreeze": "layr4"}, "Did you mean layer4"),
        ({"unfreeze": "8-stages"}, "cannot have its last 8 stages"),
        ({"resume": Path("nowhere")}, "holds no fine-tuning"),
    ],
)
def test_what_cannot_be_done_is_said(
    shapes: Path, config: TrainConfig, tmp_path: Path, wrong: dict[str, Any], said: str
) -> None:
    with pytest.raises(FovealError, match=said):
        make_run(shapes, tmp_path / "run", config=replace(config, **wrong), command="test")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"fine_tune": "yes"}, "no choice of fine-tuning named 'yes'"),
        ({"augment": "lite"}, "Did you mean light"),
        ({"budget": "soon"}, "a time such as 90s"),
        ({"fine_tune": "none", "unfreeze": None}, "--budget is about fine-tuning"),
        ({"views": ("identity", "hflip")}, "do not go together yet"),
        ({"tuning_seeds": 0}, "num_seeds is 0; a whole number from 1 to 20"),
        ({"head_rate": 0.0}, "head_rate is 0.0; a number above 0"),
        ({"optimizer": "adam"}, "no optimizer 'adam'"),
        (
            {"fine_tune": "none", "budget": None, "unfreeze": None, "train_batchnorm": True},
            "--train-batchnorm is about fine-tuning",
        ),
        ({"head": "kernel-flips", "views": ("identity", "hflip")}, "reads four views of its own"),
    ],
)
def test_wrong_choices_are_refused_at_once(
    config: TrainConfig, wrong: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        replace(config, **wrong)


_SCRIPT = """
import os, signal, sys
from pathlib import Path
from foveal.finetuning import checkpoints
from foveal.api import make_run
from foveal.training import TrainConfig
number, left = int(sys.argv[5]), [int(sys.argv[4])]
save = checkpoints.Checkpoints.save
def counted(self, *what):
    save(self, *what)
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), number)
checkpoints.Checkpoints.save = counted
make_run(sys.argv[1], sys.argv[2], command="test", config=TrainConfig(
    backbone="test_resnet", weights=Path(sys.argv[3]), size_px=32, num_folds=2,
    backend="onnxruntime", fine_tune="always", unfreeze="1-stage", budget="60s"))
"""


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_weights_with_the_same_data_alone(
    make_shapes: Callable[..., Path], config: TrainConfig, tiny_weights: Path, tmp_path: Path
) -> None:
    shapes, run = make_shapes(), tmp_path / "run"
    left, config = run.with_name("run.checkpoints"), replace(config, budget="60s")
    arguments = [shapes, run, tiny_weights, 4, int(signal.SIGKILL)]
    killed = subprocess.run([sys.executable, "-c", _SCRIPT, *map(str, arguments)], check=False)
    assert killed.returncode == -signal.SIGKILL
    with pytest.raises(RunExistsError, match="--resume"):
        make_run(shapes, run, config=config, command="test")

    config = replace(config, resume=left)
    picture = shapes / "circle" / "003.png"
    as_it_was = picture.read_bytes()
    picture.write_bytes((shapes / "circle" / "005.png").read_bytes())
    with pytest.raises(RunAlteredError, match=r"1 image changed, first circle/003\.png"):
        make_run(shapes, run, config=config, command="test")
    picture.write_bytes(as_it_was)
    with pytest.raises(RunAlteredError, match=r"seed \(0 then, 1 now\)"):
        make_run(shapes, run, config=replace(config, seed=1), command="test")

    # The same plan, but without any checkpoint to go on from.
    kept = tmp_path / "kept"
    kept.mkdir()
    shutil.copy(left / "fine-tuning.json", kept)
    make_run(shapes, run, config=config, command="test")
    assert not left.exists()
    undisturbed = tmp_path / "undisturbed"
    make_run(shapes, undisturbed, config=replace(config, resume=kept), command="test")
    for name in ("model.safetensors", "oof.parquet"):
        assert (run / name).read_bytes() == (undisturbed / name).read_bytes()


def test_a_policy_that_mixes_trains_the_whole_network_and_says_why(
    shapes: Path, config: TrainConfig, tmp_path: Path
) -> None:
    mixing = replace(config, unfreeze=None, augment="crop+cutout+cutmix")
    finished = make_run(shapes, tmp_path / "run", config=mixing, command="test")
    event = events(tmp_path / "run")["tuning_plan"]
    assert event["cut"] == ""
    assert "--augment crop+cutout+cutmix mixes images" in str(event)
    assert finished.trained.evidence.fine_tuning is not None
    assert "It hides a part of the image" in " ".join(finished.trained.evidence.fine_tuning.notes)


def test_shares_of_classes_are_learned_and_the_run_says_so(
    shapes: Path, config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from foveal.finetuning import loop

    lines = ["path,label,p,q"]
    for number, path in enumerate(sorted(shapes.rglob("*.png"))):
        name = path.parent.name
        sure = (1.0, 0.8)[number % 2]
        of = {"circle": sure if name == "circle" else 0, "cross": sure if name == "cross" else 0}
        lines.append(f"{path},{name},{of['circle']:g},{of['cross']:g}")
    (tmp_path / "table.csv").write_text("\n".join(lines) + "\n")
    seen: list[np.ndarray[Any, Any]] = []
    train_network = loop.train_network

    def watched(network: Any, source: Any, examples: Any, *args: Any, **options: Any) -> Any:
        seen.append(examples.targets)
        return train_network(network, source, examples, *args, **options)

    monkeypatch.setattr("foveal.finetuning.fitting.train_network", watched)
    soft = replace(config, soft_labels=("p=circle", "q=cross"))
    finished = make_run(tmp_path / "table.csv", tmp_path / "run", config=soft, command="test")
    circles = seen[0][:12]
    np.testing.assert_allclose(circles[:2], [[1, 0, 0], [0.8, 0, 0.2]], atol=1e-6)
    told = finished.trained.evidence.fine_tuning
    assert told is not None
    assert "to learn shares of classes (p=circle, q=cross)" in told.plan
    assert finished.trained.evidence.metrics.num_images == 36
    with pytest.raises(UsageError, match="--soft-labels is about fine-tuning"):
        TrainConfig(soft_labels=("p=circle",))

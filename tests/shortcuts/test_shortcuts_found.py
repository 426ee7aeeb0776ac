"""End to end: a planted mark is found and named; an honest difference is not accused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import foveal

pytestmark = pytest.mark.slow

Pixels = NDArray[np.uint8]
WriteDiscs = Callable[..., Path]


def mark_corner(pixels: Pixels, _: np.random.Generator) -> Pixels:
    """A white square of 18 pixels in the lower right corner: 0.6% of the picture."""
    marked = pixels.copy()
    marked[-24:-6, -24:-6] = 250
    return marked


def train(data: Path, folder: Path) -> Any:
    """Trains by the public call and returns evaluation.json."""
    import torch

    torch.set_num_threads(1)
    run = foveal.train(data, folder / "run", backend="onnxruntime")
    return json.loads((run.folder / "evaluation.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def marked(write_discs: WriteDiscs, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("marked")
    return folder, train(write_discs(mark_corner), folder)


def test_a_planted_mark_is_named_by_class_and_place(marked: Any) -> None:
    _, evaluation = marked
    shortcuts = evaluation["explanations"]["shortcuts"]
    assert [(one["class"], one["region"]) for one in shortcuts] == [("b", "lower right corner")]


def test_its_box_holds_the_mark(marked: Any) -> None:
    box = marked[1]["explanations"]["shortcuts"][0]["box"]
    middle = (224 - 15) / 224
    assert box["top"] < middle < box["bottom"]
    assert box["left"] < middle < box["right"]


def test_its_share_is_far_above_its_area(marked: Any) -> None:
    shortcut = marked[1]["explanations"]["shortcuts"][0]
    assert shortcut["share"] > 3 * shortcut["area_share"]


def test_covering_it_changes_answers_and_covering_elsewhere_does_not(marked: Any) -> None:
    covering = marked[1]["explanations"]["shortcuts"][0]["covering"]
    assert covering["lost_logits"] > 2 * max(0.0, covering["lost_logits_elsewhere"])
    assert covering["num_changed"] > covering["num_changed_elsewhere"]


def test_the_report_and_the_card_say_so(marked: Any) -> None:
    run = marked[0] / "run"
    title = "Something in the lower right corner gives “b” away"
    assert title in (run / "report.html").read_text("utf-8")
    assert "comes from the lower right corner" in (run / "README.md").read_text("utf-8")


def test_the_maps_add_up_to_the_held_out_logits(marked: Any) -> None:
    assert marked[1]["explanations"]["max_completeness_error"] < 1e-3


def test_there_are_examples_of_both_classes_with_their_folds(marked: Any) -> None:
    examples = marked[1]["explanations"]["examples"]
    assert {one["label"] for one in examples} == {"a", "b"}
    assert len({one["fold"] for one in examples}) > 1


def test_a_frame_is_found_though_no_place_stands_out(
    write_discs: WriteDiscs, tmp_path: Path
) -> None:
    def frame(pixels: Pixels, _: np.random.Generator) -> Pixels:
        framed = np.full_like(pixels, 20)
        framed[6:-6, 6:-6] = pixels[6:-6, 6:-6]
        return framed

    shortcuts = train(write_discs(frame), tmp_path)["explanations"]["shortcuts"]
    assert ("b", "border all around") in [(one["class"], one["region"]) for one in shortcuts]


def test_an_honest_difference_is_not_accused(
    write_discs: WriteDiscs, stripe: Callable[..., Pixels], tmp_path: Path
) -> None:
    explanations = train(write_discs(stripe), tmp_path)["explanations"]
    assert explanations["shortcuts"] == []
    assert explanations["untested"] is None

"""What the report, the terminal and the model card say of fine-tuning."""

from __future__ import annotations

import re

import pytest

from foveal.evaluation import EpochPoint, FineTuning, Interval, TrainingCurve
from foveal.reporting.sections.fine_tuning import (
    FINE_TUNING,
    describe_reported,
    draw_training,
    fine_tuning_section,
)

CURVE = TrainingCurve(
    "all images",
    kept_epoch=2,
    share=0.75,
    epochs=(
        EpochPoint(0, None, 0.6, 1.0, 0.5),
        EpochPoint(1, 0.8, 0.7, 0.9, 0.55),
        EpochPoint(2, 0.6, 0.8, 0.7, 0.65),
        EpochPoint(3, 0.4, 0.9, 1.1, 0.6),
    ),
)
FOUND = FineTuning(
    "better",
    "fine-tuned",
    True,
    "+4.0 points (95% interval +1.0 to +7.0, paired over 40 groups): fine-tuning is better than "
    "frozen features and is kept. It took 90 s.",
    plan="the network after layer3, for at most 3 epochs on 4 views of every image",
    gain=Interval(0.04, 0.01, 0.07),
    num_groups=40,
    seconds=90.0,
    by_fold=("linear", "fine-tuned", "fine-tuned"),
    curves=(CURVE,),
    notes=("A note.",),
)


def test_the_curves_stand_where_their_losses_say() -> None:
    svg = draw_training(CURVE, highest=1.1)
    # Epoch 2 of 3 is kept: a line at two thirds of the width.
    assert 'class="reference" x1="66.667%"' in svg
    trained = re.findall(r'class="mark a solid" cx="([\d.]+)%" cy="([\d.]+)"', svg)
    assert [float(x) for x, _ in trained] == [33.333, 66.667, 100.0]
    heights = [float(y) for _, y in trained]
    assert heights == sorted(heights)  # the loss falls, and the axis points up
    assert len(re.findall(r'class="mark b solid"', svg)) == 4
    # The largest loss stands at the top, the smaller ones where their shares of it say.
    inner = re.findall(r'class="mark b solid" cx="[\d.]+%" cy="([\d.]+)"', svg)
    assert [float(y) for y in inner] == pytest.approx(
        [200 * (1 - loss / 1.1) for loss in (1.0, 0.9, 0.7, 1.1)], abs=0.01
    )
    assert "epoch 0: training n/a, inner split 1.000" in svg


def test_without_an_inner_split_there_is_one_curve() -> None:
    epochs = tuple(
        EpochPoint(point.epoch, point.train_loss, point.train_accuracy, None, None)
        for point in CURVE.epochs
    )
    found = fine_tuning_section(
        FineTuning("not shown", "linear", False, "x.", curves=(TrainingCurve("a", 3, 1, epochs),))
    )
    assert found.drawing is not None
    assert "mark b" not in found.drawing.svg
    assert found.drawing.table.rows[0][-1] == "n/a"


def test_verdict_gain_and_cost_are_told_everywhere() -> None:
    view = fine_tuning_section(FOUND)
    assert view.sentence.startswith("+4.0 points")
    assert view.reported == (
        "The figures are of answers that had no say in this choice: for every fold the kind was "
        "chosen by the other folds (linear in 1, fine-tuned in 2 of 3)."
    )
    assert describe_reported(FineTuning("better", "stacked", True, "x.", by_fold=("stacked",))) is (
        None
    )


def test_what_was_not_tried_has_no_curve() -> None:
    found = FineTuning("not tried", "linear", False, "Not tried: the budget is too small.")
    view = fine_tuning_section(found)
    assert (view.drawing, view.plan, view.reported) == (None, "", "")
    assert "Not tried" in FINE_TUNING.absent

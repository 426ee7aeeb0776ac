from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from foveal.errors import UsageError
from foveal.visualisation import (
    Ascent,
    Channel,
    ClassLogit,
    estimate_sheet_seconds,
    plan_sheet,
    sheet_by_depth,
)

QUICK = Ascent(size_px=64, num_steps=2)


def _stage(channels_in: int, channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels, 3, 2, 1), nn.ReLU(),
        nn.Conv2d(channels, channels, 3, 1, 1), nn.ReLU(),
    )  # fmt: skip


@pytest.fixture
def model() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        _stage(3, 4), _stage(4, 6), _stage(6, 10), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(10, 5),
    )  # fmt: skip


def test_rows_are_the_first_layer_the_stages_and_the_classes(model):
    plan = plan_sheet(model, num_rows=5, ascent=QUICK)
    assert [row.layer for row in plan.rows] == ["0.1", "0.3", "1.3", "2.3", "classes"]


@pytest.mark.parametrize("num_rows", [1, 2, 3, 4, 6, 7, 20])
def test_rows_go_deeper_and_are_no_more_than_asked_for(model, num_rows):
    rows = plan_sheet(model, num_rows=num_rows, ascent=QUICK).rows
    fields = [row.receptive_field_px[0] for row in rows if row.receptive_field_px]
    assert fields == sorted(set(fields))
    assert len(rows) == min(num_rows, 7)  # six convolutions and the classes


# 3 + (3 - 1) · 2 = 7 after two; each stage doubles the step.
def test_a_convolution_with_its_norm_and_activation_is_one_layer():
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(), nn.Conv2d(4, 4, 3)
    )
    assert [row.layer for row in plan_sheet(model, ascent=QUICK).rows] == ["3", "4"]


# Fields of 3, 7, 15, 31, 63 grow by 2.33, 2.14, 2.07 and 2.03: 31 and 63 are the nearest, and
# the last layer stays.
def test_of_two_layers_that_see_alike_one_goes():
    model = nn.Sequential(*(nn.Conv2d(3 if k == 0 else 4, 4, 3, 2, 1) for k in range(5)))
    rows = plan_sheet(model, num_rows=4, ascent=QUICK).rows
    assert [row.receptive_field_px[0] for row in rows] == [3, 7, 15, 63]


def test_the_field_of_a_unit_is_told(model):
    plan = plan_sheet(model, num_rows=5, ascent=QUICK)
    assert [row.receptive_field_px for row in plan.rows[:2]] == [(3, 3), (7, 7)]


def test_units_that_see_little_are_shown_alone_in_small_pictures(model):
    rows = plan_sheet(model, num_rows=5, ascent=QUICK).rows
    assert [row.ascent.size_px for row in rows] == [32, 32, 64, 64, 64]
    assert [row.objectives[0].where for row in rows[:4]] == ["centre", "centre", "mean", "mean"]


def test_channels_are_drawn_by_the_seed(model):
    first, again = (plan_sheet(model, num_columns=3, ascent=QUICK) for _ in range(2))
    other = plan_sheet(model, num_columns=3, ascent=Ascent(size_px=64, seed=5))
    assert first == again
    assert [row.objectives for row in first.rows] != [row.objectives for row in other.rows]


def test_the_most_active_channels_on_given_images_come_first(model):
    with torch.no_grad():
        model[0][0].bias[:] = torch.tensor([0.0, 50.0, 10.0, 90.0])
    images = np.zeros((2, 3, 48, 48), np.float32)
    row = plan_sheet(model, num_rows=5, num_columns=2, ascent=QUICK, images=images).rows[0]
    assert [objective.channel for objective in row.objectives] == [3, 1]


def test_classes_carry_their_names(model):
    plan = plan_sheet(model, num_columns=5, ascent=QUICK, class_names=list("abcde"))
    assert plan.rows[-1].objectives[4] == ClassLogit(4, "e")


def test_the_sheet_holds_what_was_planned(model):
    plan = plan_sheet(model, num_rows=3, num_columns=2, ascent=QUICK)
    seen: list[tuple[int, int]] = []
    sheet = sheet_by_depth(model, plan, progress=lambda *step: seen.append(step))
    assert [[p.objective for p in row.pictures] for row in sheet.rows] == [
        list(row.objectives) for row in plan.rows
    ]
    assert seen == [(step, 6) for step in range(1, 7)]


def test_a_sheet_can_be_estimated(model):
    plan = plan_sheet(model, num_rows=2, num_columns=2, ascent=QUICK)
    assert 0 < estimate_sheet_seconds(model, plan) < 60


def test_a_network_of_one_size_alone_keeps_that_size():
    model = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.Flatten(), nn.Linear(4 * 32 * 32, 2))
    plan = plan_sheet(model, num_rows=1, ascent=QUICK)
    assert plan.rows[0].ascent.size_px == 64
    assert isinstance(plan.rows[0].objectives[0], Channel)


def test_a_network_without_maps_is_refused():
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 2))
    with pytest.raises(UsageError, match="has no layer with a map"):
        plan_sheet(model, ascent=Ascent(size_px=8))


def test_a_sheet_of_nothing_is_refused(model):
    with pytest.raises(UsageError, match="got a sheet of 0 rows and 6 columns"):
        plan_sheet(model, num_rows=0)

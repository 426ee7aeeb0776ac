"""Where to cut, what it costs, what a budget pays for."""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest
import torch
from torch import nn

from foveal.errors import UsageError
from foveal.finetuning.budget import (
    CandidateCost,
    Workload,
    choose_plan,
    make_plan,
    measure_costs,
    render_candidates,
)
from foveal.finetuning.cuts import (
    Candidate,
    _stage_ends,
    choose_candidate,
    divide,
    find_candidates,
)
from foveal.finetuning.rates import (
    make_optimizer,
    parameter_groups,
    rate_table,
    render_rates,
    share_of_rate,
)
from foveal.finetuning.settings import Recipe, read_budget
from foveal.graph import trace
from foveal.models import Backbone

SIZE = (32, 32)
WORK = Workload(num_images=100, num_fits=6, num_trained=80, has_views=True)


def test_stages_of_a_residual_network(tiny: Backbone) -> None:
    candidates, reason = find_candidates(tiny, SIZE)
    assert reason == ""
    assert [one.name for one in candidates] == ["", "conv1", "layer1", "layer2", "layer3"]
    assert [one.num_stages for one in candidates] == [5, 4, 3, 2, 1]
    assert candidates[0].macs_after == candidates[-1].macs_before + candidates[-1].macs_after


@pytest.mark.parametrize(
    ("name", "ends"),
    [
        ("resnet18", ["layer1", "layer2", "layer3"]),
        ("resnet50", ["layer1", "layer2", "layer3"]),
        ("tf_efficientnet_lite0", [*(f"blocks.{n}" for n in range(6)), "blocks"]),
    ],
)
def test_families_have_stages(load_random: Any, name: str, ends: list[str]) -> None:
    candidates, reason = find_candidates(load_random(name), (64, 64))
    assert reason == ""
    assert [one.name for one in candidates] == ["", *ends]
    trained = [one.num_trained for one in candidates]
    assert trained == sorted(trained, reverse=True)


def test_a_plain_row_of_layers_ends_a_stage_wherever_the_shape_changes() -> None:
    layers = [nn.Conv2d(3, 8, 3, 2), nn.ReLU(), nn.Conv2d(8, 8, 3, 2, 1), nn.ReLU()]
    network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2))
    ends = _stage_ends(trace(network, (3, 32, 32), mode="eval"))
    assert [tuple(point.shape[1:]) for point in ends] == [(8, 15, 15)]


def test_both_parts_together_are_the_network(tiny: Backbone) -> None:
    images = torch.randn(2, 3, *SIZE, generator=torch.Generator().manual_seed(0))
    for candidate in find_candidates(tiny, SIZE)[0]:
        division = divide(tiny, candidate, num_classes=3, size=SIZE)
        nn.init.normal_(division.network.get_classifier().weight)  # type: ignore[operator]
        with torch.inference_mode():
            expected = division.network(images)
            cut_at = images if division.part is None else division.part.network(images)
            assert torch.equal(division.suffix(cut_at), expected)
        assert tuple(cut_at.shape[1:]) == candidate.shape
        assert all(p.requires_grad for p in division.suffix.parameters())
        frozen = () if division.part is None else division.part.network.parameters()
        assert not any(p.requires_grad for p in frozen)


def test_a_network_that_cannot_be_followed_is_trained_whole(tiny: Backbone) -> None:
    class Untraceable(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images.mean((2, 3)) if float(images.sum()) > 0 else images.sum((2, 3))

    from dataclasses import replace

    candidates, reason = find_candidates(replace(tiny, network=Untraceable()), SIZE)
    assert [one.name for one in candidates] == [""]
    assert reason


@pytest.mark.parametrize(
    ("asked", "name"),
    [("all", ""), ("1-stage", "layer3"), ("2-stages", "layer2"), ("5-stages", "")],
)
def test_what_to_unfreeze_can_be_said(tiny: Backbone, asked: str, name: str) -> None:
    candidates, _ = find_candidates(tiny, SIZE)
    assert choose_candidate(tiny, candidates, asked, SIZE).name == name


def test_a_layer_is_trained_with_all_that_follows(tiny: Backbone) -> None:
    candidates, _ = find_candidates(tiny, SIZE)
    chosen = choose_candidate(tiny, candidates, "layer4", SIZE)
    assert chosen.shape == candidates[-1].shape
    division = divide(tiny, chosen, num_classes=3, size=SIZE)
    assert all(name.startswith(("layer4", "fc")) for name, _ in division.suffix.named_parameters())
    assert choose_candidate(tiny, candidates, "conv1", SIZE).name == ""


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("layr4", "Did you mean layer4"),
        ("9-stages", "from 1 to 5"),
        ("0-stages", "from 1 to 5"),
        ("", "no layer named ''"),
        ("stages", "no layer named 'stages'"),
    ],
)
def test_what_cannot_be_unfrozen_is_refused(tiny: Backbone, asked: str, said: str) -> None:
    candidates, _ = find_candidates(tiny, SIZE)
    with pytest.raises(UsageError, match=said):
        choose_candidate(tiny, candidates, asked, SIZE)


# --- budget ------------------------------------------------------------------------------


def _cost(name: str, *, prefix: float, step: float, stages: int) -> CandidateCost:
    shape = (4, 2, 2) if name else (3, 32, 32)
    return CandidateCost(Candidate(name, stages, shape, 10, 10, stages * 100), prefix, step, True)


COSTS = (
    _cost("", prefix=0.0, step=0.1, stages=3),
    _cost("a", prefix=0.001, step=0.02, stages=2),
    _cost("b", prefix=0.002, step=0.002, stages=1),
)


def test_the_cost_of_a_plan_is_its_arithmetic() -> None:
    plan = make_plan(COSTS[1], WORK, num_views=4, num_epochs=8)
    assert plan.seconds == pytest.approx(100 * 4 * 0.001 + 6 * 8 * 80 * 0.02 * 1.15)
    assert plan.bank_bytes == 100 * 4 * (4 * 2 * 2) * 2


def test_more_time_trains_more_of_the_network() -> None:
    names = [
        choose_plan(COSTS, WORK, budget_seconds=budget).cost.candidate.name
        for budget in (5.0, 100.0, 1000.0)
    ]
    assert names == ["b", "a", ""]


def test_no_plan_is_over_its_budget_and_none_wastes_it() -> None:
    for budget in (4.0, 10.0, 60.0, 120.0, 500.0, 2000.0):
        plan = choose_plan(COSTS, WORK, budget_seconds=budget)
        assert plan.seconds <= budget
        more = make_plan(plan.cost, WORK, num_views=plan.num_views, num_epochs=plan.num_epochs + 1)
        assert more.seconds > budget or plan.num_epochs == 16


def test_without_changes_one_view_is_kept() -> None:
    work = Workload(num_images=100, num_fits=6, num_trained=80, has_views=False)
    assert choose_plan(COSTS, work, budget_seconds=100.0).num_views == 1


def test_a_budget_too_small_for_anything_says_what_is_needed() -> None:
    with pytest.raises(UsageError, match=r"\(0 s\) is too small .* needs about 4 s"):
        choose_plan(COSTS, WORK, budget_seconds=0.1)


@pytest.mark.parametrize("num_images", [100, 5_000, 100_000])
@pytest.mark.parametrize("spent", [0.0, 7.0, 900.0])
def test_the_budget_that_is_proposed_is_enough(num_images: int, spent: float) -> None:
    work = Workload(num_images=num_images, num_fits=6, num_trained=num_images, has_views=True)
    with pytest.raises(UsageError) as refused:
        choose_plan(COSTS, work, budget_seconds=0.1, spent_seconds=spent)
    proposed = re.search(r"--budget (\S+),", str(refused.value))
    assert proposed is not None
    left = read_budget(proposed[1]) - spent
    assert choose_plan(COSTS, work, budget_seconds=left).seconds <= left


@pytest.mark.parametrize("text", ["", "5 minutes", "-3m", "0s", "nan", "5d", "1e3", "1e99h"])
def test_a_wrong_budget_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="a time such as 90s, 5m or 1h was expected"):
        read_budget(text)


def test_costs_are_measured_by_the_clock_that_is_given(tiny: Backbone) -> None:
    ticks = itertools.count()
    candidates, _ = find_candidates(tiny, SIZE)
    costs = measure_costs(
        tiny,
        candidates,
        size=SIZE,
        num_classes=3,
        images_per_second=10.0,
        clock=lambda: next(ticks) / 64,
    )
    assert all(cost.step_seconds == 1 / 64 / 8 for cost in costs)
    assert costs[0].prefix_seconds == 0
    assert costs[-1].prefix_seconds == pytest.approx(
        candidates[-1].macs_before / candidates[0].macs_after / 10.0
    )


def test_what_takes_too_long_to_measure_is_scaled(tiny: Backbone) -> None:
    ticks = itertools.count()
    candidates, _ = find_candidates(tiny, SIZE)
    costs = measure_costs(
        tiny,
        candidates,
        size=SIZE,
        num_classes=3,
        images_per_second=10.0,
        clock=lambda: float(next(ticks)),
    )
    assert [cost.is_measured for cost in costs] == [False] * 4 + [True]
    assert costs[0].step_seconds == pytest.approx(
        candidates[0].macs_after / candidates[-1].macs_after / 8
    )


def test_the_table_shows_every_candidate_and_marks_the_chosen() -> None:
    plan = choose_plan(COSTS, WORK, budget_seconds=100.0)
    lines = render_candidates(COSTS, plan, WORK).splitlines()
    assert len(lines) == 4
    assert [line.startswith(" →") for line in lines] == [False, False, True, False]
    assert all(len(line) <= 80 for line in lines)


# --- rates -------------------------------------------------------------------------------


def test_rates_grow_with_depth_and_only_weights_decay(kit: Any) -> None:
    division, recipe = kit.divide(num_stages=2), Recipe()
    groups = parameter_groups(division.suffix, division.depths, recipe)
    named = {id(p): name for name, p in division.suffix.named_parameters()}
    rate = {named[id(p)]: group["lr"] for group in groups for p in group["params"]}
    decayed = {named[id(p)] for g in groups if g["weight_decay"] for p in g["params"]}
    assert len(rate) == len(named)
    assert max(rate.values()) == pytest.approx(recipe.head_rate)
    assert rate["fc.weight"] == pytest.approx(recipe.head_rate)
    assert rate["layer3.0.conv1.weight"] < rate["layer4.0.conv1.weight"] < rate["fc.weight"]
    assert all("bn" not in name and not name.endswith("bias") for name in decayed)
    assert {"fc.weight", "layer4.0.conv1.weight"} <= decayed


def test_the_first_layer_has_the_first_rate(kit: Any) -> None:
    division = kit.divide(num_stages=5)
    rows = rate_table(division.suffix, division.depths, Recipe())
    assert rows[0].low == pytest.approx(1e-5)
    assert rows[-1].high == pytest.approx(1e-3)
    assert sum(row.num_parameters for row in rows) == sum(
        p.numel() for p in division.suffix.parameters()
    )
    assert "learning rate" in render_rates(rows)


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_the_optimizer_is_the_one_that_was_named(kit: Any, name: Any) -> None:
    division, recipe = kit.divide(), Recipe(optimizer=name)
    groups = parameter_groups(division.suffix, division.depths, recipe)
    assert type(make_optimizer(groups, recipe)).__name__.lower() == name


def test_the_schedule_rises_and_falls() -> None:
    shares = [share_of_rate(step, 100, 0.1) for step in range(101)]
    assert shares[:10] == pytest.approx([0.1 * n for n in range(1, 11)])
    assert all(a >= b for a, b in itertools.pairwise(shares[10:]))
    assert shares[100] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    "wrong",
    [
        {"num_epochs": 0},
        {"head_rate": float("nan")},
        {"head_rate": -1.0},
        {"dropout": 1.0},
        {"first_rate": 1.0},
        {"optimizer": "adam"},
        {"inner_share": 0.9},
        {"num_seeds": 0},
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Recipe(**wrong)

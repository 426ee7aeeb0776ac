"""The model and its surroundings are left exactly as they were found."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from foveal.errors import ModelError
from foveal.visualisation import (
    Ascent,
    Channel,
    ClassLogit,
    estimate_seconds,
    maximise,
    maximise_each,
    plan_sheet,
    sheet_by_depth,
)

QUICK = Ascent(size_px=32, num_steps=3)


@pytest.fixture
def model() -> nn.Sequential:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.Dropout(0.5),
        nn.Conv2d(8, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3),
    ).train()  # fmt: skip
    model[1].eval()  # a frozen batch norm in a model in training
    model[4].weight.requires_grad_(False)
    model[0].weight.grad = torch.ones_like(model[0].weight)
    model[2].register_forward_hook(lambda module, args, result: None)
    return model


def _state(model: nn.Module) -> dict[str, Any]:
    return {
        "modes": [module.training for module in model.modules()],
        "hooks": [len(module._forward_hooks) for module in model.modules()],
        "identity": [id(tensor) for tensor in model.state_dict(keep_vars=True).values()],
        "values": [tensor.tolist() for tensor in model.state_dict().values()],
        "trainable": [parameter.requires_grad for parameter in model.parameters()],
        "gradients": [
            None if parameter.grad is None else parameter.grad.tolist()
            for parameter in model.parameters()
        ],
        "random": torch.get_rng_state().tolist(),
    }


@pytest.mark.parametrize(
    "work",
    [
        lambda model: maximise(model, Channel("5", 1), ascent=QUICK),
        lambda model: maximise_each(model, [ClassLogit(0), ClassLogit(2, "c")], ascent=QUICK),
        lambda model: estimate_seconds(model, [ClassLogit(0)], ascent=QUICK),
        lambda model: sheet_by_depth(model, plan_sheet(model, num_columns=2, ascent=QUICK)),
    ],
    ids=["maximise", "classes", "estimate", "sheet"],
)
def test_nothing_is_changed(model, work):
    before = _state(model)
    work(model)
    assert _state(model) == before


def test_nothing_is_changed_by_an_error(model):
    with torch.no_grad():
        model[9].bias[0] = float("inf")
    before = _state(model)
    with pytest.raises(ModelError, match="is inf at step 0"):
        maximise(model, ClassLogit(0), ascent=QUICK)
    assert _state(model) == before


def test_nothing_is_changed_by_an_interruption(model):
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    before = _state(model)
    with pytest.raises(KeyboardInterrupt):
        maximise(model, ClassLogit(0), ascent=QUICK, progress=stop)
    assert _state(model) == before


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_gradients_may_be_switched_off_around_it(model, context):
    outside = maximise(model, ClassLogit(1), ascent=QUICK)
    with context():
        inside = maximise(model, ClassLogit(1), ascent=QUICK)
    assert (inside.image == outside.image).all()


def test_a_frozen_model_is_climbed(model):
    free = maximise(model, ClassLogit(1), ascent=QUICK)
    frozen = maximise(model.requires_grad_(False), ClassLogit(1), ascent=QUICK)
    assert (frozen.image == free.image).all()

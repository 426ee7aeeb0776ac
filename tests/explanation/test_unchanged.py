"""The model is left exactly as it was found, also after an error."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from foveal.errors import FovealError
from foveal.explanation import Explainer, explain
from foveal.explanation.methods import METHODS as ALL_METHODS
from foveal.graph import trace

METHODS = tuple(method.name for method in ALL_METHODS if method.run is None)


class Restless(nn.Module):
    """Does much to itself in a forward pass, in either mode."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Dropout(0.5)
        )
        self.head = nn.Linear(4, 2)
        self.fails = False
        self.register_buffer("num_calls", torch.zeros(()))
        self.seen: list[Any] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.num_calls += 1
        self.seen.append(x)
        self.left_over = x
        random.random()
        np.random.rand()
        torch.rand(3)
        y = self.body(x)
        if self.fails:
            raise RuntimeError("stumbled")
        return self.head(torch.relu(y).mean((2, 3)))


def state_of(model: nn.Module) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path, module in model.named_modules():
        found[f"{path}.training"] = module.training
        found[f"{path}.stores"] = [
            list(store)
            for store in (
                module.__dict__,
                module._forward_hooks,
                module._forward_pre_hooks,
                module._backward_hooks,
            )
        ]
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        grad = None if tensor.grad is None else tensor.grad.tolist()
        found[name] = (id(tensor), tensor.tolist(), tensor.requires_grad, grad, id(tensor.grad))
    return found


def surroundings() -> tuple[Any, ...]:
    return (
        random.getstate(),
        [str(part) for part in np.random.get_state()],
        torch.get_rng_state().tolist(),
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.overrides._len_torch_function_stack(),
        len(nn.modules.module._global_forward_hooks),
    )


def make() -> Restless:
    torch.manual_seed(0)
    model = Restless().train()
    model.body[1].eval()
    model.body[0].weight.requires_grad_(False)
    model.head.weight.grad = torch.ones(2, 4)
    model.head.register_forward_hook(lambda *args: None)
    return model


@pytest.mark.parametrize("layer", [None, "body.1", "body.0"])
@pytest.mark.parametrize("method", METHODS[1:])
def test_explaining_changes_nothing(method, layer):
    model = make()
    images = torch.rand(2, 3, 8, 8)
    before, around, kept = state_of(model), surroundings(), images.clone()

    explain(model, images, classes="all", method=method, layer=layer)

    assert state_of(model) == before
    assert surroundings() == around
    assert torch.equal(images, kept)
    assert images.grad is None


@pytest.mark.parametrize("layer", [None, "body.1"])
def test_an_error_in_the_model_changes_nothing(layer):
    model, images = make(), torch.rand(2, 3, 8, 8)
    explainer = Explainer(model, graph=trace(model, (3, 8, 8), mode="eval"))
    model.fails = True
    before, around = state_of(model), surroundings()

    with pytest.raises(RuntimeError, match="stumbled"):
        explainer.explain(images, layer=layer)

    assert state_of(model) == before
    assert surroundings() == around


@pytest.mark.parametrize(
    "wrong", [{"classes": 9}, {"layer": "head"}, {"layer": "bod"}, {"method": "gradcam"}]
)
def test_a_wrong_request_changes_nothing(wrong):
    model, images = make(), torch.rand(2, 3, 8, 8)
    before, around = state_of(model), surroundings()

    with pytest.raises(FovealError):
        explain(model, images, **wrong)

    assert state_of(model) == before
    assert surroundings() == around


def test_the_next_training_step_is_what_it_would_have_been(net, images):
    net.train()
    torch.manual_seed(1)
    expected = net(images)
    state = {name: value.clone() for name, value in net.state_dict().items()}
    net.load_state_dict(state)

    torch.manual_seed(1)
    Explainer(net).explain(images)

    assert torch.equal(net(images), expected)

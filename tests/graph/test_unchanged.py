"""The model, its surroundings and the random state are left exactly as they were found."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.nn.modules import module as module_hooks
from torch.nn.utils import weight_norm

from foveal.errors import TraceError
from foveal.graph import cut, trace
from foveal.graph.cut_points import cut_points


class Restless(nn.Module):
    """Does everything to itself that a forward pass should not do."""

    def __init__(self, failure: str) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.drop = nn.Dropout(0.5)
        self.failure = failure
        self.register_buffer("calls", torch.zeros(()))
        self.register_buffer("scratch", torch.zeros(1, 4, 6, 6))
        self.cache: dict[str, torch.Tensor] = {"old": torch.ones(1)}
        self.seen: list[Any] = [1]
        self.plain = torch.full((1,), 3.0)

    def forward(self, x):
        self.calls += 1
        self.calls = self.calls + 1
        self.scratch.fill_(7.0)
        self.conv.weight.add_(1.0)
        self.plain.mul_(2.0)
        self.cache["new"] = x
        self.cache["old"] = x
        self.seen.append(x)
        self.left_over = x
        self.eval()
        self.conv.weight.requires_grad_(False)
        random.random()
        np.random.rand()
        torch.rand(3)
        y = self.drop(self.norm(self.conv(x)))
        y = functional.dropout(y, 0.3, training=True)
        if self.failure == "error":
            raise RuntimeError("stumbled")
        if self.failure == "data" and y.sum() > 0:
            return y
        return y * self.plain


def everything(model: nn.Module) -> dict[str, Any]:
    """Takes down what an observer could tell about a model, values included."""
    found: dict[str, Any] = {}
    for path, module in model.named_modules():
        found[f"{path}.training"] = module.training
        found[f"{path}.names"] = [
            list(store)
            for store in (
                module.__dict__,
                module._parameters,
                module._buffers,
                module._modules,
                module._forward_hooks,
                module._forward_pre_hooks,
                module._backward_hooks,
            )
        ]
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        found[name] = (id(tensor), tensor.detach().clone().tolist(), tensor.device.type)
        found[f"{name}.more"] = (id(tensor.grad), tensor.requires_grad, tensor._version)
    return found


def surroundings() -> dict[str, Any]:
    return {
        "python": random.getstate(),
        "numpy": [str(part) for part in np.random.get_state()],
        "torch": torch.get_rng_state().tolist(),
        "gradients": torch.is_grad_enabled(),
        "hooks": (
            len(module_hooks._global_forward_hooks),
            len(module_hooks._global_forward_pre_hooks),
        ),
        "modes": torch.overrides._len_torch_function_stack()
        if hasattr(torch.overrides, "_len_torch_function_stack")
        else 0,
    }


def make(failure: str) -> Restless:
    model = Restless(failure).train()
    model.norm.eval()
    model.conv.bias.grad = torch.ones(4)
    model.conv.register_forward_hook(lambda *args: None)
    return model


@pytest.mark.parametrize("failure", ["none", "error", "data"])
@pytest.mark.parametrize("mode", ["as found", "eval", "train"])
def test_tracing_changes_nothing(failure, mode):
    model = make(failure)
    # Lending flips requires_grad of a real tensor, which no shadow can hide.
    model.conv.weight.requires_grad_(False)
    before, around = everything(model), surroundings()

    if failure == "error":
        with pytest.raises(TraceError, match="stumbled"):
            trace(model, (3, 8, 8), mode=mode)
    else:
        trace(model, (3, 8, 8), mode=mode)

    assert everything(model) == before
    assert surroundings() == around


def test_containers_keep_their_contents_and_identity():
    model = make("none")
    cache, seen, old = model.cache, model.seen, model.cache["old"]

    trace(model, (3, 8, 8))

    assert model.cache is cache
    assert model.seen is seen
    assert list(cache) == ["old"]
    assert cache["old"] is old
    assert seen == [1]
    assert model.plain.tolist() == [3.0]
    assert not hasattr(model, "left_over")


def test_weights_that_hooks_compute_stay_what_they_were():
    with pytest.warns(FutureWarning, match="weight_norm"):
        model = nn.Sequential(weight_norm(nn.Conv2d(3, 4, 3)))
    weight = model[0].weight

    graph = trace(model, (3, 8, 8))

    assert model[0].weight is weight
    assert graph.ops[0].parameters == ("0.weight_v", "0.weight_g", "0.bias")


def test_the_next_forward_pass_is_what_it_would_have_been():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5)).train()
    image = torch.rand(2, 3, 8, 8)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    torch.manual_seed(1)
    expected = model(image)
    model.load_state_dict(state)
    torch.manual_seed(1)

    trace(model, (3, 8, 8))

    assert torch.equal(model(image), expected)


def test_cutting_changes_nothing():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout()).train()
    model[1].eval()
    graph = trace(model, (3, 8, 8))
    before, around = everything(model), surroundings()

    for point in cut_points(graph):
        cut(model, graph, point)

    assert everything(model) == before
    assert surroundings() == around


def test_models_on_the_meta_device_stay_there():
    with torch.device("meta"):
        model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))

    graph = trace(model, (3, 8, 8))

    assert {p.device.type for p in model.parameters()} == {"meta"}
    assert graph.op("1").buffers == ("1.running_mean", "1.running_var")


def test_training_on_a_changed_flag_is_not_called():
    class Merges(nn.Linear):
        """Rewrites its weights when the mode changes, as some adapters do."""

        def train(self, mode: bool = True):
            self.weight.data.fill_(0.0)
            return super().train(mode)

    model = nn.Sequential(Merges(4, 4))
    weight = model[0].weight.clone()

    trace(model, (1, 4), mode="eval")

    assert torch.equal(model[0].weight, weight)


def test_tracing_leaves_no_global_hook_for_torch_compile_to_warn_of() -> None:
    trace(nn.Conv2d(3, 4, 3), (3, 8, 8))
    assert not module_hooks._has_any_global_hook()

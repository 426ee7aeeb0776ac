"""What every operation promises: the given model stays, the new one shares nothing with it."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import nn

import foveal.models.surgery as surgery
from foveal.errors import ModelError, TraceError

SHAPE = (3, 24, 24)
OPERATIONS: dict[str, Callable[[nn.Module], nn.Module]] = {
    "replace_head": lambda model: surgery.replace_head(model, 3, input_shape=SHAPE),
    "freeze_to": lambda model: surgery.freeze_to(model, "block2", input_shape=SHAPE),
    "dilate": lambda model: surgery.dilate(model, 2, input_shape=SHAPE),
    "fold_batch_norm": lambda model: surgery.fold_batch_norm(model, input_shape=SHAPE),
    "separate": lambda model: surgery.separate(model),
}


@pytest.fixture(params=list(OPERATIONS))
def operate(request: pytest.FixtureRequest) -> Callable[[nn.Module], nn.Module]:
    return OPERATIONS[request.param]


def look(model: nn.Module) -> list[object]:
    """Everything of a model that an operation could change, values aside."""
    return [
        (path, type(module), module.training, repr(module), sorted(module.__dict__))
        for path, module in model.named_modules()
    ] + [(name, p.requires_grad, p.data_ptr()) for name, p in model.named_parameters()]


def test_the_given_model_is_as_before(operate, resnet) -> None:
    resnet.train()
    resnet.block3.eval()
    before, values = look(resnet), copy.deepcopy(resnet.state_dict())
    operate(resnet)
    assert look(resnet) == before
    assert all(torch.equal(value, values[name]) for name, value in resnet.state_dict().items())


def test_nothing_is_shared(operate, resnet) -> None:
    changed = operate(resnet)
    owned = {tensor.data_ptr() for tensor in resnet.state_dict().values()}
    assert not [k for k, tensor in changed.state_dict().items() if tensor.data_ptr() in owned]


def test_the_random_state_is_not_touched(operate, resnet) -> None:
    torch.manual_seed(7)
    state = torch.get_rng_state()
    operate(resnet)
    assert torch.equal(torch.get_rng_state(), state)


def test_the_same_call_gives_the_same_network(operate, resnet) -> None:
    first, second = (operate(resnet).state_dict() for _ in range(2))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_it_works_without_weights(operate, resnet) -> None:
    changed = operate(copy.deepcopy(resnet).to("meta"))
    assert changed(torch.zeros(2, *SHAPE, device="meta")).shape[0] == 2


def test_the_result_can_be_copied(operate, resnet) -> None:
    changed = operate(resnet).eval()
    x = torch.randn(2, *SHAPE)
    assert torch.equal(copy.deepcopy(changed)(x), changed(x))


def test_a_model_that_cannot_be_copied_is_named(resnet) -> None:
    resnet.kept = resnet(torch.randn(1, *SHAPE))
    with pytest.raises(ModelError, match="SmallResNet cannot be copied"):
        surgery.separate(resnet)


def test_an_input_that_does_not_fit_is_refused(resnet) -> None:
    with pytest.raises(TraceError):
        surgery.fold_batch_norm(resnet, input_shape=(1, 24, 24))


def test_the_public_names_are_the_surface() -> None:
    public = {
        name
        for name, value in vars(surgery).items()
        if not name.startswith("_") and getattr(value, "__module__", "").startswith("foveal")
    }
    assert public == set(surgery.__all__)

"""The model is left exactly as found by everything that looks at it."""

from __future__ import annotations

import copy
import random

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from foveal.explanation import (
    ablation_maps,
    input_gradients,
    judge_maps,
    occlusion_maps,
)


class Counting(nn.Module):
    """Remembers how often it was called, in a buffer, in any mode."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, values: Tensor) -> Tensor:
        self.calls += 1
        return values


def _network() -> nn.Sequential:
    """In training mode, but for one frozen norm; with a gradient, a hook and dropout."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), Counting(),
        nn.Dropout(0.5), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3),
    )  # fmt: skip
    model[1].eval()
    model[7].weight.grad = torch.ones(3, 4)
    model[0].weight.requires_grad_(False)
    model[2].register_forward_hook(lambda *_: None)
    return model


def _images() -> Tensor:
    return torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(0))


def _judge(model: nn.Module) -> None:
    def remake(model, images, classes):
        pairs = zip(images, classes, strict=True)
        return [input_gradients(model, image[None], classes=k)[0][0] for image, k in pairs]

    maps = remake(model, _images(), [0, 1])
    judge_maps(model, _images(), maps, effort="full", remake=remake)


def _fail(model: nn.Module) -> None:
    def raising(*_: object) -> None:
        raise KeyError

    maps = [found for (found,) in input_gradients(model, _images(), num_samples=1)]
    with pytest.raises(KeyError):
        judge_maps(model, _images(), maps, effort="full", remake=raising)


LOOKS = (
    pytest.param(lambda model: occlusion_maps(model, _images()), id="occlusion"),
    pytest.param(lambda model: input_gradients(model, _images()), id="input gradients"),
    pytest.param(lambda model: ablation_maps(model, _images()), id="ablation"),
    pytest.param(_judge, id="judging"),
    pytest.param(_fail, id="an error while judging"),
)


def _state(model: nn.Module) -> dict[str, object]:
    return {
        "modes": [module.training for module in model.modules()],
        "hooks": [len(module._forward_hooks) for module in model.modules()],
        "pre-hooks": [len(module._forward_pre_hooks) for module in model.modules()],
        "needs gradient": [parameter.requires_grad for parameter in model.parameters()],
        "identity": [id(tensor) for tensor in (*model.parameters(), *model.buffers())],
        "gradients": [p.grad if p.grad is None else p.grad.tolist() for p in model.parameters()],
        "values": {name: value.tolist() for name, value in model.state_dict().items()},
        "random": (random.getstate(), torch.get_rng_state().tolist()),
        "numpy": np.random.get_state()[1].tolist(),
    }


@pytest.mark.parametrize("look", LOOKS)
def test_model_is_as_before(look):
    model = _network()
    before = copy.deepcopy(_state(model))
    before["identity"] = _state(model)["identity"]
    look(model)
    assert _state(model) == before


@pytest.mark.parametrize("look", LOOKS)
def test_images_are_as_before(look, monkeypatch):
    images = _images()
    monkeypatch.setitem(globals(), "_images", lambda: images)
    before = images.clone()
    look(_network())
    assert images.equal(before)


def test_what_is_explained_is_the_network_that_predicts():
    model = _network()
    found = occlusion_maps(model, _images(), classes=0)
    expected = [float(row[0]) for row in copy.deepcopy(model).eval()(_images()).detach()]
    assert [one.logit for (one,) in found] == pytest.approx(expected, abs=1e-6)

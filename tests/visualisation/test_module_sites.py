"""Networks that cannot be traced are still climbed, by their modules."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from foveal.errors import ModelError, TraceError, UsageError
from foveal.visualisation import Ascent, Channel, ClassLogit, maximise, plan_sheet

QUICK = Ascent(size_px=16, num_steps=12)


class Moody(nn.Module):
    """Branches on what is in the picture, so it has no one graph."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.relu = nn.ReLU(inplace=True)
        self.unused = nn.Conv2d(4, 4, 1)
        self.fc = nn.Linear(4, 3)

    def forward(self, x):
        x = self.relu(self.conv(x))
        if x.sum() < -1e9:
            x = self.unused(x)
        return self.fc(x.mean((2, 3)))


@pytest.fixture
def model() -> Moody:
    torch.manual_seed(0)
    return Moody()


@pytest.mark.parametrize(
    ("objective", "target", "reason"),
    [
        (Channel("conv", 1), "conv", "it is the result of the module named"),
        (Channel("relu", 1), "relu", "it goes into the activation 'relu'"),
        (ClassLogit(2), "output", "it is the network's output"),
    ],
)
def test_modules_and_classes_can_be_sought(model, objective, target, reason):
    found = maximise(model, objective, ascent=QUICK)
    assert (found.target, found.target_reason) == (target, reason)
    assert found.last > found.first


# The activation is read from below, so both are the same tensor.
def test_an_activation_is_read_before_it_overwrites_its_input(model):
    conv, relu = (maximise(model, Channel(layer, 2), ascent=QUICK) for layer in ("conv", "relu"))
    assert (conv.image == relu.image).all()


def test_no_hook_stays(model):
    maximise(model, Channel("conv", 0), ascent=QUICK)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        (Channel("conf", 0), r"no module named 'conf'.*tracing stopped at(.|\n)*Did you mean conv"),
        (Channel("conv", 9), "'conv' has 4 channels; there is no channel 9"),
        (ClassLogit(3), "'output' has 3 classes; there is no class 3"),
    ],
)
def test_what_is_not_there_is_named(model, objective, message):
    with pytest.raises(UsageError, match=message):
        maximise(model, objective, ascent=QUICK)


def test_a_module_that_is_not_called_is_told(model):
    with pytest.raises(ModelError, match="no tensor passed 'unused' of Moody"):
        maximise(model, Channel("unused", 0), ascent=QUICK)


def test_a_sheet_needs_the_whole_graph(model):
    with pytest.raises(TraceError, match="a sheet by depth needs the whole graph of Moody"):
        plan_sheet(model, ascent=QUICK)

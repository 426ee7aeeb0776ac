from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from foveal.errors import ModelError, UsageError
from foveal.graph import trace
from foveal.visualisation import Channel, ClassLogit, Direction
from foveal.visualisation.targets import channel_means, find_target, read_values


class Branched(nn.Module):
    """A residual sum into a functional ReLU, then a classifier that ends in softmax."""

    def __init__(self) -> None:
        super().__init__()
        self.left = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        self.right = nn.Conv2d(3, 4, 1)
        self.fc = nn.Linear(4, 5)

    def forward(self, x):
        x = functional.dropout(functional.relu(self.left(x) + self.right(x)), training=False)
        return torch.softmax(self.fc(x.mean((2, 3))), dim=1)


@pytest.fixture(scope="module")
def graph():
    return trace(Branched().eval(), (3, 16, 16))


@pytest.mark.parametrize(
    ("layer", "target", "reason"),
    [
        ("right", "right", "it is the layer named"),
        ("left.2", "left.1", "it goes into the activation 'left.2'"),
        ("left", "left.1", "it goes into the activation 'left.2'"),
        ("relu", "add", "it goes into the activation 'relu'"),
        ("dropout", "add", "it goes into the activation 'relu'"),
        ("fc", "fc", "it is the layer named"),
    ],
)
def test_the_tensor_before_the_activation_is_read(graph, layer, target, reason):
    found = find_target(graph, Channel(layer, 0))
    assert (found.name, found.reason) == (target, reason)


def test_a_module_stands_for_its_last_operation(graph):
    plain = trace(nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 3))), (3, 9, 9))
    found = find_target(plain, Channel("0", 0))
    assert (found.name, found.reason) == ("0.1", "it is the layer's last operation")


def test_a_class_is_read_before_the_softmax(graph):
    found = find_target(graph, ClassLogit(4))
    assert (found.name, found.reason) == ("fc", "it is what the softmax 'softmax' reads")


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        (Channel("lefd", 0), r"named 'lefd'\.\nDid you mean left"),
        (Channel("xyzzy", 0), r"named 'xyzzy'\.\nIts last map is 'dropout'"),
        (Channel("right", 4), r"'right' has 4 channels; there is no channel 4\.\nChoose .* 0 to 3"),
        (Channel("right", -1), "there is no channel -1"),
        (ClassLogit(5), "'fc' has 5 classes; there is no class 5"),
        (Direction("right", (1.0, 0.0)), "2 weights, expected 4: one for each channel of 'right'"),
        (Channel("fc", 0, "centre"), "'fc' has no positions, so it has no centre"),
    ],
)
def test_what_is_not_there_is_named(graph, objective, message):
    with pytest.raises(UsageError, match=message):
        find_target(graph, objective)


def test_tokens_are_refused_with_the_nearest_map():
    tokens = nn.Sequential(nn.Conv2d(3, 4, 2, 2), nn.Flatten(2), nn.Linear(64, 8))
    with pytest.raises(UsageError, match=r"neither a map nor a vector.*\n.*before it is 0"):
        find_target(trace(tokens, (3, 16, 16)), Channel("2", 0))


def test_places_in_the_batch_are_refused():
    class Windows(nn.Module):
        def forward(self, x):
            return x.reshape(4, 3, 8, 8) + 1

    with pytest.raises(UsageError, match=r"neither a map nor a vector: its result is \(4, 3, 8, 8"):
        find_target(trace(Windows(), (3, 16, 16)), Channel("add", 0))


def test_an_output_without_picture_is_told():
    class Constant(nn.Module):
        def forward(self, x):
            return torch.ones(1, 3)

    with pytest.raises(ModelError, match="does not depend on the picture"):
        find_target(trace(Constant(), (3, 8, 8)), ClassLogit(0))


@pytest.mark.parametrize("weights", [(0.0, 0.0), (1.0, float("nan"))])
def test_a_direction_that_is_none_is_refused(weights):
    with pytest.raises(UsageError, match="all zero or not all finite"):
        Direction("layer", weights)


def test_channels_last_are_found():
    class Last(nn.Module):
        def forward(self, x):
            return (x * 2).permute(0, 2, 3, 1) + 1

    graph = trace(Last(), (3, 16, 24))
    target = find_target(graph, Channel("add", 2))
    picture = torch.zeros(1, 3, 16, 24)
    picture[0, 2] = 5
    assert target.num_channels == 3
    assert channel_means(Last()(picture), target).tolist() == [[1, 1, 11]]


# Of one map of three places: 4, -10 and 3.
@pytest.mark.parametrize(
    ("objective", "value"),
    [
        (Channel("conv", 0), (4 - 0.1 * 10 + 3) / 3),
        (Channel("conv", 0, sign="least"), (10 - 0.1 * 4 - 0.1 * 3) / 3),
        (Channel("conv", 0, "centre"), -10),
        (Channel("conv", 0, "centre", "least"), 10),
        (Direction("conv", (3.0, 4.0), "centre"), (3 * -10 + 4 * 5) / 5),
        (ClassLogit(0), (4 - 10 + 3) / 3),
    ],
)
def test_values_are_read_as_defined(objective, value):
    conv = nn.Sequential()
    conv.add_module("conv", nn.Conv2d(2, 2, 1))
    target = find_target(trace(conv, (2, 1, 3)), Channel("conv", 0))
    result = torch.tensor([[[[4.0, -10.0, 3.0]], [[0.0, 5.0, 0.0]]]])
    assert read_values(result, target, (objective,)).tolist() == pytest.approx([value])

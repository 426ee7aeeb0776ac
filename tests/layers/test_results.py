"""The result of a layer in a real pass: read, replaced, and reached without what follows."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from foveal.errors import ModelError
from foveal.graph import trace
from foveal.inspection import effective_receptive_field, inspect
from foveal.layers import (
    UpTo,
    find_layer,
    find_map,
    find_site,
    first_reached,
    predicting,
    result_at,
    result_replaced,
)

SHAPE = (3, 8, 8)


class Chunked(nn.Module):
    """Doubles its channels, and reads the halves apart; counts how often it gets to its end."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.linear = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(2, 2)
        self.ends = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first, second = self.conv(x).chunk(2, 1)
        x = first.sigmoid() * second.relu()
        self.ends += 1
        return self.linear(x.mean((2, 3)))


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(2, *SHAPE, generator=torch.Generator().manual_seed(0))


def test_each_tensor_of_a_function_with_several_is_had(images):
    model = Chunked().eval()
    graph = trace(model, SHAPE)
    op = graph.op("chunk")

    found = [result_at(model, find_site(graph, op, output=index), images) for index in (0, 1)]

    expected = model.conv(images).chunk(2, 1)
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


def test_one_tensor_of_several_is_replaced_alone(images):
    model = Chunked().eval()
    graph = trace(model, SHAPE)
    site = find_site(graph, graph.op("chunk"), output=1)

    with result_replaced(model, site, len(images), torch.zeros_like):
        found = model(images)

    assert torch.equal(found, model.linear.bias.expand(2, -1))


def test_what_follows_the_layer_is_not_run_once_the_calls_are_known(images):
    model = Chunked().eval()
    up_to = UpTo(model, find_layer(model, trace(model, SHAPE), "sigmoid").site)
    model.ends = 0

    first, second = up_to(images), up_to(images)

    assert torch.equal(first, second)
    assert model.ends == 1


def test_what_follows_a_module_is_never_run(images):
    model = Chunked().eval()
    up_to = UpTo(model, find_layer(model, trace(model, SHAPE), "conv").site)
    model.ends = 0

    up_to(images)

    assert model.ends == 0


class Wavering(nn.Module):
    """Calls a function once more when its switch is on."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.twice = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(x).relu()
        return (x.relu() if self.twice else x).mean((2, 3))


def test_other_calls_than_were_traced_are_refused(images):
    model = Wavering().eval()
    site = find_layer(model, trace(model, SHAPE), "relu").site
    model.twice = True

    with pytest.raises(ModelError, match="made 2 of the calls looked for, but 1 when traced"):
        result_at(model, site, images)


class ChannelsLast(nn.Module):
    """A map [N, H, W, C] in the middle, as in Swin."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 6, 4, 4), nn.LayerNorm(6)
        self.linear = nn.Linear(6, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.conv(x).permute(0, 2, 3, 1))
        return self.linear(x.mean((1, 2)))


def test_a_map_with_its_channels_last_is_read_as_such():
    torch.manual_seed(0)
    model = ChannelsLast().eval()
    with predicting(model) as lent:
        layer = find_map(lent, trace(lent, (3, 32, 24)), "norm")
        found = layer.channels_first(result_at(lent, layer.layer.site, torch.rand(1, 3, 32, 24)))

    assert (layer.position_dims, layer.grid) == ((1, 2), (8, 6))
    assert tuple(found.shape) == (1, 6, 8, 6)


def test_the_effective_field_of_channels_last_is_that_of_one_position():
    torch.manual_seed(0)
    model = ChannelsLast().eval()
    found = effective_receptive_field(model, inspect(model, (3, 32, 24)), at="norm", num_images=2)

    # Patches of 4 x 4 do not overlap: position (4, 3) sees rows 16 to 19 and columns 12 to 15.
    rows, columns = found.strength.nonzero()
    assert (found.unit, rows.min(), rows.max()) == ((4, 3), 16, 19)
    assert (columns.min(), columns.max()) == (12, 15)


class Forgiving(nn.Module):
    """Swallows every error of its first half, as some networks with optional parts do."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.other = nn.BatchNorm2d(3), nn.BatchNorm2d(3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        try:
            x = self.norm(x)
        except Exception:
            x = -x
        return self.other(x).mean((2, 3))


def test_no_model_swallows_what_ends_its_forward_pass(images):
    model = Forgiving().eval()

    path, given = first_reached(model, ["other", "norm"], images) or ("", images)
    assert (path, torch.equal(given, images)) == ("norm", True)
    assert torch.equal(
        result_at(model, find_layer(model, trace(model, SHAPE), "norm").site, images),
        model.norm(images),
    )
    assert not any(module._forward_pre_hooks for module in model.modules())

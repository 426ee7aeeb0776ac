"""Where the cells of a layer lie: by hand, and found again by planted patches."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from foveal.explanation.cell_centres import even_centres
from foveal.explanation.measured_centres import field_centres, find_centres
from foveal.graph import Graph, head, trace

SIZE = (128, 128)


def network(padding: tuple[int, int, int, int]) -> nn.Module:
    """Four strided convolutions with the same padding before each."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for number in range(4):
        layers += [nn.ZeroPad2d(padding), nn.Conv2d(3 if number == 0 else 48, 48, 3, 2), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(48, 2)).eval()


def traced(model: nn.Module) -> tuple[Graph, str]:
    graph = trace(model, (3, *SIZE))
    layer = head(graph).features
    assert layer is not None
    return graph, layer


@pytest.mark.parametrize(
    ("padding", "first"),
    [
        ((1, 1, 1, 1), 0.0),
        # Zeros after the image alone: each layer moves the centre by its stride so far.
        ((0, 1, 0, 1), 1.0 + 2.0 + 4.0 + 8.0),
    ],
)
def test_the_fields_centres_follow_the_padding(
    padding: tuple[int, int, int, int], first: float
) -> None:
    found = field_centres(*traced(network(padding)), (8, 8), SIZE)
    assert found.rows.tolist() == [first + 16 * cell for cell in range(8)]


@pytest.mark.parametrize("padding", [(1, 1, 1, 1), (0, 1, 0, 1), (0, 1, 1, 1)])
def test_planted_patches_find_the_centres_that_the_padding_gives(
    padding: tuple[int, int, int, int],
) -> None:
    model = network(padding)
    graph, layer = traced(model)
    expected = field_centres(graph, layer, (8, 8), SIZE)
    found = find_centres(model, graph, layer, (8, 8), SIZE)
    assert found.origin == "measured"
    np.testing.assert_allclose(found.rows, expected.rows, atol=16 / 6)
    np.testing.assert_allclose(found.columns, expected.columns, atol=16 / 6)


def test_a_kernel_that_leans_moves_the_centres_away_from_the_fields() -> None:
    model = network((1, 1, 1, 1))
    with torch.no_grad():
        for layer in model:
            if isinstance(layer, nn.Conv2d):
                layer.weight[:, :, :, :2] *= 0.3  # the last column of each kernel speaks loudest
    graph, name = traced(model)
    found = find_centres(model, graph, name, (8, 8), SIZE)
    # Of the whole way, 1 + 2 + 4 + 8, the mean of the taps: by amplitude 0.7 / 1.6 of it, by
    # energy (1 - 0.3²) / (1 + 2 * 0.3²); what rectifiers make of them lies between.
    assert 15 * 0.7 / 1.6 < found.columns[0] < 15 * 0.91 / 1.18
    assert found.rows[0] == pytest.approx(0.0, abs=16 / 6)


def test_measuring_leaves_the_network_as_it_was() -> None:
    model = network((1, 1, 1, 1)).train()
    before = copy.deepcopy(model.state_dict())
    graph = trace(model, (3, *SIZE), mode="eval")
    find_centres(model, graph, head(graph).features or "", (8, 8), SIZE)
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_layer_that_does_not_answer_keeps_its_fields() -> None:
    model = network((1, 1, 1, 1))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    found = find_centres(model, *traced(model), (8, 8), SIZE)
    assert found.origin == "receptive field"


def test_an_unknown_layer_has_equal_shares() -> None:
    model = network((1, 1, 1, 1))
    graph, _ = traced(model)
    assert find_centres(model, graph, "nowhere", (8, 8), SIZE).origin == "equal shares"


def test_cells_meet_halfway_and_the_outermost_reach_the_border() -> None:
    rows, _ = even_centres((4, 4), (64, 64)).edges((64, 64))
    assert rows.tolist() == [0.0, 0.25, 0.5, 0.75, 1.0]

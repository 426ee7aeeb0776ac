"""Where things are: nothing overlaps, no wire crosses a box, whatever is open."""

from __future__ import annotations

import random

import pytest
import torch
from benchmarks.picture_geometry import faults
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from foveal.inspection import inspect
from foveal.inspection.picture.arrangement import arrange
from foveal.inspection.picture.facts import facts_of
from foveal.inspection.picture.grid import lay_out
from foveal.inspection.picture.picture import MOST_AT_FIRST, picture_of
from foveal.inspection.picture.wires import Wire
from foveal.models.sources import open_network

NETWORKS = [
    "torchvision:resnet50",
    "torchvision:densenet121",
    "torchvision:googlenet",
    "torchvision:swin_t",
    "timm:hrnet_w18_small",
    "timm:efficientnet_b0",
]


@pytest.fixture(scope="module", params=NETWORKS)
def picture(request):
    network = open_network(request.param, weights="none")
    return picture_of(inspect(network.module, network.input_shape, name=network.name))


def test_nothing_overlaps_and_no_wire_crosses_a_box(picture):
    groups = [node.number for node in picture.nodes() if node.inside is not None]
    chance = random.Random(0)
    states = [
        set(),
        None,
        set(groups),
        *({g for g in groups if chance.random() < 0.5} for _ in "123"),
    ]
    assert [faults(arrange(picture, state)) for state in states] == [[]] * len(states)


def test_at_most_fifteen_boxes_are_seen_at_first(picture):
    closed = [box for box in arrange(picture).boxes if not box.is_open]
    assert 5 <= len(closed) <= MOST_AT_FIRST


def test_wires_lead_downward(picture):
    for path in arrange(picture).paths:
        heights = [y for _, y in path.points]
        assert heights == sorted(heights)


def test_the_parts_of_a_level_sum_to_the_table(picture):
    table = picture.table
    for view, rows in levels(picture):
        facts = [facts_of(table, node.part) for node in view.parts]
        assert sum(f.parameters for f in facts) == sum(row.parameters for row in rows)
        assert sum(f.macs.value for f in facts) == sum(row.macs.value for row in rows)
        assert sum(f.activation_bytes for f in facts) == sum(r.activation_bytes for r in rows)


def levels(picture):
    yield picture.top, picture.table.ops
    for node in picture.nodes():
        if node.inside is not None:
            part = node.part
            yield node.inside, picture.table.ops[part.first : part.first + part.size]


def test_a_shortcut_has_a_lane_beside_what_it_passes():
    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.conv2 = nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 3, padding=1)

        def forward(self, x):
            return x + self.conv2(self.conv1(x))

    view = picture_of(inspect(Residual(), (8, 8, 8))).top
    shortcuts = [wire for k, wire in enumerate(view.wires) if view.grid.is_shortcut[k]]
    assert [(view.nodes[w.source].role, view.nodes[w.target].title) for w in shortcuts] == [
        ("input", "add")
    ]
    lane = view.grid.lanes[view.wires.index(shortcuts[0])]
    assert view.grid.is_lane[lane]


def test_two_inputs_stand_beside_each_other_and_meet():
    class TwoInputs(nn.Module):
        def __init__(self):
            super().__init__()
            self.left, self.right = nn.Conv2d(3, 8, 3), nn.Conv2d(1, 8, 3)

        def forward(self, image, depth):
            return torch.cat([self.left(image), self.right(depth)], 1)

    picture = picture_of(inspect(TwoInputs(), [(1, 3, 8, 8), (1, 1, 8, 8)]))
    boxes = {box.node.title: box for box in arrange(picture).boxes}
    assert boxes["image"].y == boxes["depth"].y
    assert boxes["left"].y == boxes["right"].y
    assert faults(arrange(picture)) == []


def test_a_wire_is_followed_through_open_groups():
    network = open_network("torchvision:resnet18", weights="none")
    picture = picture_of(inspect(network.module, (3, 64, 64)))
    every = {node.number for node in picture.nodes()}
    arrangement = arrange(picture, every)
    ends = {rounded(path.points[-1]) for path in arrangement.paths}
    starts = {rounded(path.points[0]) for path in arrangement.paths}
    # Each wire that ends at the bottom of a frame goes on from there.
    inner = [path for path in arrangement.paths if not path.has_head]
    assert inner
    assert {rounded(path.points[-1]) for path in inner} <= starts
    for box in arrangement.boxes:
        if box.is_open:
            assert any(y == round(box.y, 3) and box.x < x < box.x + box.width for x, y in ends)


def test_the_trunk_is_straight_whatever_is_open_beside_it():
    network = open_network("torchvision:resnet18", weights="none")
    picture = picture_of(inspect(network.module, (3, 64, 64)))
    arrangement = arrange(picture, {node.number for node in picture.nodes()})
    outer = [box.node.number for box in arrangement.boxes if box.depth == 0]
    assert len(outer) == 10
    trunk = arrangement.paths[: len(picture.top.wires)]
    assert len({round(x, 3) for path in trunk for x, _ in path.points}) == 1


def rounded(point):
    return round(point[0], 3), round(point[1], 3)


@st.composite
def graphs(draw):
    num_nodes = draw(st.integers(2, 18))
    pairs = draw(
        st.sets(
            st.tuples(st.integers(0, num_nodes - 2), st.integers(1, num_nodes - 1)).filter(
                lambda pair: pair[0] < pair[1]
            ),
            max_size=40,
        )
    )
    return num_nodes, [Wire(a, 0, b, 0) for a, b in sorted(pairs)]


@given(graphs())
def test_any_graph_gets_a_cell_for_each_node_and_each_passing_wire(graph):
    num_nodes, wires = graph
    grid = lay_out(num_nodes, 1, 0, wires)
    cells = list(zip(grid.rows, grid.tracks, strict=True))
    assert len(set(cells)) == num_nodes
    for wire, lane in zip(wires, grid.lanes, strict=True):
        first, last = grid.rows[wire.source], grid.rows[wire.target]
        assert first < last
        passed = {(row, lane) for row in range(first + 1, last)}
        assert not passed & set(cells)
    # Wires of two sources never share a cell.
    used = {}
    for wire, lane in zip(wires, grid.lanes, strict=True):
        for row in range(grid.rows[wire.source] + 1, grid.rows[wire.target]):
            assert used.setdefault((row, lane), wire.source) == wire.source

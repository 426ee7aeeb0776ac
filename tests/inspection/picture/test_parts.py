"""Folding: what becomes one box, what becomes one of many, and what stays apart."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import nn

from foveal.inspection import inspect
from foveal.inspection.picture.parts import MOST_AT_THE_TOP, MOST_IN_A_GROUP, fold_parts
from foveal.inspection.picture.picture import picture_of
from foveal.models.sources import open_network


def folded(model, shape=(8, 16, 16)):
    return fold_parts(inspect(model, shape))


def block(width=8):
    return nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU())


class Residual(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.conv1 = block(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x):
        return torch.relu(x + self.conv2(self.conv1(x)))


def test_convolution_norm_and_activation_are_one_box():
    (part,) = folded(block())
    assert [row.kind for row in part.line.rows] == ["conv", "batch_norm", "activation"]


def test_what_a_shortcut_leaves_from_stays_apart():
    class PreActivation(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(8, 8, 3, padding=1)
            self.norm = nn.BatchNorm2d(8)

        def forward(self, x):
            made = self.conv(x)
            return made + torch.relu(self.norm(made))

    assert [[row.kind for row in part.line.rows] for part in folded(PreActivation())] == [
        ["conv"],
        ["batch_norm", "activation"],
        ["add"],
    ]


def test_equal_blocks_are_one_with_a_count():
    (part,) = folded(nn.Sequential(*(Residual() for _ in range(7))))
    assert (part.copies, [inner.name for inner in part.parts]) == (
        7,
        ["0.conv1", "0.conv2", "0.add"],
    )


def test_equal_layers_without_a_module_around_them_fold_too():
    layers = [layer for _ in range(5) for layer in block()]
    (part,) = folded(nn.Sequential(*layers))
    assert (part.copies, part.size) == (5, 3)


def test_blocks_that_alternate_fold_in_pairs():
    layers = [nn.Conv2d(8, 8, 3, padding=1 + k % 2, dilation=1 + k % 2) for k in range(8)]
    (part,) = folded(nn.Sequential(*layers))
    assert (part.copies, len(part.parts)) == (4, 2)


def test_branches_that_are_equal_fold_as_such():
    class Parallel(nn.Module):
        def __init__(self):
            super().__init__()
            self.branches = nn.ModuleList(block() for _ in range(6))

        def forward(self, x):
            return torch.cat([branch(x) for branch in self.branches], 1)

    branches, joined = folded(Parallel())
    assert (branches.copies, joined.line.main.kind) == (6, "concat")


def test_blocks_of_other_shapes_or_settings_do_not_fold():
    grows = nn.Sequential(nn.Conv2d(8, 12, 1), nn.Conv2d(12, 16, 1))
    dilated = nn.Sequential(*(nn.Conv2d(8, 8, 3, padding=d, dilation=d) for d in (1, 2)))
    assert [part.copies for part in (*folded(grows), *folded(dilated))] == [1, 1, 1, 1]


def test_blocks_that_are_read_from_elsewhere_too_do_not_fold():
    class Tapped(nn.Module):
        def __init__(self):
            super().__init__()
            self.blocks = nn.ModuleList(block() for _ in range(3))

        def forward(self, x):
            made = []
            for each in self.blocks:
                x = each(x)
                made.append(x)
            return torch.cat(made, 1)

    assert {part.copies for part in walk(folded(Tapped()))} == {1}


def test_what_is_read_from_inside_the_last_copy_keeps_it_apart():
    class Inner(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two = nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 3, padding=1)

        def forward(self, x):
            middle = self.one(x)
            return middle, self.two(middle)

    class TappedAtLast(nn.Module):
        def __init__(self):
            super().__init__()
            self.blocks = nn.ModuleList(Inner() for _ in range(4))

        def forward(self, x):
            for block in self.blocks:
                middle, x = block(x)
            return middle, x

    table = inspect(TappedAtLast(), (8, 16, 16))
    groups = [part for part in fold_parts(table) if part.parts]
    assert [part.copies for part in groups] == [3, 1]
    assert len(picture_of(table).top.wires) == 4


def test_blocks_wired_otherwise_do_not_fold():
    class Crossed(nn.Module):
        def __init__(self):
            super().__init__()
            self.blocks = nn.ModuleList(nn.Conv2d(8, 8, 1) for _ in range(4))

        def forward(self, x):
            a = self.blocks[0](x)
            b = self.blocks[1](a)
            return self.blocks[3](self.blocks[2](a + b))

    names = [part.name for part in walk(folded(Crossed())) if part.line and part.copies == 1]
    assert names == ["blocks.0", "blocks.1", "add"]


def test_a_shared_layer_counts_once_and_folds_its_other_uses():
    class Shared(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(8, 8, 3, padding=1)

        def forward(self, x):
            for _ in range(5):
                x = self.conv(x)
            return x

    assert [part.copies for part in folded(Shared())] == [1, 4]


@pytest.mark.parametrize(
    ("name", "copies"),
    [
        ("torchvision:resnet152", {"layer1.1": 2, "layer2.1": 7, "layer3.1": 35, "layer4.1": 2}),
        ("torchvision:convnext_tiny", {"features.5.0": 9}),
        ("timm:convmixer_768_32", {"blocks.0": 32}),
    ],
)
def test_published_networks_fold_as_their_papers_say(name, copies):
    network = open_network(name, weights="none")
    parts = fold_parts(inspect(network.module, network.input_shape))
    found = {part.name: part.copies for part in walk(parts) if part.copies > 1}
    assert {key: found.get(key) for key in copies} == copies


@pytest.mark.parametrize("num_layers", [30, 400])
def test_a_long_flat_network_is_gathered(num_layers):
    widths = [1 + k % 7 for k in range(num_layers + 1)]
    model = nn.Sequential(*(nn.Conv2d(a, b, 1) for a, b in pairwise(widths)))
    table = inspect(model, (1, 4, 4))
    parts = fold_parts(table)
    assert len(parts) <= MOST_AT_THE_TOP
    assert all(len(part.parts) <= MOST_IN_A_GROUP for part in walk(parts))


def walk(parts):
    for part in parts:
        yield part
        yield from walk(part.parts)


def test_an_empty_network_has_no_parts():
    assert folded(nn.Identity()) == ()


def test_titles_leave_out_the_path_of_the_group_also_beside_an_operation_on_its_own_weights():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.block = nn.Sequential(nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 3, padding=1))
            self.scale = nn.Parameter(torch.ones(8, 1, 1))

        def forward(self, x):
            return x + self.scale * self.block(x)

    table = inspect(nn.ModuleDict({"body": Scaled()})["body"], (8, 16, 16))
    outer = inspect(nn.Sequential(Scaled(), nn.Conv2d(8, 4, 1)), (8, 16, 16))
    inside = next(node.inside for node in picture_of(outer).top.nodes if node.inside)
    assert [node.title for node in inside.parts] == ["block", "0", "add"]
    assert len(picture_of(table).top.parts) == 3

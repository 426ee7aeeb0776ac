"""S103: convolutions that come after everything has been seen."""

from __future__ import annotations

import torch
import torchvision
from torch import nn

from foveal.graph import trace
from foveal.linting import Checked, NotApplicable, lint
from foveal.linting.structure.receptive_fields import smallest_fields


def outcome(net: nn.Module, **options: object) -> object:
    options.setdefault("input_shape", (3, 32, 32))
    return lint(net, select=["S103"], **options).outcomes["S103"]  # type: ignore[arg-type]


def stack(depth: int) -> nn.Module:
    layers = [nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.ReLU()) for _ in range(depth)]
    return nn.Sequential(*layers)


def test_fires_from_the_first_layer_whose_input_sees_everything() -> None:
    found = outcome(stack(12), input_shape=(3, 16, 16))
    assert isinstance(found, Checked)
    (finding,) = found.findings
    # After n layers of 3×3 the field is 2 n + 1, so layer 8 (0-based) reads a field of 17.
    assert finding.location == "8.0"
    assert finding.data["num_layers"] == 12 - 8


def test_stays_silent_where_a_shortcut_keeps_detail() -> None:
    with torch.device("meta"):
        net = torchvision.models.resnet50()
    assert outcome(net, input_shape=(3, 224, 224)) == Checked()


def test_stays_silent_below_a_tenth_of_the_work() -> None:
    assert outcome(stack(8), input_shape=(3, 16, 16)) == Checked()


def test_not_applicable_without_spatial_convolution() -> None:
    assert isinstance(outcome(nn.Conv2d(3, 3, 1)), NotApplicable)


def test_smallest_field_at_a_merge_is_the_shortcut() -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 5, padding=2)

        def forward(self, x):
            return x + self.conv(x)

    fields = smallest_fields(trace(Block(), (3, 8, 8)))
    assert [field[0][0] for field in fields if field] == [5, 1]

from __future__ import annotations

import pytest
import torch
from torch import nn

from foveal.errors import TraceError, UsageError
from foveal.inspection import inspect, parse_input
from foveal.models.sources import open_network


class _Branching(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3)
        self.second = nn.Conv2d(8, 8, 3)

    def forward(self, x):
        x = self.first(x)
        return self.second(x) if x.mean() > 0 else x


class _Raising(nn.Module):
    def forward(self, x):
        raise RuntimeError("no weights for Tuesday")


class _Unknown(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        return torch.linalg.svdvals(self.conv(x))


def test_wrong_channels_names_layer_and_numbers():
    model = open_network("torchvision:resnet18").module
    with pytest.raises(TraceError, match=r"'conv1'.*expects 3 channels, got 1"):
        inspect(model, (1, 224, 224))


def test_a_small_input_names_the_layer_and_the_smallest_size():
    model = open_network("torchvision:alexnet").module
    with pytest.raises(TraceError, match=r"too small: at layer 'features") as caught:
        inspect(model, (3, 30, 30))
    assert "smallest square input that works is 3 x 63 x 63" in str(caught.value)
    inspect(model, (3, 63, 63))


def test_a_module_that_raises_is_named_with_its_words():
    with pytest.raises(TraceError, match=r"\(_Raising\).*RuntimeError.*no weights for Tuesday"):
        inspect(_Raising(), (3, 8, 8))


def test_data_dependent_control_flow_gives_the_part_before_it():
    table = inspect(_Branching(), (3, 8, 8))
    assert table.status == "partial"
    assert "depends on the values in an image" in table.reason
    assert table.totals.macs.status == "partial"
    assert table.totals.macs.value == 8 * 27 * 36
    assert table.totals.parameters == 8 * 27 + 8 + 8 * 72 + 8


def test_an_unknown_operation_makes_a_lower_bound():
    table = inspect(_Unknown(), (3, 8, 8))
    assert table.totals.macs.status == "partial"
    assert table.totals.macs.value == 4 * 27 * 36
    last = table.ops[-1].receptive_field
    assert last.status == "unavailable"
    assert last.reason


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ("3x224xhuge", "no list of whole numbers"),
        ("224x224", "channels are missing: 3x224x224"),
        ("", "no list of whole numbers"),
        ("3x0x224", "between 1 and 1,000,000"),
        ("3x-2x5", "no list of whole numbers"),
        ("3x224x224,", "no list of whole numbers"),
        ("3x64x64,12", "12 alone says too little; a vector is 1x12"),
    ],
)
def test_an_input_that_cannot_be_read_is_refused(spec, why):
    with pytest.raises(UsageError, match=why):
        parse_input(spec)


def test_an_operation_that_is_not_there_has_near_names(cifar_net):
    table = inspect(cifar_net, (3, 32, 32))
    with pytest.raises(UsageError, match="no operation named"):
        table.op("conv99")


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ("image=3x8x8,1x5", "each needs one of its own"),
        ("a=3x8x8,a=1x5", "each needs one of its own"),
        ("2x16:int46", "no type; .*int64"),
    ],
)
def test_names_and_types_that_cannot_be_read_are_refused(spec, why):
    with pytest.raises(UsageError, match=why):
        parse_input(spec)


def test_names_and_types_are_read():
    found = parse_input("image=3x8x8,tokens=16:int64")

    assert found["image"] == (3, 8, 8)
    assert (found["tokens"].shape, found["tokens"].dtype) == ((16,), torch.int64)
    assert parse_input("2x1000") == (2, 1000)

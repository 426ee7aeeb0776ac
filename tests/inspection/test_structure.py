from __future__ import annotations

import dataclasses
import pickle

import pytest
from torch import nn

from foveal.inspection import fold_blocks, inspect
from foveal.models.sources import open_network


def test_stages_of_a_resnet_are_its_layers(inspected):
    names = [stage.name for stage in inspected("torchvision:resnet50").stages]
    assert names == ["conv1", "layer1", "layer2", "layer3", "layer4", "fc"]


@pytest.mark.parametrize(
    "name", ["resnet18", "googlenet", "vgg16", "efficientnet_b0", "convnext_tiny", "densenet121"]
)
def test_stages_hold_every_operation_once(name, inspected):
    table = inspected(f"torchvision:{name}")
    covered = [i for stage in table.stages for i in range(stage.first, stage.last + 1)]
    assert covered == list(range(len(table.ops)))
    assert sum(stage.macs.value for stage in table.stages) == table.totals.macs.value
    assert sum(stage.share_of_macs for stage in table.stages) == pytest.approx(1)


def test_stages_of_googlenet_have_its_five_resolutions(inspected):
    sides = [s.resolution and s.resolution[0] for s in inspected("torchvision:googlenet").stages]
    assert sides == [112, 56, 28, 14, 7, None]


def test_equal_blocks_fold(inspected):
    blocks = fold_blocks(inspected("torchvision:resnet50"))
    folded = {block.names[0]: block.count for block in blocks if block.count > 1}
    assert folded == {"layer1.1": 2, "layer2.1": 3, "layer3.1": 5, "layer4.1": 2}


@pytest.mark.parametrize("name", ["resnet50", "googlenet", "convnext_tiny", "densenet121"])
def test_folding_loses_no_operation(name, inspected):
    table = inspected(f"torchvision:{name}")
    blocks = fold_blocks(table)
    assert sum(b.count * sum(len(line.rows) for line in b.lines) for b in blocks) == len(table.ops)
    assert sum(b.count * sum(line.macs.value for line in b.lines) for b in blocks) == (
        table.totals.macs.value
    )


def test_the_table_is_frozen_and_outlives_the_model(inspected):
    table = inspected("torchvision:resnet18")
    with pytest.raises(dataclasses.FrozenInstanceError):
        table.name = "other"
    assert pickle.loads(pickle.dumps(table)).totals == table.totals


def test_squeeze_and_excitation_is_local_and_global(inspected):
    seen = inspected("torchvision:efficientnet_b0").totals.receptive_field
    assert seen.size == (851, 851)
    assert seen.is_global == (True, True)


def test_the_size_law_is_found_and_checked():
    model = open_network("torchvision:resnet18").module
    law = inspect(model, (3, 224, 224), sizes="any").sizes
    assert (law.status, law.divisor, law.smallest, law.other_sizes) == ("complete", 32, 32, "up")
    assert law.shapes[0] == ("N", "64", "H/2", "W/2")
    assert law.shapes[-1] == ("N", "1000")
    elsewhere = inspect(model, (3, 96, 480)).totals.macs.value
    assert law.macs == "36,144·H·W + 512,000"
    assert elsewhere == 36_144 * 96 * 480 + 512_000


def test_valid_padding_gives_offsets():
    model = nn.Sequential(nn.Conv2d(1, 2, 5), nn.MaxPool2d(2), nn.Conv2d(2, 2, 3))
    law = inspect(model, (1, 28, 28), sizes="any").sizes
    assert law.shapes == (
        ("N", "2", "H − 4", "W − 4"), ("N", "2", "H/2 − 2", "W/2 − 2"),
        ("N", "2", "H/2 − 4", "W/2 − 4"),
    )  # fmt: skip


def test_a_network_of_one_size_says_so():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(2 * 26 * 26, 10))
    law = inspect(model, (1, 28, 28), sizes="any").sizes
    assert law.status == "unavailable"
    assert "expects 1352 features" in law.reason

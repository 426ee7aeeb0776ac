from __future__ import annotations

from pathlib import Path

import pytest
import torch
from benchmarks.drills import disagreements, weaknesses
from torch import nn

from foveal.errors import FovealError, UnknownModelError, UsageError
from foveal.learn.drills import TEMPLATES
from foveal.learn.drills.from_network import PREFIX, network_templates

NAMES = ["own-shapes", "own-parameters", "own-macs", "own-fields"]

FILE = """
from torch import nn

def build():
    return nn.Sequential(
        nn.Conv2d(3, 8, 5, stride=2), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(8, 12, 3, dilation=2, groups=4), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(12, 4),
    )

def dense():
    return nn.Sequential(nn.Flatten(), nn.ReLU())

class Branching(nn.Module):
    def forward(self, x):
        if x.sum() > 0:
            return x + 1
        return x - 1

def branching():
    return Branching()
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "net.py"
    path.write_text(FILE, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "spec", ["foveal:resnet18", "timm:mobilenetv3_small_050", "torchvision:squeezenet1_0"]
)
def test_pytorch_agrees_about_a_known_network(spec: str) -> None:
    drills = network_templates(spec)
    assert [drill.name for drill in drills] == NAMES
    for drill in drills:
        for seed in range(2):
            exercise = drill.exercise(seed, level=1 + seed)
            assert list(disagreements(exercise, drill)) == []
            assert list(weaknesses(exercise)) == []


def test_a_file_of_ones_own(file: Path) -> None:
    drills = network_templates(f"{file}:build", (3, 64, 64))
    assert [drill.name for drill in drills] == NAMES
    for drill in drills:
        for level in (1, 2, 3):
            exercise = drill.exercise(0, level)
            assert list(weaknesses(exercise)) == []


def test_three_layers_that_follow_one_another_are_followed(file: Path) -> None:
    shapes = network_templates(f"{file}:build", (3, 64, 64))[0].exercise(0, level=3)
    # 64 → floor(59/2) + 1 = 30 → floor(27/2) + 1 = 14 → 14 - 4 = 10
    assert [field.answer for field in shapes.fields] == [(8, 30, 30), (8, 14, 14), (12, 10, 10)]
    fields = network_templates(f"{file}:build", (3, 64, 64))[3].exercise(0, level=3)
    # 5, then 2 more steps of 2, then 2 steps of 2 · 4
    assert [field.answer for field in fields.fields] == [5, 9, 25]


def test_the_network_may_be_an_object_and_is_left_as_found() -> None:
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 3)
    ).train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    drills = network_templates(net, (1, 20, 20))
    assert net.training
    assert not net[0]._forward_hooks
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    # Two levels at most: there are two convolutions that follow one another.
    assert len(drills[0].exercise(0, level=3).fields) == 2


def test_a_network_that_cannot_be_traced_is_a_clear_error(file: Path) -> None:
    with pytest.raises(FovealError, match="Branching"):
        network_templates(f"{file}:branching", (3, 8, 8))


class TwoInputs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, image: torch.Tensor, mask: torch.Tensor, scale: float = 1.0) -> torch.Tensor:
        return self.conv(image) * mask * scale


@pytest.mark.parametrize(
    ("net", "said"),
    [
        (TwoInputs(), r"takes 2 inputs \(image, mask\)"),
        (nn.Sequential(nn.Conv1d(4, 8, 5), nn.ReLU()), "built of Conv1d"),
        (nn.Sequential(nn.Conv3d(1, 4, 3)), "built of Conv3d"),
        (nn.Sequential(nn.ConvTranspose1d(4, 8, 5)), "built of ConvTranspose1d"),
    ],
)
def test_a_network_that_takes_no_single_image_is_refused(net: nn.Module, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        network_templates(net)


def test_a_shape_that_was_only_assumed_is_named() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    with pytest.raises(FovealError, match="3x224x224 was assumed"):
        network_templates(net)
    with pytest.raises(FovealError) as told:
        network_templates(net, (3, 8, 8))
    assert "assumed" not in str(told.value)


def test_no_drill_of_the_course_is_named_as_those_of_a_network() -> None:
    assert not any(drill.name.startswith(PREFIX) for drill in TEMPLATES)
    assert all(name.startswith(PREFIX) for name in NAMES)


def test_a_network_without_layers_to_ask_about_says_so(file: Path) -> None:
    with pytest.raises(FovealError, match="has no convolution"):
        network_templates(f"{file}:dense", (3, 8, 8))


def test_a_wrong_name_is_the_error_of_every_command() -> None:
    with pytest.raises(UnknownModelError):
        network_templates("timm:resnet81")

"""S102: a feature map flattened into a giant linear layer."""

from __future__ import annotations

import torch
import torchvision
from torch import nn

from foveal.linting import Checked, NotApplicable, lint


def outcome(net: nn.Module, **options: object) -> object:
    options.setdefault("input_shape", (3, 32, 32))
    return lint(net, select=["S102"], **options).outcomes["S102"]  # type: ignore[arg-type]


def flattened(channels: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, channels, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(channels * 16 * 16, 100),
    )


def test_fires_with_the_share_of_parameters() -> None:
    found = outcome(flattened(64))
    assert isinstance(found, Checked)
    (finding,) = found.findings
    linear = 64 * 16 * 16 * 100 + 100
    assert finding.severity == "warning"
    assert finding.data["parameters"] == linear
    assert finding.data["share"] == linear / (linear + 3 * 64 * 9 + 64)


def test_vgg_16_is_found() -> None:
    with torch.device("meta"):
        found = outcome(torchvision.models.vgg16(), input_shape=(3, 224, 224))
    assert isinstance(found, Checked)
    assert [finding.data["parameters"] for finding in found.findings] == [102_764_544]


def test_stays_silent_on_a_small_network() -> None:
    assert outcome(flattened(4)) == Checked()


def test_not_applicable_to_a_pooled_head() -> None:
    with torch.device("meta"):
        found = outcome(torchvision.models.resnet18(), input_shape=(3, 224, 224))
    assert isinstance(found, NotApplicable)

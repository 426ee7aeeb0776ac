"""S109: a deep stack without any shortcut."""

from __future__ import annotations

from types import MethodType

import pytest
import torch
import torchvision
from torch import nn

from foveal.linting import Checked, NotApplicable, lint


def outcome(net: nn.Module, **options: object) -> object:
    options.setdefault("input_shape", (3, 32, 32))
    return lint(net, select=["S109"], **options).outcomes["S109"]  # type: ignore[arg-type]


def stack(depth: int) -> nn.Module:
    return nn.Sequential(*[nn.Conv2d(3, 3, 3, padding=1) for _ in range(depth)])


@pytest.mark.parametrize(("depth", "severity"), [(30, "warning"), (20, "info")])
def test_fires_by_depth(depth: int, severity: str) -> None:
    found = outcome(stack(depth))
    assert isinstance(found, Checked)
    (finding,) = found.findings
    assert (finding.severity, finding.data["num_layers"]) == (severity, depth)


def test_a_resnet_without_its_shortcuts_is_found() -> None:
    with torch.device("meta"):
        net = torchvision.models.resnet34()
    for module in net.modules():
        if isinstance(module, torchvision.models.resnet.BasicBlock):
            module.forward = MethodType(without_shortcut, module)
    found = outcome(net, input_shape=(3, 224, 224))
    assert isinstance(found, Checked)
    assert found.findings[0].data["num_layers"] == 34


def without_shortcut(block, x):
    return block.relu(block.bn2(block.conv2(block.relu(block.bn1(block.conv1(x))))))


def test_stays_silent_on_resnet_152() -> None:
    with torch.device("meta"):
        net = torchvision.models.resnet152()
    assert outcome(net, input_shape=(3, 224, 224)) == Checked()


def test_not_applicable_without_layers() -> None:
    assert isinstance(outcome(nn.ReLU()), NotApplicable)

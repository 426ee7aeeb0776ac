"""W202: filters that compute nothing."""

from __future__ import annotations

import torch
from torch import nn

from foveal.linting import Checked, NotApplicable, lint


def outcome(net: nn.Module, **options: object) -> object:
    options.setdefault("input_shape", (3, 32, 32))
    return lint(net, select=["W202"], **options).outcomes["W202"]  # type: ignore[arg-type]


def with_dead(module: nn.Module, count: int) -> nn.Module:
    with torch.no_grad():
        module.weight[:count] = 0  # type: ignore[index, operator]
    return module


def severities(net: nn.Module) -> list[str]:
    found = outcome(net)
    assert isinstance(found, Checked)
    return [finding.severity for finding in found.findings]


def test_a_quarter_of_a_layer_is_a_warning() -> None:
    found = outcome(with_dead(nn.Conv2d(3, 8, 3), 2))
    assert isinstance(found, Checked)
    (finding,) = found.findings
    assert (finding.severity, finding.data["num_dead"]) == ("warning", 2)


def test_a_few_are_told_together_as_an_information() -> None:
    layers = [with_dead(nn.Conv2d(3, 16, 3), 1), nn.ReLU(), with_dead(nn.Conv2d(16, 16, 3), 2)]
    found = outcome(nn.Sequential(*layers))
    assert isinstance(found, Checked)
    (finding,) = found.findings
    assert (finding.severity, finding.location) == ("info", "2")
    assert finding.data["layers"] == {"0": 1, "2": 2}


def test_a_layer_of_zeros_is_an_information() -> None:
    assert severities(with_dead(nn.Conv2d(3, 8, 3), 8)) == ["info"]


def test_filters_of_a_transposed_convolution_lie_across() -> None:
    net = nn.ConvTranspose2d(4, 6, 3, groups=2)
    with torch.no_grad():
        net.weight[2:, 0] = 0
    found = outcome(net, input_shape=(4, 8, 8))
    assert isinstance(found, Checked)
    assert [finding.data["num_dead"] for finding in found.findings] == [1]


def test_stays_silent_on_new_weights() -> None:
    assert outcome(nn.Conv2d(3, 8, 3)) == Checked()


def test_not_applicable_without_layers_or_values() -> None:
    assert isinstance(outcome(nn.BatchNorm2d(3)), NotApplicable)
    assert isinstance(outcome(nn.Conv2d(3, 8, 3, device="meta")), NotApplicable)

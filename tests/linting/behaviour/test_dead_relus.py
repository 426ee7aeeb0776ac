"""B303: ReLUs whose channels are never positive."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from foveal.linting import Checked, NotApplicable, Undetermined, lint


def outcome(net: nn.Module, **options: object) -> object:
    return lint(net, select=["B303"], **options).outcomes["B303"]  # type: ignore[arg-type]


@pytest.mark.parametrize(("num_dead", "severity"), [(13, "warning"), (16, "error")])
def test_counts_the_dead_channels(
    net: nn.Sequential, batch: torch.Tensor, num_dead: int, severity: str
) -> None:
    with torch.no_grad():
        net[4].bias[:num_dead] = -50
        net[4].bias[num_dead:] = 50
    found = outcome(net, batch=batch)
    assert isinstance(found, Checked)
    (finding,) = found.findings
    assert (finding.location, finding.severity) == ("5", severity)
    assert (finding.data["num_dead"], finding.data["num_channels"]) == (num_dead, 16)


def test_functional_relus_are_named_after_the_module_that_calls_them(batch: torch.Tensor) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)
            self.last = nn.Conv2d(4, 4, 3)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            maps = nn.functional.relu(self.conv(images))
            return nn.functional.relu(self.last(maps) - 100)

    found = outcome(Net(), batch=batch)
    assert isinstance(found, Checked)
    assert [finding.location for finding in found.findings] == ["relu#2"]


def test_stays_silent_on_a_living_network(net: nn.Sequential, batch: torch.Tensor) -> None:
    assert outcome(net, batch=batch) == Checked()


def test_half_of_the_channels_is_no_finding(net: nn.Sequential, batch: torch.Tensor) -> None:
    with torch.no_grad():
        net[4].bias[:8] = -50
    assert outcome(net, batch=batch) == Checked()


def test_does_not_apply_to_other_activations(batch: torch.Tensor) -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.GELU(), nn.Conv2d(4, 4, 3), nn.LeakyReLU())
    assert isinstance(outcome(net, batch=batch), NotApplicable)


def test_cannot_tell_from_three_images(net: nn.Sequential, batch: torch.Tensor) -> None:
    assert isinstance(outcome(net, batch=batch[:3]), Undetermined)

"""S118: a layer whose result nobody reads."""

from __future__ import annotations

import pytest
import torch
from tests.linting.calls import of_rule
from torch import nn

from foveal.linting import Checked, NotApplicable

outcome, severities = of_rule("S118")


class Net(nn.Module):
    """Passes the first map on and returns what ``results`` names of both."""

    def __init__(self, *results: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Conv2d(3, 3, 3, padding=1) for _ in range(2)])
        self.results = results

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        maps = [layer(x) for layer in self.layers]
        return [maps[index] for index in self.results]


@pytest.mark.parametrize(("returned", "unread"), [(0, "layers.1"), (1, "layers.0")])
def test_fires_on_the_layer_that_leads_nowhere(returned: int, unread: str) -> None:
    found = outcome(Net(returned), input_shape=(3, 8, 8))
    assert isinstance(found, Checked)
    assert [finding.location for finding in found.findings] == [unread]


def test_stays_silent_where_both_are_returned() -> None:
    assert outcome(Net(0, 1), input_shape=(3, 8, 8)) == Checked()


def test_stays_silent_on_a_result_written_into_another() -> None:
    class Writes(Net):
        def forward(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
            y = torch.zeros_like(x)
            y[:, :, :4] = self.layers[0](x)[:, :, :4]
            y[:, :, 4:] = self.layers[1](x)[:, :, 4:]
            return y

    assert outcome(Writes(), input_shape=(3, 8, 8)) == Checked()


def test_not_applicable_without_layers() -> None:
    assert isinstance(outcome(nn.ReLU(), input_shape=(3, 8, 8)), NotApplicable)

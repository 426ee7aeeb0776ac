"""S107: transposed convolutions that write unevenly."""

from __future__ import annotations

import torch
from torch import nn

from foveal.linting import Checked, NotApplicable, lint


def outcome(net: nn.Module, **options: object) -> object:
    options.setdefault("input_shape", (3, 32, 32))
    return lint(net, select=["S107"], **options).outcomes["S107"]  # type: ignore[arg-type]


def test_fires_with_the_taps_that_reach_an_output() -> None:
    found = outcome(nn.ConvTranspose2d(3, 3, 3, stride=2))
    assert isinstance(found, Checked)
    (finding,) = found.findings
    assert (finding.data["fewest_taps"], finding.data["most_taps"]) == (1, 4)


def test_the_counts_are_those_of_a_layer_of_ones() -> None:
    layer = nn.ConvTranspose2d(1, 1, 5, stride=3, bias=False)
    nn.init.ones_(layer.weight)
    written = layer(torch.ones(1, 1, 9, 9))[0, 0, 6:-6, 6:-6]
    found = outcome(layer, input_shape=(1, 9, 9))
    assert isinstance(found, Checked)
    (finding,) = found.findings
    assert finding.data["fewest_taps"] == written.min().item()
    assert finding.data["most_taps"] == written.max().item()


def test_fires_where_some_outputs_get_nothing() -> None:
    found = outcome(nn.ConvTranspose2d(3, 3, 1, stride=2))
    assert isinstance(found, Checked)
    assert "the bias alone" in found.findings[0].evidence


def test_stays_silent_where_the_stride_divides_the_kernel() -> None:
    assert outcome(nn.ConvTranspose2d(3, 3, 4, stride=2, padding=1)) == Checked()


def test_not_applicable_without_transposed_convolution() -> None:
    assert isinstance(outcome(nn.Conv2d(3, 8, 3)), NotApplicable)

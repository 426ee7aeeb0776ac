"""S108: windows larger than the map they slide over."""

from __future__ import annotations

from torch import nn

from foveal.linting import Checked, NotApplicable, lint


def outcome(net: nn.Module, **options: object) -> object:
    options.setdefault("input_shape", (3, 32, 32))
    return lint(net, select=["S108"], **options).outcomes["S108"]  # type: ignore[arg-type]


def test_fires_with_the_share_of_taps_on_padding() -> None:
    found = outcome(nn.Conv2d(3, 8, 3, padding=1), input_shape=(3, 1, 1))
    assert isinstance(found, Checked)
    assert found.findings[0].severity == "warning"
    assert found.findings[0].data["share_on_padding"] == 1 - (1 / 3) ** 2


def test_two_by_two_is_an_information() -> None:
    found = outcome(nn.Conv2d(3, 8, 3, padding=1), input_shape=(3, 2, 2))
    assert isinstance(found, Checked)
    assert found.findings[0].severity == "info"
    assert found.findings[0].data["share_on_padding"] == 1 - (4 / 6) ** 2


def test_fires_on_a_dilation_that_reaches_past_the_map() -> None:
    net = nn.Conv2d(3, 8, 3, padding=36, dilation=36)
    found = outcome(net, input_shape=(3, 33, 33))
    assert isinstance(found, Checked)
    assert found.findings[0].data["span"] == [73, 73]


def test_padding_by_an_operation_of_its_own_counts() -> None:
    net = nn.Sequential(nn.ZeroPad2d(1), nn.Conv2d(3, 8, 3))
    found = outcome(net, input_shape=(3, 1, 1))
    assert isinstance(found, Checked)
    assert found.findings[0].data["map"] == [1, 1]


def test_stays_silent_on_a_kernel_that_fits() -> None:
    assert outcome(nn.Conv2d(3, 8, 7, padding=3), input_shape=(3, 7, 7)) == Checked()


def test_not_applicable_to_pointwise_networks() -> None:
    assert isinstance(outcome(nn.Conv2d(3, 8, 1)), NotApplicable)

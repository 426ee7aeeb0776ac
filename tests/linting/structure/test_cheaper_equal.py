"""S115 and S116: convolutions that others do the work of for less."""

from __future__ import annotations

from torch import nn

from foveal.linting import Checked, NotApplicable, lint


def outcome(code: str, net: nn.Module, shape: tuple[int, int, int] = (64, 8, 8)) -> object:
    return lint(net, select=[code], input_shape=shape).outcomes[code]


def test_seven_by_seven_is_compared_with_three_layers() -> None:
    found = outcome("S115", nn.Conv2d(64, 64, 7, padding=3))
    assert isinstance(found, Checked)
    (finding,) = found.findings
    assert finding.data["weights"] == 49 * 64**2
    assert finding.data["weights_stacked"] == 27 * 64**2


def test_a_stack_that_widens_at_once_can_be_dearer() -> None:
    assert outcome("S115", nn.Conv2d(64, 192, 5, padding=2)) == Checked()


def test_large_depthwise_kernels_are_not_dense() -> None:
    assert isinstance(outcome("S115", nn.Conv2d(64, 64, 7, groups=64)), NotApplicable)


def test_separable_macs_follow_the_formula() -> None:
    found = outcome("S116", nn.Conv2d(64, 128, 3, padding=1))
    assert isinstance(found, Checked)
    (finding,) = found.findings
    assert finding.data["macs"] == 64 * 64 * 128 * 9
    assert finding.data["macs_separable"] == 64 * (64 * 9 + 64 * 128)


def test_stays_silent_where_little_of_the_work_is_dense() -> None:
    net = nn.Sequential(nn.Conv2d(64, 2048, 1), nn.ReLU(), nn.Conv2d(2048, 64, 1), nn.ReLU())
    net.append(nn.Conv2d(64, 64, 3, padding=1, stride=2))
    assert outcome("S116", net) == Checked()


def test_not_applicable_to_few_channels() -> None:
    assert isinstance(outcome("S116", nn.Conv2d(3, 64, 7), (3, 32, 32)), NotApplicable)

"""S105: a stride that steps over values."""

from __future__ import annotations

import pytest
from torch import nn

from foveal.linting import Checked, NotApplicable, lint


def outcome(net: nn.Module, **options: object) -> object:
    options.setdefault("input_shape", (3, 32, 32))
    return lint(net, select=["S105"], **options).outcomes["S105"]  # type: ignore[arg-type]


class Shortcut(nn.Module):
    def __init__(self, kernel: int, before: nn.Module) -> None:
        super().__init__()
        self.before = before
        self.branch = nn.Conv2d(3, 8, kernel, stride=2, padding=kernel // 2)
        self.shortcut = nn.Conv2d(3, 8, 1, stride=2)

    def forward(self, x):
        return self.branch(x) + self.shortcut(self.before(x))


def test_fires_with_the_share_that_nothing_reads() -> None:
    found = outcome(nn.Conv2d(3, 8, 2, stride=4))
    assert isinstance(found, Checked)
    # Windows start at 0, 4, ..., 28: of 30 positions between the first and last, 16 are read.
    assert found.findings[0].data["share_unseen"] == 1 - (16 / 30) ** 2


def test_dilation_can_skip_what_the_kernel_would_cover() -> None:
    found = outcome(nn.Conv2d(3, 8, 3, stride=2, dilation=2))
    assert isinstance(found, Checked)
    assert len(found.findings) == 1


class Pyramid(nn.Module):
    """Returns a map and the same map strided, as the last level of a feature pyramid."""

    def __init__(self, activation: nn.Module) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.activation = activation

    def forward(self, x):
        p5 = self.conv(x)
        return {"5": p5, "pool": nn.functional.max_pool2d(self.activation(p5), 1, 2)}


@pytest.mark.parametrize("activation", [nn.Identity(), nn.ReLU()])
def test_what_the_network_returns_is_read(activation: nn.Module) -> None:
    assert outcome(Pyramid(activation)) == Checked()


def test_stays_silent_on_a_shortcut_whose_branch_reads_everything() -> None:
    assert outcome(Shortcut(3, nn.Identity())) == Checked()


def test_stays_silent_on_a_shortcut_with_its_own_activation() -> None:
    assert outcome(Shortcut(3, nn.ReLU())) == Checked()


def test_fires_where_branch_and_shortcut_skip_the_same() -> None:
    found = outcome(Shortcut(1, nn.Identity()))
    assert isinstance(found, Checked)
    assert [finding.location for finding in found.findings] == ["branch", "shortcut"]


def test_stays_silent_on_patches_and_on_rows_left_over() -> None:
    net = nn.Sequential(nn.Conv2d(3, 8, 4, stride=4), nn.Conv2d(8, 8, 3, stride=3))
    assert outcome(net) == Checked()


def test_not_applicable_without_stride() -> None:
    assert isinstance(outcome(nn.Conv2d(3, 8, 3)), NotApplicable)

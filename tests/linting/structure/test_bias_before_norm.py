"""S101: a bias that the following normalisation takes away."""

from __future__ import annotations

from torch import nn

from foveal.linting import Checked, NotApplicable, lint


def outcome(net: nn.Module, **options: object) -> object:
    options.setdefault("input_shape", (3, 32, 32))
    return lint(net, select=["S101"], **options).outcomes["S101"]  # type: ignore[arg-type]


def test_fires_on_each_bias_that_only_a_batch_norm_reads() -> None:
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 4, 3), nn.ReLU())
    found = outcome(net)
    assert isinstance(found, Checked)
    assert [finding.location for finding in found.findings] == ["0"]
    assert found.findings[0].data["parameters"] == 8


def test_fires_before_instance_norm_without_offering_a_fix() -> None:
    found = outcome(nn.Sequential(nn.Conv2d(3, 8, 3), nn.InstanceNorm2d(8)))
    assert isinstance(found, Checked)
    assert [finding.fix_id for finding in found.findings] == [None]


def test_stays_silent_without_bias() -> None:
    net = nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8))
    assert outcome(net) == Checked()


def test_stays_silent_where_the_bias_is_read_beside_the_norm() -> None:
    class Forked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)

        def forward(self, x):
            x = self.conv(x)
            return x + self.norm(x)

    assert outcome(Forked()) == Checked()


def test_stays_silent_before_group_norm_over_several_channels() -> None:
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.GroupNorm(2, 8), nn.BatchNorm2d(8))
    assert outcome(net) == Checked()


def test_not_applicable_without_normalisation() -> None:
    assert isinstance(outcome(nn.Conv2d(3, 8, 3)), NotApplicable)

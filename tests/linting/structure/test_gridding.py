"""S106: dilated convolutions that leave holes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from foveal.linting import Checked, NotApplicable, lint


def outcome(net: nn.Module, **options: object) -> object:
    options.setdefault("input_shape", (3, 32, 32))
    return lint(net, select=["S106"], **options).outcomes["S106"]  # type: ignore[arg-type]


def stack(*dilations: int) -> nn.Module:
    return nn.Sequential(*[nn.Conv2d(3, 3, 3, padding=d, dilation=d) for d in dilations])


def test_fires_with_the_exact_support() -> None:
    found = outcome(stack(2, 2))
    assert isinstance(found, Checked)
    (finding,) = found.findings
    # Offsets -4, -2, 0, 2, 4.
    assert (finding.location, finding.data["span"], finding.data["read"]) == ("1", 9, 5)


def test_stays_silent_where_dilations_close_their_holes() -> None:
    assert outcome(stack(1, 2, 5)) == Checked()


def test_stays_silent_where_an_ordinary_convolution_follows() -> None:
    assert outcome(stack(2, 2, 1)) == Checked()


def test_stays_silent_where_pooling_follows() -> None:
    net = nn.Sequential(*stack(2, 2).children(), nn.MaxPool2d(2))
    assert outcome(net) == Checked()


@pytest.mark.parametrize("order", ["x * gate", "gate * x", "where", "gate + x", "gate / x"])
def test_a_gate_of_one_value_a_channel_reads_no_place_of_its_own(order: str) -> None:
    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.squeeze = nn.Conv2d(3, 3, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            gate = torch.sigmoid(self.squeeze(x.mean((2, 3), keepdim=True)))
            return {
                "x * gate": lambda: x * gate,
                "gate * x": lambda: gate * x,
                "where": lambda: torch.where(gate > 0.5, gate, x),
                "gate + x": lambda: gate + x,
                "gate / x": lambda: gate / x,
            }[order]()

    net = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), Gated(), *stack(2).children(), Gated())
    assert outcome(net) == Checked()
    holed = nn.Sequential(*stack(2).children(), Gated(), *stack(2).children(), Gated())
    found = outcome(holed)
    assert isinstance(found, Checked)
    assert (found.findings[0].data["span"], found.findings[0].data["read"]) == (9, 5)


def test_fires_before_global_pooling() -> None:
    net = nn.Sequential(*stack(2, 2).children(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    found = outcome(net)
    assert isinstance(found, Checked)
    assert len(found.findings) == 1


def test_stays_silent_where_a_strided_branch_beside_fills_the_holes() -> None:
    class Selective(nn.Module):
        """Two kernels on one tensor, as in Selective Kernel networks (Li et al. 2019)."""

        def __init__(self, dilations: tuple[int, int]) -> None:
            super().__init__()
            self.paths = nn.ModuleList(
                nn.Conv2d(3, 3, 3, stride=2, padding=d, dilation=d) for d in dilations
            )

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.stack([path(x) for path in self.paths], 1).sum(1)

    assert outcome(Selective((1, 2))) == Checked()
    alone = outcome(Selective((2, 2)))
    assert isinstance(alone, Checked)
    assert alone.findings


def test_stays_silent_where_the_branches_share_the_channels_out() -> None:
    class Split(nn.Module):
        """Each kernel takes half of the channels, as in timm's skresnet50."""

        def __init__(self, dilations: tuple[int, int]) -> None:
            super().__init__()
            self.mix = nn.Conv2d(3, 8, 1)
            self.paths = nn.ModuleList(
                nn.Conv2d(4, 8, 3, stride=2, padding=d, dilation=d) for d in dilations
            )

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            halves = torch.split(self.mix(x), 4, 1)
            return sum(path(half) for path, half in zip(self.paths, halves, strict=True))

    assert outcome(Split((1, 2))) == Checked()
    alone = outcome(Split((2, 2)))
    assert isinstance(alone, Checked)
    assert alone.findings


def test_not_applicable_without_dilation() -> None:
    assert isinstance(outcome(nn.Conv2d(3, 8, 3)), NotApplicable)

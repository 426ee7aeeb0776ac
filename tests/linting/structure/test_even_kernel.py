"""S114: even kernels that keep the size and shift the picture."""

from __future__ import annotations

import torch
from torch import nn

from foveal.linting import Checked, NotApplicable, lint


def outcome(net: nn.Module, **options: object) -> object:
    options.setdefault("input_shape", (3, 32, 32))
    return lint(net, select=["S114"], **options).outcomes["S114"]  # type: ignore[arg-type]


def test_fires_and_adds_the_shifts_up_in_input_pixels() -> None:
    same = nn.Conv2d(3, 3, 2, padding="same")
    found = outcome(nn.Sequential(same, nn.MaxPool2d(2), nn.Conv2d(3, 3, 4, padding="same")))
    assert isinstance(found, Checked)
    assert [finding.data["shift_px"] for finding in found.findings] == [0.5, 1.0]
    assert [finding.severity for finding in found.findings] == ["warning", "warning"]


def test_fires_on_padding_by_an_operation_of_its_own() -> None:
    found = outcome(nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(3, 3, 2)))
    assert isinstance(found, Checked)
    assert len(found.findings) == 1


def test_below_one_per_cent_of_the_input_it_is_an_information() -> None:
    found = outcome(nn.Conv2d(3, 3, 2, padding="same"), input_shape=(3, 64, 64))
    assert isinstance(found, Checked)
    assert [finding.severity for finding in found.findings] == ["info"]


def test_shifts_to_opposite_sides_cancel_on_a_path() -> None:
    def padded(sides: tuple[int, int, int, int]) -> nn.Sequential:
        return nn.Sequential(nn.ZeroPad2d(sides), nn.Conv2d(3, 3, 2))

    there_and_back = [padded((0, 1, 0, 1)), padded((1, 0, 1, 0))] * 8
    found = outcome(nn.Sequential(*there_and_back), input_shape=(3, 64, 64))
    assert isinstance(found, Checked)
    assert {finding.severity for finding in found.findings} == {"info"}


def test_branches_that_meet_do_not_add_their_shifts() -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left = nn.Conv2d(3, 3, 2, padding="same")
            self.right = nn.Conv2d(3, 3, 2, padding="same")

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.left(x) + self.right(x)

    found = outcome(Block(), input_shape=(3, 64, 64))
    assert isinstance(found, Checked)
    assert [f.evidence.rsplit(" ", 1)[1] for f in found.findings] == ["0.5.", "0.5."]


def test_stays_silent_on_odd_kernels_and_on_strides() -> None:
    net = nn.Sequential(nn.Conv2d(3, 3, 5, padding="same"), nn.Conv2d(3, 3, 4, 2, 1))
    assert outcome(net) == Checked()


def test_not_applicable_without_convolution() -> None:
    assert isinstance(outcome(nn.ReLU()), NotApplicable)

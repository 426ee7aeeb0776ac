"""B302: input statistics that contradict the first batch norm."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from foveal.linting import Checked, Finding, NotApplicable, Undetermined, lint
from foveal.linting.behaviour.input_statistics import misfit


def outcome(net: nn.Module, batch: torch.Tensor, **options: object) -> object:
    return lint(net, batch=batch, select=["B302"], **options).outcomes["B302"]  # type: ignore[arg-type]


def only(net: nn.Module, batch: torch.Tensor, **options: object) -> Finding:
    found = outcome(net, batch, **options)
    assert isinstance(found, Checked)
    (finding,) = found.findings
    return finding


def test_stays_silent_on_other_pictures_in_the_right_form(
    net: nn.Sequential, batch: torch.Tensor
) -> None:
    assert outcome(net, batch) == Checked()


def test_bytes_are_an_error_and_named(net: nn.Sequential, pictures: torch.Tensor) -> None:
    finding = only(net, 255 * pictures)
    assert finding.severity == "error"
    assert finding.data["given"] == "0–255"
    assert finding.data["fitting"] == "ImageNet's mean and std"


def test_bytes_normalised_as_if_in_unit_range_are_an_error(
    net: nn.Sequential, pictures: torch.Tensor
) -> None:
    finding = only(net, (255 * pictures - 0.5) / 0.5)
    assert finding.severity == "error"
    assert finding.data["given"] == "0–255, normalised as if it were 0–1"


def test_missing_normalisation_is_named(net: nn.Sequential, pictures: torch.Tensor) -> None:
    finding = only(net, pictures)
    assert (finding.severity, finding.location) == ("warning", "1")
    assert finding.fix == "Prepare the images with ImageNet's mean and std."


def test_another_mean_and_std_are_named(net: nn.Sequential, pictures: torch.Tensor) -> None:
    finding = only(net, (pictures - 0.5) / 0.5)
    assert finding.data["given"] == "normalised with mean and std of 0.5"
    assert finding.data["fitting"] == "ImageNet's mean and std"


def test_turned_channels_are_named(net: nn.Sequential, pictures: torch.Tensor) -> None:
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    finding = only(net, (pictures.flip(1) - mean) / std)
    assert finding.data["flips_channels"] is True
    assert "BGR to RGB" in finding.fix


def test_a_stated_form_is_the_only_one_tried(net: nn.Sequential, pictures: torch.Tensor) -> None:
    stated = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
    finding = only(net, pictures, expected_input=stated)
    assert "as the makers of the weights state" in finding.evidence


def test_does_not_apply_before_anything_was_learned(batch: torch.Tensor) -> None:
    new = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).eval()
    assert isinstance(outcome(new, batch), NotApplicable)


def test_cannot_tell_without_batch_norm(pictures: torch.Tensor) -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 4, 4), nn.GroupNorm(1, 4), nn.GELU())
    found = outcome(net, 255 * pictures)
    assert isinstance(found, Undetermined)
    assert "no batch norm" in found.reason


def test_cannot_tell_when_nothing_usual_fits(net: nn.Sequential, pictures: torch.Tensor) -> None:
    found = outcome(net, 5 * torch.randn_like(pictures) - 3)
    assert isinstance(found, Undetermined)
    assert "no usual correction fits better" in found.reason


def test_a_known_preparation_is_not_guessed(net: nn.Sequential, pictures: torch.Tensor) -> None:
    bright = 0.5 + 0.5 * pictures  # in the form of 0.5 and 0.5, as wide as images in 0–1 are
    batch = (bright - 0.5) / 0.5
    known = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
    guessed = only(net, batch)
    assert guessed.data["given"] == "0–1, not normalised"
    found = outcome(net, batch, given_input=known)
    assert isinstance(found, Undetermined)


def test_a_known_preparation_is_told_as_what_it_is(
    net: nn.Sequential, pictures: torch.Tensor
) -> None:
    bytes_ = {"mean": (0.0, 0.0, 0.0), "std": (0.003922, 0.003922, 0.003922)}
    finding = only(net, 255 * pictures, given_input=bytes_)
    assert finding.evidence.startswith("The batch is 0–255; its statistics at '1' miss")


def test_dark_pictures_do_not_tell_their_form(net: nn.Sequential, pictures: torch.Tensor) -> None:
    found = outcome(net, 0.5 * pictures)
    assert isinstance(found, Undetermined)


def test_misfit_is_the_divergence_by_hand() -> None:
    norm = nn.BatchNorm2d(3, eps=0.0)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    norm.running_mean.fill_(1.0)
    norm.running_var.fill_(4.0)
    # Means 3, 1 and 1, variances 1, 4 and 1.
    values = torch.tensor([[2.0, 4.0], [-1.0, 3.0], [0.0, 2.0]]).view(1, 3, 1, 2)
    first = math.log(1 + 0.5 * (1 / 4 + (3 - 1) ** 2 / 4 - 1 - math.log(1 / 4)))
    last = math.log(1 + 0.5 * (1 / 4 - 1 - math.log(1 / 4)))
    found = misfit(values, norm)
    assert found.usual == pytest.approx(last)  # between 0 and the first
    assert found.mean == pytest.approx((first + last) / 3 + (2 / 2) / 3)

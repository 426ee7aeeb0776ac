"""B308: images that the network is not made for."""

from __future__ import annotations

import pytest
import torch
from tests.linting.calls import of_rule, small
from torch import nn

from foveal.linting import Checked, NotApplicable, lint

outcome, severities = of_rule("B308")


PICTURES = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("batch", "severity"),
    [
        (255 * PICTURES, "warning"),
        (65_535 * PICTURES, "warning"),
        (PICTURES / 255, "warning"),
        ((255 * PICTURES).byte(), "error"),
        (PICTURES.permute(0, 2, 3, 1), "error"),
        (PICTURES[:, :1], "error"),
        (PICTURES[:1].expand(4, 3, 16, 16), "error"),
        (0 * PICTURES, "error"),
        (PICTURES.mean((2, 3), keepdim=True).expand(4, 3, 16, 16), "error"),
    ],
)
def test_fires(batch: torch.Tensor, severity: str) -> None:
    assert severities(small(), batch=batch) == [severity]


def test_bytes_are_told_among_all_rules_and_the_others_do_not_blame_the_model() -> None:
    report = lint(small(), batch=(255 * PICTURES).byte())
    assert [finding.code for finding in report.findings if finding.severity == "error"] == ["B308"]
    assert not report.is_refused_input


def test_a_layer_of_the_wrong_size_is_an_error_in_its_own_words() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(100, 4))
    found = outcome(net, batch=PICTURES)
    assert isinstance(found, Checked)
    assert "mat1 and mat2" in found.findings[0].evidence


@pytest.mark.parametrize("batch", [PICTURES, 2 * PICTURES - 1, 4 * PICTURES - 2])
def test_stays_silent_on_usual_forms(batch: torch.Tensor) -> None:
    assert outcome(small(), batch=batch) == Checked()


def test_a_norm_behind_the_first_layer_makes_it_an_information() -> None:
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(1568, 4))
    assert severities(net, batch=255 * PICTURES) == ["info"]


def test_stays_silent_where_the_network_normalises_itself() -> None:
    assert outcome(nn.Sequential(nn.BatchNorm2d(3), *small()), batch=255 * PICTURES) == Checked()


def test_not_applicable_to_trained_weights() -> None:
    found = outcome(small(), batch=255 * PICTURES, is_pretrained=True)
    assert isinstance(found, NotApplicable)


def test_channels_that_stand_last_and_are_taken() -> None:
    net = nn.Sequential(nn.Conv2d(16, 4, 3), nn.Flatten(), nn.Linear(56, 4))
    assert severities(net, batch=PICTURES.permute(0, 2, 3, 1)) == ["warning"]


def test_a_channel_that_holds_nothing() -> None:
    grey = PICTURES[:, :1].expand(-1, 3, -1, -1)
    empty = PICTURES * torch.tensor([1.0, 0, 1]).view(1, 3, 1, 1)
    assert severities(small(), batch=empty) == ["warning"]
    assert severities(small(), batch=grey.clone()) == []

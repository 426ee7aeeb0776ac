"""W201: weights that are no numbers."""

from __future__ import annotations

import torch
from torch import nn

from foveal.linting import Checked, NotApplicable, lint


def outcome(net: nn.Module, **options: object) -> object:
    options.setdefault("input_shape", (3, 32, 32))
    return lint(net, select=["W201"], **options).outcomes["W201"]  # type: ignore[arg-type]


def test_fires_with_counts() -> None:
    net = nn.Conv2d(3, 8, 3)
    with torch.no_grad():
        net.weight[0, 0, 0, :] = float("nan")
        net.bias[1] = float("inf")  # type: ignore[index]
    found = outcome(net)
    assert isinstance(found, Checked)
    assert [(f.location, f.data["nan"], f.data["infinite"]) for f in found.findings] == [
        ("weight", 3, 0),
        ("bias", 0, 1),
    ]


def test_fires_on_running_statistics() -> None:
    net = nn.BatchNorm2d(3)
    net.running_var[0] = float("inf")  # type: ignore[index]
    found = outcome(net)
    assert isinstance(found, Checked)
    assert [finding.location for finding in found.findings] == ["running_var"]


def test_stays_silent_on_an_attention_mask() -> None:
    net = nn.Conv2d(3, 8, 3)
    net.register_buffer("mask", torch.full((4, 4), float("-inf")).triu(1))
    assert outcome(net) == Checked()


def test_not_applicable_on_the_meta_device() -> None:
    assert isinstance(outcome(nn.Conv2d(3, 8, 3, device="meta")), NotApplicable)

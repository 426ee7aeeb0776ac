"""What scripts may rely on in the JSON of ``foveal inspect`` and ``foveal lint``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
NETWORKS = """
import torch
from torch import nn


class Excited(nn.Module):
    '''A plain path, a squeeze, an operation whose cost nobody knows, and a pooled head.'''

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, (3, 5), stride=(1, 2), bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.squeeze = nn.AdaptiveAvgPool2d(1)
        self.gate = nn.Conv2d(8, 8, 1)
        self.head = nn.Linear(8, 2)
        self.stem.weight.requires_grad_(False)

    def forward(self, x):
        x = self.norm(self.stem(x))
        x = x * torch.sigmoid(self.gate(self.squeeze(x)))
        return self.head(x.mean((2, 3)))


class Singular(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        return torch.linalg.svdvals(self.conv(x))
"""
FIELDS = ("name", "kind", "output_shape", "parameters", "macs")
PER_AXIS = ("receptive_field", "effective_stride")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "net.py"
    path.write_text(NETWORKS)
    return path


@pytest.fixture
def inspected(foveal: Run, file: Path) -> Callable[[str], dict[str, Any]]:
    def run(name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(
            foveal("inspect", f"{file}:{name}", "--input", "3x16x32", "--json").out
        )
        return found

    return run


@pytest.mark.parametrize("name", ["Excited", "Singular"])
def test_every_operation_has_the_promised_fields(
    inspected: Callable[[str], dict[str, Any]], name: str
) -> None:
    for op in inspected(name)["ops"]:
        assert {*FIELDS, *PER_AXIS} <= op.keys()
        assert isinstance(op["name"], str)
        assert isinstance(op["kind"], str)
        assert all(type(size) is int for size in op["output_shape"])
        for field in ("parameters", "macs"):
            assert type(op[field]) is int or (op[field] is None and op["reason"])
        for field in PER_AXIS:
            value = op[field]
            assert (value is None and op["reason"]) or len(value) == 2


def test_per_axis_figures_are_height_then_width(
    inspected: Callable[[str], dict[str, Any]],
) -> None:
    stem = next(op for op in inspected("Excited")["ops"] if op["name"] == "stem")
    assert (stem["receptive_field"], stem["effective_stride"]) == ([3, 5], [1, 2])
    # 16 - 3 + 1 rows, (32 - 5) // 2 + 1 columns.
    assert stem["output_shape"] == [1, 8, 14, 14]
    assert (stem["parameters"], stem["macs"]) == (8 * 3 * 15, 8 * 3 * 15 * 14 * 14)


def test_what_sees_the_whole_image_says_so(inspected: Callable[[str], dict[str, Any]]) -> None:
    whole = {op["name"]: op["global"] for op in inspected("Excited")["ops"]}
    assert (whole["stem"], whole["norm"]) == (False, False)
    assert (whole["squeeze"], whole["gate"], whole["head"]) == (True, True, True)


def test_what_is_unavailable_is_null_with_its_reason(
    inspected: Callable[[str], dict[str, Any]],
) -> None:
    last = inspected("Singular")["ops"][-1]
    assert last["receptive_field"] is None
    assert last["global"] is False
    assert "svdvals" in last["reason"]


def test_totals(inspected: Callable[[str], dict[str, Any]]) -> None:
    totals = inspected("Excited")["totals"]
    trainable = 2 * 8 + (8 * 8 + 8) + (8 * 2 + 2)
    assert totals["trainable_parameters"] == trainable
    assert totals["parameters"] == trainable + 8 * 3 * 15
    assert totals["macs"] == 8 * 3 * 15 * 14 * 14 + 8 * 8 + 8 * 2
    # The last map before global pooling; the squeeze beside it is not on the way.
    assert totals["receptive_field"] == [3, 5]


def test_findings_have_the_promised_fields(foveal: Run, file: Path) -> None:
    outcome = foveal("lint", "torchvision:alexnet", "--json")
    found = json.loads(outcome.out)["findings"]
    assert "S102" in {finding["code"] for finding in found}
    for finding in found:
        assert {"code", "severity", "location", "evidence", "fix"} <= finding.keys()
        assert finding["severity"] in {"error", "warning", "info"}
        assert finding["evidence"]
        assert finding["fix"]

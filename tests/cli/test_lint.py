"""``foveal lint`` through its command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from foveal.cli.lint import command

FACTORY = """
import torch
from torch import nn


def biased():
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU())


def broken():
    net = nn.Conv2d(3, 8, 3)
    with torch.no_grad():
        net.weight.fill_(float("nan"))
    return net
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "net.py"
    path.write_text(FACTORY)
    return path


def run(*args: str) -> Result:
    return CliRunner().invoke(command, list(args))


def test_text_groups_by_rule_within_80_columns() -> None:
    result = run("torchvision:vgg11_bn")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert "NOTE  S101 bias before a normalisation (8 places)" in lines
    assert lines[-1].startswith("0 errors, 1 warning,")
    assert max(map(len, lines)) <= 80


def test_warnings_come_before_notes() -> None:
    words = [line.split()[0] for line in run("torchvision:vgg11_bn").stdout.splitlines() if line]
    assert words.index("WARNING") < words.index("NOTE")


def test_an_error_exits_with_1(file: Path) -> None:
    result = run(f"{file}:broken", "--select", "W201", "--input", "3x8x8")
    assert result.exit_code == 1
    assert "ERROR  W201" in result.stdout


def test_json_has_findings_and_outcomes(file: Path) -> None:
    result = run(f"{file}:biased", "--json", "--input", "3x32x32", "--select", "S101,S107")
    content = json.loads(result.stdout)
    (finding,) = content["findings"]
    assert {"code", "severity", "place", "evidence", "fix"} <= finding.keys()
    assert content["outcomes"]["S107"]["outcome"] == "not applicable"
    assert content["input_shape"] == [3, 32, 32]


def test_ignore_leaves_a_rule_out(file: Path) -> None:
    result = run(f"{file}:biased", "--json", "--select", "structure", "--ignore", "S101")
    assert "S101" not in json.loads(result.stdout)["outcomes"]


def test_what_could_not_be_told_is_said(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text(
        "from torch import nn\n\n\nclass Net(nn.Module):\n    def forward(self, x):\n"
        "        return x if x.sum() > 0 else -x\n"
    )
    result = run(f"{path}:Net", "--input", "3x8x8", "--select", "S105")
    assert "COULD NOT TELL  S105" in result.stdout


@pytest.mark.parametrize("shape", ["224", "3x224", "3x0x4", "axbxc"])
def test_a_wrong_shape_is_answered_with_an_example(file: Path, shape: str) -> None:
    result = run(f"{file}:biased", "--input", shape)
    assert result.exit_code == 2
    assert "3x224x224" in result.stderr


def test_help_shows_an_example() -> None:
    assert "foveal lint torchvision:vgg16_bn" in run("--help").stdout

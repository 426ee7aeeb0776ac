"""Networks and inputs that do not go together, through ``foveal inspect`` and ``foveal lint``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
COMMANDS = ("inspect", "lint")
# Nothing can be listed of such a network, and that it fails is something the linter found.
NOT_READ = {"inspect": 3, "lint": 1}
NETWORKS = """
from torch import nn


def pooled():
    layers, channels = [], 3
    for width in (8, 16, 16):
        layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        channels = width
    return nn.Sequential(*layers, nn.Conv2d(16, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())


class Raising(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3)
        self.second = Broken()

    def forward(self, x):
        return self.second(self.first(x))


class Broken(nn.Module):
    def forward(self, x):
        raise RuntimeError("no weights for Tuesday")


class Branching(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3)
        self.second = nn.Conv2d(8, 8, 3)

    def forward(self, x):
        x = self.first(x)
        return self.second(x) if x.mean() > 0 else x


def unfinished():
    raise OSError("the disk is full")
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "net.py"
    path.write_text(NETWORKS)
    return path


def words(outcome: Any) -> str:
    """Returns all that was said, however it was broken into lines."""
    return " ".join((outcome.out + outcome.err).split())


@pytest.mark.parametrize("command", COMMANDS)
def test_a_wrong_channel_count_names_layer_and_numbers(
    foveal: Run, file: Path, command: str
) -> None:
    outcome = foveal(command, f"{file}:pooled", "--input", "1x64x64")
    assert outcome.code == NOT_READ[command]
    assert "layer '0' (conv2d) expects 3 channels, got 1" in words(outcome)
    assert "Give an input with 3 channels" in words(outcome)


@pytest.mark.parametrize("command", COMMANDS)
def test_too_small_an_input_names_the_layer_and_the_smallest_size(
    foveal: Run, file: Path, command: str
) -> None:
    outcome = foveal(command, f"{file}:pooled", "--input", "3x20x20")
    assert outcome.code == NOT_READ[command]
    assert "is too small: at layer '9' (conv2d) only 2 x 2 is left" in words(outcome)
    # Three halvings, and the last convolution needs three.
    assert f"smallest square input that works is 3 x {3 * 2**3} x {3 * 2**3}" in words(outcome)
    assert foveal(command, f"{file}:pooled", "--input", "3x24x24").code == 0


@pytest.mark.parametrize("command", COMMANDS)
def test_a_module_that_raises_is_named_with_its_line_and_words(
    foveal: Run, file: Path, command: str
) -> None:
    outcome = foveal(command, f"{file}:Raising", "--input", "3x32x32")
    line = NETWORKS.splitlines().index('        raise RuntimeError("no weights for Tuesday")') + 1
    assert outcome.code == NOT_READ[command]
    assert f"'second' (Broken), net.py line {line}" in words(outcome)
    assert "RuntimeError on an input of 1 x 3 x 32 x 32: no weights for Tuesday" in words(outcome)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_factory_file_that_is_missing(foveal: Run, tmp_path: Path, command: str) -> None:
    outcome = foveal(command, f"{tmp_path / 'nope.py'}:make")
    assert (outcome.code, outcome.out) == (2, "")
    assert "nope.py does not exist. Check the path" in words(outcome)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_factory_that_is_missing_has_near_names(foveal: Run, file: Path, command: str) -> None:
    outcome = foveal(command, f"{file}:poled")
    assert (outcome.code, outcome.out) == (2, "")
    assert "has no 'poled'. It has pooled." in words(outcome)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_factory_that_raises(foveal: Run, file: Path, command: str) -> None:
    outcome = foveal(command, f"{file}:unfinished")
    assert (outcome.code, outcome.out) == (3, "")
    assert "net.py:unfinished raised OSError: the disk is full" in words(outcome)


def test_data_dependent_control_flow_is_inspected_up_to_there(foveal: Run, file: Path) -> None:
    outcome = foveal("inspect", f"{file}:Branching", "--input", "3x8x8")
    assert outcome.code == 0
    assert "PARTIAL: tracing stopped at the model itself (Branching), net.py line" in words(outcome)
    assert "return self.second(x) if x.mean() > 0 else x" in words(outcome)
    assert f"MACs at least {8 * 27 * 6 * 6:,}" in words(outcome)


def test_data_dependent_control_flow_is_what_the_linter_could_not_tell(
    foveal: Run, file: Path
) -> None:
    outcome = foveal("lint", f"{file}:Branching", "--input", "3x8x8")
    assert outcome.code == 0
    assert "COULD NOT TELL S101," in words(outcome)
    assert "what it does next depends on the values in an image" in words(outcome)

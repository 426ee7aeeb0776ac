from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from foveal.cli.app import warnings_as_notes
from foveal.cli.inspect import command
from foveal.errors import TraceError, UsageError

NET = """
from torch import nn
def small():
    return nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(),
                         nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
def two():
    return nn.Conv2d(2, 4, 3)
def large():
    return nn.Sequential(nn.Conv2d(1, 4, 7, padding=3))
"""


@pytest.fixture
def net(tmp_path):
    path = tmp_path / "net.py"
    path.write_text(NET)
    return path


def _run(*args):
    with warnings_as_notes():
        return CliRunner().invoke(command, [str(arg) for arg in args], catch_exceptions=False)


def test_the_table_fits_80_columns():
    for name in ("torchvision:googlenet", "torchvision:efficientnet_b0"):
        for by in ("op", "stage"):
            shown = _run(name, "--by", by)
            assert shown.exit_code == 0
            assert max(len(line) for line in shown.stdout.splitlines()) <= 80


def test_json_has_the_promised_keys(net):
    found = json.loads(_run(f"{net}:small", "--input", "1x28x28", "--json").stdout)
    assert found["totals"]["parameters"] == 4 * 9 + 4 + 8 + 10
    assert found["totals"]["trainable_parameters"] == found["totals"]["parameters"]
    assert found["totals"]["macs"] == 4 * 9 * 28 * 28 + 8
    assert found["totals"]["receptive_field"] == [3, 3]
    first, last = found["ops"][0], found["ops"][-1]
    assert {k: first[k] for k in ("name", "kind", "output_shape", "parameters", "macs",
                                  "receptive_field", "effective_stride")} == {
        "name": "0", "kind": "conv", "output_shape": [1, 4, 28, 28], "parameters": 40,
        "macs": 28224, "receptive_field": [3, 3], "effective_stride": [1, 1],
    }  # fmt: skip
    assert (last["receptive_field"], last["effective_stride"], last["global"]) == (None, None, True)
    assert last["reason"] == "it sees the whole image"


def test_comparison(net):
    shown = _run(f"{net}:small", "--against", f"{net}:large", "--input", "1x28x28").stdout
    line = shown.splitlines()[-1]
    assert line.split() == ["receptive", "field", "3", "px", "7", "px", "×", "2.33"]


def test_effective(net):
    shown = _run(f"{net}:large", "--input", "1x28x28", "--effective").stdout
    assert "theoretical    7 × 7 px" in shown


def test_effective_as_json(net):
    shown = _run(f"{net}:large", "--input", "1x28x28", "--effective", "--json").stdout
    assert json.loads(shown)["effective"]["theoretical_px"] == [7, 7]


def test_effective_on_an_image_of_the_users_own(net, tmp_path):
    picture = tmp_path / "ramp.png"
    Image.fromarray(np.tile(np.arange(64, dtype=np.uint8), (64, 1))).save(picture)
    page = tmp_path / "net.html"
    arguments = ("torchvision:resnet18", "--input", "3x64x64", "--effective", "--layer", "layer1")
    shown = _run(*arguments, "--images", picture, "--html", page)
    assert "theoretical    43 × 43 px" in shown.stdout
    assert "data:image/" in page.read_text("utf-8")


def test_an_image_needs_a_network_in_colour_or_in_grey(net, tmp_path):
    with pytest.raises(UsageError, match="takes 2 channels"):
        _run(f"{net}:two", "--input", "2x28x28", "--effective", "--images", tmp_path / "x.png")


def test_effective_on_an_image_in_grey(net, tmp_path):
    Image.fromarray(np.tile(np.arange(64, dtype=np.uint8), (64, 1))).save(tmp_path / "x.png")
    arguments = (f"{net}:large", "--input", "1x28x28", "--effective", "--json")
    shown = _run(*arguments, "--images", tmp_path / "x.png")
    assert json.loads(shown.stdout)["effective"]["theoretical_px"] == [7, 7]


def test_html_is_written_whole(net, tmp_path):
    page = tmp_path / "out" / "net.html"
    shown = _run(f"{net}:small", "--input", "1x28x28", "--html", page, "--effective")
    text = page.read_text("utf-8")
    assert text.startswith("<!doctype html>")
    assert "Effective receptive field" in text
    assert str(page) in shown.stderr


def test_an_assumed_input_is_told(net):
    assert "The input 1x224x224 is assumed" in _run(f"{net}:small").stdout


def test_an_input_that_cannot_be_read():
    shown = _run("torchvision:resnet18", "--input", "3xbig")
    assert shown.exit_code == 2
    assert "'3xbig' cannot be read as a shape" in shown.stderr


def test_wrong_channels(net):
    with pytest.raises(TraceError, match="expects 1 channels, got 3"):
        _run(f"{net}:small", "--input", "3x28x28")


def test_an_option_of_effective_alone_is_wrong_usage(net):
    shown = _run(f"{net}:small", "--layer", "0")
    assert shown.exit_code == 2
    assert "--layer says how --effective measures" in shown.stderr


def test_a_plain_network_beside_the_residual_one():
    shown = _run("foveal:plain20", "--against", "foveal:resnet20")
    assert shown.exit_code == 0
    assert "foveal:plain20     foveal:resnet20" in shown.stdout


def test_the_forms_of_model_are_told():
    assert "foveal:NAME" in _run("--help").stdout


SEVERAL = """
import torch
from torch import nn
class Both(nn.Module):
    def __init__(self):
        super().__init__()
        self.image = nn.Conv2d(3, 4, 3)
        self.table = nn.Embedding(10, 4)
    def forward(self, image, tokens):
        return self.image(image).mean((2, 3)) + self.table(tokens).mean(1)
def row():
    return nn.Conv1d(2, 4, 3)
"""


@pytest.mark.parametrize(
    ("name", "given", "shown"),
    [
        ("Both", "3x8x8,1x5", "3×8×8 float32, 5 int64"),
        ("Both", "tokens=1x5:int64,image=3x8x8", "5 int64, 3×8×8 float32"),
        ("row", "2x50", "2×50 float32"),
    ],
)
def test_several_inputs_names_types_and_rows(tmp_path, name, given, shown):
    path = tmp_path / "several.py"
    path.write_text(SEVERAL)

    result = _run(f"{path}:{name}", "--input", given)

    assert result.exit_code == 0
    assert shown in result.stdout

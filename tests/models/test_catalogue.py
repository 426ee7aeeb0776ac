from __future__ import annotations

import importlib

import pytest
import torch

import foveal.models
from foveal.errors import UnknownModelError, UsageError
from foveal.inspection import inspect
from foveal.models import CATALOGUE, build, find_architecture


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)
def test_the_figures_are_those_that_the_inspector_finds(entry) -> None:
    with torch.device("meta"):
        network = build(entry.name).eval()
    totals = inspect(network, entry.input_shape).totals
    assert (totals.parameters, totals.macs.value, totals.receptive_field.size) == (
        entry.parameters,
        entry.macs,
        (entry.receptive_field, entry.receptive_field),
    )


def test_every_name_is_there_once() -> None:
    names = [entry.name for entry in CATALOGUE]
    assert len(set(names)) == len(names)


def test_every_architecture_file_is_in_the_catalogue() -> None:
    """A file with a paper and no entry would be a network that nobody can name."""
    folder = importlib.resources.files("foveal.models.architectures")
    modules = [
        importlib.import_module(f"foveal.models.architectures.{file.name[:-3]}")
        for file in folder.iterdir()
        if file.name.endswith(".py") and file.name != "__init__.py"
    ]
    papers = {paper for m in modules for name, paper in vars(m).items() if name.endswith("PAPER")}
    assert papers == {entry.paper for entry in CATALOGUE}


def test_a_paper_is_cited_in_one_line() -> None:
    assert str(find_architecture("resnet20").paper) == (
        "He, Zhang, Ren, Sun: Deep Residual Learning for Image Recognition (2016, arXiv:1512.03385)"
    )


def test_the_year_is_the_papers() -> None:
    assert find_architecture("alexnet_2012").year == 2012


def test_a_name_is_found_with_its_library_before_it() -> None:
    assert find_architecture("foveal:resnet20") is find_architecture("resnet20")


def test_a_wrong_name_is_answered_with_near_ones() -> None:
    with pytest.raises(UnknownModelError, match=r"no model named 'resnet21'\.\nDid you mean .*20"):
        build("resnet21")


def test_a_built_network_trains() -> None:
    assert build("cifar_net").training


def test_the_options_are_the_builders() -> None:
    network = build("resnet18", num_classes=5, output_stride=8)
    assert network.fc.out_features == 5
    assert network.layer4[1].conv1.dilation == (4, 4)


@pytest.mark.parametrize(
    ("name", "option", "message"),
    [
        ("resnet18", "num_clases", r"no option 'num_clases'; it has .*\nDid you mean num_classes"),
        ("resnet18", "depth", "no option 'depth'"),
        ("plain18", "shortcut", "no option 'shortcut'"),
        ("vgg11_bn", "batch_norm", "no option 'batch_norm'"),
    ],
)
def test_an_option_that_is_none_or_part_of_the_name_is_refused(name, option, message) -> None:
    with pytest.raises(UsageError, match=message):
        build(name, **{option: 3})


def test_the_public_names_are_these() -> None:
    assert set(foveal.models.__all__) == {
        *("CATALOGUE", "DEFAULT_BACKBONE", "Architecture", "Backbone", "Network"),
        *("WeightsSource", "build", "find_architecture", "load_backbone", "read_state_dict"),
        *("TimmNetwork", "load_timm_network", "require_timm_model", "open_network"),
    }


@pytest.mark.parametrize("module", [foveal.models, foveal.models.architectures])
def test_every_public_name_is_there(module) -> None:
    assert all(hasattr(module, name) for name in module.__all__)

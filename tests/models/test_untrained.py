"""Backbones that start at random: the seed fixes the start, and they are read like any other."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from foveal.errors import ModelError, UnknownModelError, WeightsError
from foveal.models import build, load_backbone
from foveal.models.backbone import install_head, require_backbone, starts_at_random
from foveal.models.untrained import OwnNetwork, build_own


def test_the_seed_fixes_the_start_and_the_digest() -> None:
    first, again, other = (load_backbone("foveal:resnet20", seed=seed) for seed in (1, 1, 2))
    assert first.weights.digest == again.weights.digest != other.weights.digest
    assert first.weights.description == "a random start (seed 1), nothing pretrained"
    assert first.name == "foveal:resnet20"
    assert first.num_features == 64


def test_the_state_of_torch_is_left_as_it_was() -> None:
    before = torch.random.get_rng_state()
    build_own("foveal:resnet20", seed=3)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize(
    "name", ["resnet20", "plain20", "cifar_net", "mobilenet_v1", "densenet121"]
)
def test_features_and_classifier_give_the_networks_own_logits(name: str) -> None:
    network = OwnNetwork(f"foveal:{name}", num_classes=7).eval()
    own = build(name, num_classes=7).eval()
    state = network.state_dict()
    values = [value for key, value in state.items() if key.startswith("body.")]
    values += [state["fc.weight"], state["fc.bias"]]
    own.load_state_dict(dict(zip(own.state_dict(), values, strict=True)))
    images = torch.randn(2, *network.pretrained_cfg["input_size"])
    with torch.inference_mode():
        features = network.forward_features(images)
        logits = network.forward_head(features)
        torch.testing.assert_close(logits, own(images))
        torch.testing.assert_close(network(images), logits)
        assert torch.equal(network.forward_head(features, pre_logits=True), features)


def test_a_head_can_be_installed() -> None:
    network = load_backbone("foveal:resnet20").network
    install_head(network, torch.ones(4, 64), torch.arange(4.0))
    with torch.inference_mode():
        logits = network(torch.zeros(1, 3, 32, 32))[0]
    assert (logits - logits[0]).tolist() == pytest.approx([0, 1, 2, 3], abs=1e-3)


@pytest.mark.parametrize("name", ["nin", "googlenet"])
def test_what_has_no_linear_head_is_refused(name: str) -> None:
    with pytest.raises(ModelError, match="not one linear layer over one vector"):
        load_backbone(f"foveal:{name}")


def test_unknown_networks_and_checkpoints_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownModelError, match="no model named 'resnet21'"):
        require_backbone("foveal:resnet21")
    with pytest.raises(UnknownModelError, match="timm has no model"):
        load_backbone("resnett18", weights="none")
    with pytest.raises(WeightsError, match="cannot be loaded into foveal:resnet20"):
        load_backbone("foveal:resnet20", weights=tmp_path / "some.pth")


def test_networks_of_timm_start_at_random_where_no_weights_are_wanted() -> None:
    first, again, other = (
        load_backbone("test_resnet", weights="none", seed=seed) for seed in (0, 0, 1)
    )
    assert first.weights.digest == again.weights.digest != other.weights.digest
    assert starts_at_random("test_resnet", "none")
    assert not starts_at_random("test_resnet", None)
    assert starts_at_random("foveal:resnet20", None)

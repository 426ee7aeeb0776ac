"""Every method equals its definition by plain autograd, on published networks."""

from __future__ import annotations

import pytest
import torch
import torchvision
from torch import nn

from foveal.explanation import Explainer
from foveal.explanation.methods import METHODS as ALL_METHODS

METHODS = tuple(method.name for method in ALL_METHODS if method.run is None)


# Network, size, module that returns the layer of the features, whether CAM is defined.
PUBLISHED = (
    ("resnet18", 64, "layer4", True),
    ("mobilenet_v2", 64, "features", True),
    ("squeezenet1_1", 64, "features", False),
    ("mobilenet_v3_small", 64, "features", False),
    pytest.param("densenet121", 64, "features", True, marks=pytest.mark.slow),
    pytest.param("googlenet", 64, "inception5b", True, marks=pytest.mark.slow),
    pytest.param("shufflenet_v2_x0_5", 64, "conv5", True, marks=pytest.mark.slow),
    pytest.param("convnext_tiny", 64, "features", False, marks=pytest.mark.slow),
    ("vgg11", 32, "features.19", False),
    ("alexnet", 64, "features.11", False),
)


def assert_same_map(found, expected) -> None:
    """Equal to 1e-5 of the largest value, the scale of a map being its method's own."""
    scale = float(expected.abs().max())
    assert scale > 0
    torch.testing.assert_close(
        torch.as_tensor(found).double() / scale, expected / scale, atol=1e-5, rtol=0
    )


@pytest.mark.parametrize(("name", "size", "path", "has_cam"), PUBLISHED)
def test_maps_of_published_networks(name, size, path, has_cam, enliven, textbook):
    settings = {"init_weights": False} if name == "googlenet" else {}
    with torch.device("meta"):
        model = torchvision.models.get_model(name, weights=None, num_classes=10, **settings)
        if name in {"vgg11", "alexnet"}:
            # Their head, without its hundred million weights.
            width = next(m for m in model.classifier if isinstance(m, nn.Linear)).in_features
            model.classifier = nn.Sequential(
                nn.Linear(width, 16), nn.ReLU(inplace=True), nn.Dropout(), nn.Linear(16, 10)
            )
    # Double precision, so that a difference is one of definition and not of rounding.
    model = enliven(model.to_empty(device="cpu")).double()
    images = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0)).double()
    explainer = Explainer(model)
    module = model.get_submodule(path)
    if name == "densenet121":
        module = model.features  # its ReLU is a function; see below
    for method in METHODS if has_cam else METHODS[1:]:
        maps = explainer.explain(images, classes=[3, 7], method=method)
        for j, class_index in enumerate((3, 7)):
            if name == "densenet121":
                expected = densenet_map(model, images, class_index, method, textbook)
            else:
                expected = textbook(model, module, images, class_index, method)
            for n in range(2):
                assert_same_map(maps[n][j].signed, expected[n])


def densenet_map(model, images, class_index, method, textbook):
    """DenseNet-121 rewritten with its last ReLU as a module."""
    whole = nn.Sequential(
        model.features,
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        model.classifier,
    )
    return textbook(whole, whole[1], images, class_index, method)


@pytest.mark.parametrize("method", METHODS[1:])
def test_maps_at_any_layer_that_is_asked_for(net, images, method, textbook):
    found = Explainer(net).explain(images, classes=2, method=method, layer="features.1")

    expected = textbook(net, net.features[1], images, 2, method)

    for n, (heat_map,) in enumerate(found):
        assert_same_map(heat_map.signed, expected[n])


@pytest.mark.parametrize("method", METHODS[1:])
def test_maps_before_a_flattening_head(flat_net, images, method, textbook):
    found = Explainer(flat_net).explain(images, classes=1, method=method)

    expected = textbook(flat_net, flat_net.features[4], images, 1, method)

    for n, (heat_map,) in enumerate(found):
        assert_same_map(heat_map.signed, expected[n])


def test_the_maps_of_a_squeezenet_are_its_class_maps(enliven):
    with torch.device("meta"):
        model = torchvision.models.squeezenet1_1(weights=None, num_classes=10)
    model = enliven(model.to_empty(device="cpu"))
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))

    maps = Explainer(model).explain(images, classes="all", method="cam")

    with torch.no_grad():
        expected = model.classifier[2](model.classifier[1](model.features(images)))
    assert_same_map(
        torch.stack([torch.stack([torch.tensor(m.signed) for m in row]) for row in maps]),
        expected.double(),
    )

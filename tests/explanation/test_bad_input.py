"""Wrong classes, layers, methods, images and networks, each with what to do about it."""

from __future__ import annotations

import re

import numpy as np
import pytest
import timm
import torch
import torchvision
from torch import nn

from foveal.errors import ModelError, TraceError, UsageError
from foveal.explanation import Explainer, explain


@pytest.mark.parametrize("classes", [4, -1, [0, 4]])
def test_a_class_out_of_range_names_the_range(net, images, classes):
    with pytest.raises(UsageError, match=r"expected 0 to 3: the network has 4 classes"):
        explain(net, images, classes=classes)


@pytest.mark.parametrize("classes", [[], "cat", [1.5], [True]])
def test_classes_that_are_none(net, images, classes):
    with pytest.raises(UsageError, match="class"):
        explain(net, images, classes=classes)


def test_numpy_integers_are_classes(net, images):
    assert explain(net, images, classes=np.array([1, 2]))[0][1].class_index == 2


def test_a_wrong_layer_gets_near_names(net, images):
    with pytest.raises(UsageError, match=r"named 'feature'.\nDid you mean features"):
        explain(net, images, layer="feature")


def test_a_layer_without_a_map_names_the_last_that_has_one(net, images):
    message = (
        "layer 'classifier' has no map: its result is (1, 4), expected [N, C, h, w] with more than "
        "one position.\nThe last layer with a map is 'features.4' (6 x 5)."
    )
    with pytest.raises(UsageError, match=re.escape(message)):
        explain(net, images, layer="classifier")


def test_an_unknown_method_gets_a_near_name(net, images):
    with pytest.raises(UsageError, match=r"no method 'gradcam'.*\nDid you mean grad-cam"):
        explain(net, images, method="gradcam")


def test_cam_where_it_is_not_defined_says_why(flat_net, images):
    with pytest.raises(UsageError, match=r"no class activation map: .*\nUse grad-cam or hirescam"):
        explain(flat_net, images, method="cam")


def test_cam_at_another_layer_is_refused(net, images):
    with pytest.raises(UsageError, match=r"map that the head averages, which is not 'features.0'"):
        explain(net, images, method="cam", layer="features.0")


def test_a_transformer_that_reads_a_token_has_no_map(images):
    model = timm.create_model("vit_tiny_patch16_224", img_size=32, num_classes=3)

    with pytest.raises(ModelError, match=r"no map before .* picks one token.*\nUse occlusion"):
        explain(model, torch.rand(1, 3, 32, 32))


class Attentive(torch.nn.Module):
    """Attention among patches, written out, with a token of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.qkv = torch.nn.Conv2d(3, 8, 8, 8), torch.nn.Linear(8, 24)
        self.token = torch.nn.Parameter(torch.randn(1, 1, 8))
        self.head = torch.nn.Linear(8, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token.expand(len(x), -1, -1), tokens], 1)
        q, k, v = self.qkv(tokens).chunk(3, -1)
        return self.head((tokens + (q @ k.transpose(1, 2)).softmax(-1) @ v)[:, 0])


@pytest.mark.parametrize(
    "model",
    [
        Attentive(),
        torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3072, 4), torch.nn.Linear(4, 2)),
    ],
)
def test_networks_without_a_map_are_sent_to_occlusion(model):
    images = torch.rand(1, 3, 32, 32)

    with pytest.raises(ModelError, match="Use occlusion, which looks at the image alone"):
        explain(model, images)

    assert explain(model, images, method="occlusion")[0][0].values.shape == (32, 32)


def test_a_transformer_may_be_explained_at_its_patches():
    model = timm.create_model("vit_tiny_patch16_224", img_size=32, num_classes=3)

    found = explain(model, torch.rand(1, 3, 32, 32), layer="patch_embed.proj")[0][0]

    assert found.method == "grad-cam"
    assert found.values.shape == (2, 2)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (torch.rand(3, 12, 10), r"expected \[N, C, H, W\].\nGive one image as images\[None\]"),
        (
            torch.zeros(1, 3, 12, 10, dtype=torch.uint8),
            r"images of uint8.*\nResize and normalise",
        ),
        (torch.rand(1, 3, 0, 10), r"got images of shape \(1, 3, 0, 10\)"),
        ([[1.0]], "got images as list"),
    ],
)
def test_images_that_are_none(net, wrong, message):
    with pytest.raises(UsageError, match=message):
        explain(net, wrong)


def test_infinity_is_named(net, images):
    images[2, 0, 0, 0] = float("inf")

    with pytest.raises(UsageError, match="image 2 of 3"):
        explain(net, images)


def test_weights_that_give_nan_are_said(net, images):
    with torch.no_grad():
        net.classifier[1].bias[0] = float("nan")

    with pytest.raises(ModelError, match="scores of image 0 are not finite"):
        explain(net, images)


def test_the_wrong_number_of_channels_names_the_layer(net):
    with pytest.raises(TraceError, match=r"features.0"):
        explain(net, torch.rand(1, 1, 12, 10))


def test_a_size_that_the_network_does_not_take_names_the_layer(flat_net):
    with pytest.raises(TraceError, match=r"classifier.0"):
        explain(flat_net, torch.rand(1, 3, 24, 24))


def test_an_image_of_another_size_has_a_map_of_another_size(net):
    explainer = Explainer(net)

    shapes = [
        explainer.explain(torch.rand(1, 3, height, 16))[0][0].values.shape for height in (16, 30)
    ]

    assert shapes == [(8, 8), (15, 8)]


def test_a_model_without_weights_is_refused(images):
    with torch.device("meta"):
        model = torchvision.models.resnet18(weights=None)

    with pytest.raises(ModelError, match="on the meta device"):
        explain(model, images)


class Branching(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(x)
        return y.mean((2, 3)) if y.mean() > 0 else y.amax((2, 3))


def test_a_network_that_branches_on_values_is_said(images):
    with pytest.raises(TraceError, match="Branching"):
        explain(Branching(), images)


class Segmenting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.out = nn.Conv2d(4, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.conv(x).relu())


def test_an_output_that_is_no_score_a_class_is_refused(images):
    with pytest.raises(ModelError, match=r"expected one score a class: \(3, K\)"):
        explain(Segmenting(), images, layer="conv")


class Detached(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.linear = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(self.conv(x).detach().amax((2, 3)))


def test_a_model_that_detaches_its_scores_is_said(images):
    with pytest.raises(ModelError, match="detaches its scores"):
        explain(Detached().requires_grad_(False), images)


def test_a_layer_that_the_score_does_not_read_is_said(net, images):
    class TwoArms(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left, self.right = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3)

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return self.left(x).amax((2, 3)), self.right(x).amax((2, 3))

    with pytest.raises(ModelError, match="does not depend on what this layer returns"):
        explain(TwoArms(), images, layer="right")


class SpoilsItself(nn.Module):
    """Writes over the result of a sigmoid, which its gradient is made of."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.linear = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(x).sigmoid()
        y += 1
        return self.linear(y.amax((2, 3)))


def test_a_network_that_cannot_be_differentiated_is_said(images):
    with pytest.raises(ModelError, match="overwrites in place what its own gradient needs"):
        explain(SpoilsItself(), images, layer="conv")

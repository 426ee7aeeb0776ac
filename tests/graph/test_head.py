"""The ends of published classifiers, and of small ones made to be told apart."""

from __future__ import annotations

import pytest
import timm
import torch
import torchvision
from torch import nn

from foveal.graph import head, trace


def read(name: str):
    with torch.device("meta" if "regnet" not in name else "cpu"):
        if name.startswith("timm:"):
            model = timm.create_model(name.removeprefix("timm:")).eval()
            return head(trace(model, model.default_cfg["input_size"]))
        settings = {"init_weights": False} if name in {"googlenet", "inception_v3"} else {}
        model = torchvision.models.get_model(name, weights=None, **settings).eval()
    return head(trace(model, (3, 224, 224)))


@pytest.mark.parametrize(
    ("name", "kind", "layers", "width"),
    [
        ("resnet18", "pooled linear", ("fc",), 512),
        ("densenet121", "pooled linear", ("classifier",), 1024),
        ("efficientnet_b0", "pooled linear", ("classifier.1",), 1280),
        ("googlenet", "pooled linear", ("fc",), 1024),
        ("mobilenet_v2", "pooled linear", ("classifier.1",), 1280),
        ("shufflenet_v2_x0_5", "pooled linear", ("fc",), 1024),
        ("swin_t", "pooled linear", ("head",), 768),
        ("timm:tf_efficientnet_lite0", "pooled linear", ("classifier",), 1280),
        ("timm:dpn48b", "pooled linear", ("classifier",), 832),
        ("timm:nf_resnet26", "pooled linear", ("head.fc",), 2048),
        ("timm:regnety_002", "pooled linear", ("head.fc",), 368),
        ("timm:mixer_s16_224", "pooled linear", ("head",), 512),
        ("convnext_tiny", "pooled norm linear", ("classifier.2",), 768),
        ("timm:convnext_atto", "pooled norm linear", ("head.fc",), 320),
        ("mobilenet_v3_small", "pooled MLP", ("classifier.0", "classifier.3"), 1024),
        ("timm:mobilenetv3_small_050", "pooled MLP", ("conv_head", "classifier"), 1024),
        ("timm:ghostnet_050", "pooled MLP", ("conv_head", "classifier"), 1280),
        ("squeezenet1_1", "conv pooled", ("classifier.1",), 512),
        ("vgg11", "flattened MLP", ("classifier.0", "classifier.3", "classifier.6"), 4096),
        ("alexnet", "flattened MLP", ("classifier.1", "classifier.4", "classifier.6"), 4096),
        ("timm:vgg11", "flattened MLP", ("pre_logits.fc1", "pre_logits.fc2", "head.fc"), 4096),
        ("vit_b_32", "token linear", ("heads.head",), 768),
        ("timm:vit_tiny_patch16_224", "token linear", ("head",), 192),
    ],
)
def test_heads_of_published_networks(name, kind, layers, width):
    found = read(name)

    assert (found.kind, found.linear_layers, found.num_features, found.num_classes) == (
        kind,
        layers,
        width,
        1000,
    )


def test_the_features_of_a_pooled_head_are_what_is_pooled():
    found = read("resnet18")

    assert (found.features, found.pool, found.pool_function) == (
        "layer4.1.relu#2",
        "avgpool",
        "avg",
    )
    assert found.has_exact_map


class Pooled(nn.Module):
    def __init__(self, pool: nn.Module, *after: nn.Module) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.pool = pool
        self.after = nn.Sequential(nn.Flatten(), *after)

    def forward(self, x):
        return self.after(self.pool(self.conv(x)))


def test_the_logit_is_the_mean_of_the_map_where_the_head_promises_it():
    model = Pooled(nn.AdaptiveAvgPool2d(1), nn.Dropout(), nn.Linear(4, 2)).eval()
    image = torch.rand(1, 3, 8, 8)

    found = head(trace(model, (3, 8, 8)))

    assert found.has_exact_map
    linear = model.get_submodule(found.linear_layers[-1])
    maps = torch.einsum("kc,chw->khw", linear.weight, model.conv(image)[0])
    torch.testing.assert_close(maps.mean((1, 2)) + linear.bias, model(image)[0])


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        (Pooled(nn.AdaptiveMaxPool2d(1), nn.Linear(4, 2)), "pooled linear"),
        (Pooled(nn.AvgPool2d(6), nn.Linear(4, 2)), "pooled linear"),
        (Pooled(nn.AdaptiveAvgPool2d(1), nn.Linear(4, 2), nn.Softmax(-1)), "pooled linear"),
        (Pooled(nn.AdaptiveAvgPool2d(1), nn.BatchNorm1d(4), nn.Linear(4, 2)), "pooled norm linear"),
        (
            Pooled(nn.AdaptiveAvgPool2d(1), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2)),
            "pooled MLP",
        ),
        (Pooled(nn.Identity(), nn.Linear(4 * 36, 2)), "flattened linear"),
        (Pooled(nn.AdaptiveAvgPool2d(2), nn.Linear(16, 2)), "flattened linear"),
        (Pooled(nn.AdaptiveAvgPool2d(1), nn.ReLU(), nn.Linear(4, 2)), "other"),
        (Pooled(nn.AdaptiveAvgPool2d(1)), "conv pooled"),
    ],
)
def test_small_heads_are_told_apart(model, kind):
    assert head(trace(model.eval(), (3, 8, 8))).kind == kind


def test_a_maximum_promises_no_exact_map():
    found = head(trace(Pooled(nn.AdaptiveMaxPool2d(1), nn.Linear(4, 2)), (3, 8, 8)))

    assert (found.pool_function, found.has_exact_map) == ("max", False)


def test_two_joined_heads_are_not_guessed_at():
    class Joined(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)
            self.left, self.right = nn.Linear(4, 2), nn.Linear(4, 2)

        def forward(self, x):
            x = self.conv(x).mean((2, 3))
            return self.left(x) + self.right(x)

    found = head(trace(Joined(), (3, 8, 8)))

    assert found.kind == "other"
    assert "'add'" in found.reason


def test_a_model_that_returns_its_input_has_no_head():
    found = head(trace(nn.Identity(), (3, 8, 8)))

    assert (found.kind, found.features) == ("other", None)

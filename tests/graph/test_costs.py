"""MACs against published figures and other counters."""

from __future__ import annotations

import logging
import warnings

import pytest
import timm
import torch
import torchvision
from torch import nn
from torch.nn import functional

from foveal.graph import trace


def on_meta(name: str) -> nn.Module:
    settings = {
        # Its published size leaves the auxiliary classifiers out.
        "googlenet": {"init_weights": False, "aux_logits": False},
        "inception_v3": {"init_weights": False},
    }.get(name, {})
    with torch.device("meta"):
        return torchvision.models.get_model(name, weights=None, **settings).eval()


PUBLISHED = [
    "alexnet",
    "convnext_tiny",
    "densenet121",
    "efficientnet_b0",
    "efficientnet_v2_s",
    "googlenet",
    "inception_v3",
    "mnasnet1_0",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "resnet18",
    "resnet50",
    "resnext50_32x4d",
    "shufflenet_v2_x1_0",
    "squeezenet1_1",
    "vgg16",
    "vit_b_16",
    "wide_resnet50_2",
]


@pytest.mark.parametrize("name", PUBLISHED)
def test_macs_are_those_that_torchvision_publishes(name):
    meta = torchvision.models.get_model_weights(name).DEFAULT
    size = meta.transforms().crop_size[0]

    graph = trace(on_meta(name), (3, size, size))

    # Published in thousands of millions, rounded to three places.
    assert round(graph.macs.value / 1e9, 3) == pytest.approx(meta.meta["_ops"], abs=0.0011)
    assert graph.parameter_count == meta.meta["num_params"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["resnet50", "tf_efficientnet_lite0", "efficientnet_b0", "convnext_tiny"]
)
def test_macs_of_products_equal_those_of_fvcore(name):
    """fvcore also counts norms (2 to 5 an element) and pooling; products are the same."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from fvcore.nn import FlopCountAnalysis

        model = timm.create_model(name).eval()
        logging.getLogger("fvcore.nn.jit_analysis").setLevel(logging.ERROR)
        counted = FlopCountAnalysis(model, torch.zeros(1, 3, 64, 64)).by_operator()
    products = sum(counted[key] for key in ("conv", "linear", "matmul", "einsum", "addmm", "bmm"))

    graph = trace(model, (3, 64, 64))

    assert graph.macs.value == pytest.approx(products, rel=0.005)
    assert graph.macs.value == products


@pytest.mark.parametrize("name", ["resnet50", "convnext_tiny", "vit_b_16"])
def test_macs_are_half_of_what_pytorchs_own_counter_says(name):
    from torch.utils.flop_counter import FlopCounterMode

    model = on_meta(name)
    image = torch.empty(1, 3, 224, 224, device="meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(image)

    assert trace(model, (3, 224, 224)).macs.value * 2 == counter.get_total_flops()


class Runs(nn.Module):
    def __init__(self, call) -> None:
        super().__init__()
        self.call = call

    def forward(self, *inputs):
        return self.call(*inputs)


@pytest.mark.parametrize(
    ("call", "shapes", "macs"),
    [
        (torch.matmul, [(2, 3, 4), (2, 4, 5)], 2 * 3 * 4 * 5),
        (torch.bmm, [(2, 3, 4), (2, 4, 5)], 2 * 3 * 4 * 5),
        (lambda a, b: a @ b, [(7, 1, 3, 4), (1, 6, 4, 5)], 7 * 6 * 3 * 4 * 5),
        (
            lambda a, b: torch.einsum("nchw,nkc->nkhw", a, b),
            [(2, 3, 4, 5), (2, 6, 3)],
            2 * 3 * 4 * 5 * 6,
        ),
        (
            lambda a, b: torch.einsum("...ij,...jk", a, b),
            [(2, 7, 3, 4), (2, 7, 4, 5)],
            2 * 7 * 3 * 4 * 5,
        ),
        (
            functional.scaled_dot_product_attention,
            [(2, 3, 5, 8), (2, 3, 7, 8), (2, 3, 7, 6)],
            2 * 3 * 5 * 7 * (8 + 6),
        ),
    ],
)
def test_macs_of_products_are_counted_by_hand(call, shapes, macs):
    graph = trace(Runs(call), [torch.Size(shape) for shape in shapes])

    assert graph.macs.value == macs


def test_multi_head_attention_counts_its_projections():
    class Attends(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

        def forward(self, x):
            return self.attention(x, x, x)[0]

    graph = trace(Attends(), torch.Size((1, 5, 8)))

    projections = 4 * 5 * 8 * 8
    assert graph.macs.value == projections + 2 * (5 * 5 * 4) * 2
    assert [op.kind for op in graph.ops if op.macs.value] == ["attention"]


def test_macs_scale_with_the_batch():
    model = nn.Conv2d(3, 4, 3)

    assert trace(model, (5, 3, 8, 8)).macs.value == 5 * trace(model, (3, 8, 8)).macs.value


def test_transposed_convolution_macs_follow_the_input():
    graph = trace(nn.ConvTranspose2d(8, 4, 2, stride=2), (8, 5, 5))

    assert graph.macs.value == 8 * 5 * 5 * 2 * 2 * 4


def test_normalisation_and_activations_have_none():
    model = nn.Sequential(nn.BatchNorm2d(4), nn.ReLU(), nn.AvgPool2d(2))

    assert trace(model, (4, 8, 8)).macs.value == 0

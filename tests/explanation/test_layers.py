"""Which layer is looked at, how its result is had, and which method goes with it."""

from __future__ import annotations

from collections import namedtuple

import numpy as np
import pytest
import torch
import torchvision
from torch import nn
from torch.nn import functional

from foveal.explanation import Explainer, explain
from foveal.explanation.planning import make_plan
from foveal.graph import trace
from foveal.layers import FunctionSite, ModuleSite, find_site


def plan_of(name: str, **options):
    settings = {"init_weights": False} if name == "googlenet" else {}
    with torch.device("meta"):
        model = torchvision.models.get_model(name, weights=None, **settings).eval()
    return make_plan(model, trace(model, (3, 224, 224)), **options)


@pytest.mark.parametrize(
    ("name", "method", "layer", "grid"),
    [
        ("resnet18", "cam", "layer4.1.relu#2", (7, 7)),
        ("mobilenet_v2", "cam", "features.18.2", (7, 7)),
        ("densenet121", "cam", "relu", (7, 7)),
        ("googlenet", "cam", "inception5b.cat", (7, 7)),
        ("swin_t", "cam", "permute", (7, 7)),
        ("squeezenet1_1", "cam", "classifier.2", (13, 13)),
        ("mobilenet_v3_small", "grad-cam", "features.12.2", (7, 7)),
        ("convnext_tiny", "grad-cam", "features.7.2.add", (7, 7)),
        # Before the last max pooling: the convolution's own resolution.
        ("vgg11", "hirescam", "features.19", (14, 14)),
        ("alexnet", "hirescam", "features.11", (13, 13)),
    ],
)
def test_method_and_layer_that_are_chosen(name, method, layer, grid):
    plan = plan_of(name)

    assert (plan.method, plan.layer.name, plan.layer.grid) == (method, layer, grid)


def test_a_module_stands_for_its_last_operation():
    assert plan_of("resnet18", layer="layer3").layer.name == "layer3.1.relu#2"


def test_the_last_layer_named_is_still_in_closed_form():
    plan = plan_of("resnet18", layer="layer4")

    assert (plan.method, plan.exact is not None) == ("cam", True)
    assert plan.reason == "It was asked for."


def test_at_an_earlier_layer_it_is_grad_cam():
    assert plan_of("vgg11", layer="features.10").method == "grad-cam"


class Head(nn.Module):
    """A convolution, a pooling of choice, a linear layer and what comes after it."""

    def __init__(self, pool, after=None, channels: int = 4) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.pool, self.after = pool, after
        self.linear = nn.Linear(channels, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.linear(self.pool(self.conv(x)).flatten(1))
        return y if self.after is None else self.after(y)


@pytest.mark.parametrize(
    ("model", "method"),
    [
        (Head(nn.AdaptiveAvgPool2d(1)), "cam"),
        (Head(nn.AvgPool2d(8)), "cam"),
        (Head(nn.AvgPool2d(7)), "grad-cam"),  # leaves a row and a column out
        (Head(nn.AvgPool2d(8, padding=1, stride=9)), "grad-cam"),  # zeros enter the mean
        (Head(nn.AdaptiveMaxPool2d(1)), "hirescam"),
        (Head(nn.AdaptiveAvgPool2d(1), nn.Softmax(1)), "cam"),
        (Head(nn.AdaptiveAvgPool2d(1), nn.Sigmoid()), "cam"),
        (Head(nn.AdaptiveAvgPool2d(1), nn.ReLU()), "grad-cam"),
        (Head(nn.AdaptiveAvgPool2d(2), channels=16), "hirescam"),
        (Head(lambda x: x.mean((2, 3))), "cam"),
        (Head(lambda x: x.pow(3).mean((2, 3))), "cam"),
        (Head(lambda x: x.mean((2, 3)).pow(2)), "hirescam"),
    ],
)
def test_maps_of_heads_that_differ_little(model, method):
    images = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    explainer = Explainer(model.eval())

    found = explainer.explain(images, classes=1)

    assert found[0][0].method == method
    hires = explainer.explain(images, classes=1, method="hirescam")
    # Whatever the head: HiResCAM by its definition, at the layer that was chosen.
    module = model.conv
    kept = []
    handle = module.register_forward_hook(lambda m, a, r: kept.append(r))
    before = model.after
    model.after = None if isinstance(before, (nn.Softmax, nn.Sigmoid)) else before
    score = model(images)[:, 1].sum()
    model.after = before
    handle.remove()
    if hires[0][0].layer == "conv":
        (gradient,) = torch.autograd.grad(score, kept[0])
        expected = (gradient * kept[0]).sum(1).detach()
        np.testing.assert_allclose([row[0].signed for row in hires], expected, atol=1e-5)


@pytest.mark.parametrize("after", [nn.Softmax(1), nn.Sigmoid(), nn.LogSoftmax(1)])
def test_the_score_before_the_softmax_is_explained(after, make_net, images):
    plain = make_net(nn.AdaptiveMaxPool2d(1), nn.Linear(6, 4))
    ended = make_net(nn.AdaptiveMaxPool2d(1), nn.Linear(6, 4), after)

    found = explain(ended, images, classes=1)

    expected = explain(plain, images, classes=1)
    assert [row[0].logit for row in found] == [row[0].logit for row in expected]
    np.testing.assert_array_equal(found[0][0].signed, expected[0][0].signed)


class Functional(nn.Module):
    """Everything between its convolutions is a function, some of it in place."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.linear = nn.Linear(4, 2)
        self.offset = nn.Parameter(torch.full((1, 4, 8, 8), 0.1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu(self.a(x) + (self.offset + self.offset))
        y = functional.relu(self.b(x)) * 1
        y += x
        y = functional.relu_(y)
        return self.linear(y.amax((2, 3)))


@pytest.mark.parametrize("layer", ["add", "relu", "relu#2", "mul", "add#2", "relu#3", "b"])
def test_results_of_functions_are_had_like_those_of_modules(layer):
    torch.manual_seed(0)
    model, images = Functional().eval(), torch.randn(2, 3, 8, 8)

    found = explain(model, images, classes=0, method="hirescam", layer=layer)

    steps = {}
    x = steps["add"] = model.a(images) + 2 * model.offset
    x = steps["relu"] = x.relu()
    y = steps["b"] = model.b(x)
    y = steps["relu#2"] = y.relu()
    y = steps["mul"] = y * 1
    y = steps["add#2"] = y + x
    y = steps["relu#3"] = y.relu()
    scores = model.linear(y.amax((2, 3)))
    (gradient,) = torch.autograd.grad(scores[:, 0].sum(), steps[layer])
    expected = (gradient * steps[layer]).sum(1).detach().numpy()
    np.testing.assert_allclose([row[0].signed for row in found], expected, atol=1e-5)


def test_sites_are_read_from_the_graph():
    with torch.device("meta"):
        model = torchvision.models.resnet18(weights=None).eval()
    graph = trace(model, (3, 64, 64))

    def site(name: str):
        return find_site(graph, graph.op(name))

    assert site("layer4.1.relu#2") == ModuleSite("layer4.1.relu", 2, 2, (512, 2, 2))
    assert site("layer4.1.relu") == ModuleSite("layer4.1.relu", 1, 2, (512, 2, 2))
    assert site("layer4.1.bn2") == ModuleSite("layer4.1.bn2", 1, 1, (512, 2, 2))
    assert site("layer4.1.add") == FunctionSite("layer4.1", "add", 1, 1, (512, 2, 2))


class Own(nn.Module):
    """A module whose own weights are used before its result is made."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 3, 3, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.conv2d(x, self.weight).relu()


def test_the_main_operation_of_a_module_is_not_taken_for_its_result():
    model = nn.Sequential(Own(), nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(4, 2)).eval()
    graph = trace(model, (3, 8, 8))

    assert find_site(graph, graph.op("0")) == FunctionSite("0", "conv2d", 1, 1, (4, 6, 6))
    assert find_site(graph, graph.op("0.relu")) == ModuleSite("0", 1, 1, (4, 6, 6))


def test_a_shared_module_is_told_apart_by_its_calls():
    shared = nn.Conv2d(4, 4, 3, padding=1)
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 4, 1), shared, shared, nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(4, 2)
    ).eval()
    images = torch.randn(1, 3, 8, 8)

    found = explain(model, images, classes=0, method="hirescam", layer="1")[0][0]

    first = shared(model[0](images))
    score = model[5](shared(first).amax((2, 3)))[0, 0]
    (gradient,) = torch.autograd.grad(score, first)
    np.testing.assert_allclose(found.signed, (gradient * first).sum(1)[0].detach(), atol=1e-5)


Outputs = namedtuple("Outputs", "logits aux")


@pytest.mark.parametrize(
    "wrap", [lambda a, b: (a, b), lambda a, b: {"out": a, "aux": b}, Outputs, lambda a, b: [a, b]]
)
def test_of_several_outputs_the_first_is_explained(net, images, wrap):
    class Several(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net, self.other = net, nn.Linear(3, 9)

        def forward(self, x: torch.Tensor):
            return wrap(self.net(x), self.other(x.mean((2, 3))))

    for method in ("cam", "grad-cam"):
        found = explain(Several().eval(), images, classes="all", method=method)

        np.testing.assert_array_equal(
            found[2][3].signed, explain(net, images, classes="all", method=method)[2][3].signed
        )


def test_gradients_that_the_model_switches_off_are_switched_on_behind_the_layer(flat_net, images):
    class Frozen(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = flat_net

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            with torch.no_grad():
                features = self.net.features(x)
            return self.net.classifier(features.flatten(1))

    found = explain(Frozen().eval(), images, classes=1)

    np.testing.assert_array_equal(
        found[0][0].signed, explain(flat_net, images, classes=1)[0][0].signed
    )


def test_the_mean_of_the_map_plus_the_bias_is_the_logit(net, images):
    found = explain(net, images, classes="all")

    totals = [[heat_map.signed.mean() + heat_map.bias for heat_map in row] for row in found]
    np.testing.assert_allclose(totals, net(images).detach(), atol=1e-5)


def test_a_linear_head_without_bias_has_bias_zero(make_net, images):
    model = make_net(nn.AdaptiveAvgPool2d(1), nn.Linear(6, 4, bias=False))

    assert explain(model, images)[0][0].bias == 0.0


def test_hires_cam_adds_up_to_the_logit_before_a_flattening_linear_layer(make_net, images):
    model = make_net(nn.Identity(), nn.Linear(180, 4))

    found = explain(model, images, classes=2)[1][0]

    assert found.method == "hirescam"
    total = found.signed.sum() + model.classifier[0].bias[2].item()
    assert total == pytest.approx(model(images)[1, 2].item(), abs=1e-4)


def test_hooks_of_others_that_copy_to_the_cpu_do_not_stand_in_the_way(net, images):
    kept = []
    net.features[4].register_forward_hook(lambda module, args, result: kept.append(result.cpu()))

    found = explain(net, images)

    assert found[0][0].layer == "features.4"
    assert tuple(kept[-1].shape) == (3, 6, 6, 5)


def test_a_image_too_small_for_the_last_maps_is_explained_before_them():
    with torch.device("meta"):
        model = torchvision.models.resnet18(weights=None).eval()

    plan = make_plan(model, trace(model, (3, 32, 32)))

    assert (plan.layer.name, plan.layer.grid) == ("layer3.1.relu#2", (2, 2))
    assert plan.reason == (
        "It is the last map with more than one position: the image is too small for those after it."
    )


def test_a_compiled_model_is_explained_by_its_own_names(net, images):
    assert explain(torch.compile(net), images)[0][0].layer == "features.4"

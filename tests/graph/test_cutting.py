"""Two halves give what the whole gives, bit for bit, gradients included."""

from __future__ import annotations

import warnings

import pytest
import timm
import torch
import torchvision
from torch import nn
from torch.nn import functional

from foveal.errors import TraceError, UsageError
from foveal.graph import cut, cut_points, trace
from foveal.graph.quantity import total


def build(name: str) -> nn.Module:
    torch.manual_seed(0)
    if name.startswith("timm:"):
        return timm.create_model(name.removeprefix("timm:")).eval()
    settings = {"init_weights": False} if name in {"googlenet", "inception_v3"} else {}
    return torchvision.models.get_model(name, weights=None, **settings).eval()


def gradients(model: nn.Module, output: torch.Tensor) -> list[torch.Tensor | None]:
    # The graph is kept: some models (LeViT) cache what they compute from their weights.
    return list(
        torch.autograd.grad(
            output.square().sum(), list(model.parameters()), allow_unused=True, retain_graph=True
        )
    )


def same(left: torch.Tensor | None, right: torch.Tensor | None) -> bool:
    if left is None or right is None:
        return left is right
    return torch.equal(left, right)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("mobilenet_v3_small", 32),
        ("resnet18", 32),
        ("shufflenet_v2_x0_5", 32),
        ("squeezenet1_1", 32),
        ("timm:convnext_atto", 32),
        ("timm:levit_128s", 224),
        ("timm:nf_regnet_b0", 32),
        ("timm:repvgg_a0", 32),
        ("timm:resnest14d", 32),
        ("timm:vit_tiny_patch16_224", 224),
    ],
)
def test_halves_of_published_networks_equal_the_whole(name, size):
    """A sample; ``benchmarks/trace_survey.py --check-cuts`` does it for every family."""
    model = build(name)
    graph = trace(model, (3, size, size))
    points = cut_points(graph)
    images = torch.rand(2, 3, size, size)
    expected = model(images)

    prefix, suffix = cut(model, graph, points[len(points) // 2])
    found = suffix(prefix(images))

    assert torch.equal(found, expected)
    assert all(map(same, gradients(model, found), gradients(model, expected)))


class Mixed(nn.Module):
    """Functions, shapes with the batch size, in-place work and dropout between modules."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.act = nn.ReLU(inplace=True)
        self.scale = nn.Parameter(torch.full((8, 1, 1), 0.5))
        self.register_buffer("shift", torch.ones(1, 8, 1, 1))
        self.leave = nn.Linear(8, 5)

    def forward(self, x):
        x = self.norm(self.enter(x))
        x = self.act(x)
        weight = self.scale.softmax(0)
        x = x * weight + self.shift
        n, c, h, w = x.shape
        x = x.reshape(n * 2, c // 2, h, w).mul_(2.0)
        x = x.view(n, c, h * w).mean(2)
        x = functional.dropout(x, 0.5, self.training)
        return {"logits": self.leave(x), "pooled": (x, None)}


@pytest.mark.parametrize("point", [p.name for p in cut_points(trace(Mixed(), (3, 8, 8)))])
@pytest.mark.parametrize("batch_size", [1, 4])
@pytest.mark.parametrize("training", [False, True])
def test_every_cut_of_a_network_of_functions_is_exact(point, batch_size, training):
    torch.manual_seed(0)
    model = Mixed().train(training)
    graph = trace(model, (3, 8, 8))
    prefix, suffix = cut(model, graph, point)
    images = torch.rand(batch_size, 3, 8, 8)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    torch.manual_seed(1)
    expected = model(images)
    wanted = gradients(model, expected["logits"])
    model.load_state_dict(state)
    torch.manual_seed(1)

    found = suffix(prefix(images))

    assert found.keys() == expected.keys()
    assert torch.equal(found["logits"], expected["logits"])
    assert torch.equal(found["pooled"][0], expected["pooled"][0])
    assert found["pooled"][1] is None
    assert all(map(same, gradients(model, found["logits"]), wanted))


def test_the_halves_share_the_models_parameters():
    model = build("resnet18")
    prefix, suffix = cut(model, trace(model, (3, 64, 64)), "layer2")

    assert suffix.get_parameter("fc.weight") is model.fc.weight
    assert prefix.get_parameter("layer2.0.conv1.weight") is model.layer2[0].conv1.weight
    names = {id(p) for half in (prefix, suffix) for p in half.parameters()}
    assert names == {id(p) for p in model.parameters()}


def test_a_whole_module_on_one_side_is_called_as_it_is():
    model = build("resnet18")
    _, suffix = cut(model, trace(model, (3, 64, 64)), "layer2")

    assert suffix.get_submodule("layer3") is model.layer3
    targets = [node.target for node in suffix.graph.nodes if node.op == "call_module"]
    assert targets == ["layer3", "layer4", "avgpool", "fc"]


def test_a_cached_feature_survives_an_in_place_suffix():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.Conv2d(4, 2, 3))
    prefix, suffix = cut(model, trace(model, (3, 8, 8)), "0")
    features = prefix(torch.rand(1, 3, 8, 8)).detach().requires_grad_()
    before = features.detach().clone()

    (gradient,) = torch.autograd.grad(suffix(features).sum(), features)

    assert torch.equal(features, before)
    assert gradient.shape == features.shape


def test_train_reaches_dropout_functions_of_opened_modules():
    model = Mixed().eval()
    _, suffix = cut(model, trace(model, (3, 8, 8)), "act")
    features = torch.rand(2, 8, 8, 8)
    torch.manual_seed(0)

    quiet = suffix(features)["pooled"][0]
    noisy = suffix.train()(features)["pooled"][0]

    assert (noisy == 0).any()
    assert not (quiet == 0).any()


def test_the_prefix_can_be_exported():
    model = build("resnet18")
    prefix, _ = cut(model, trace(model, (3, 64, 64)), "layer2")
    images = torch.rand(2, 3, 64, 64)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exported = torch.export.export(prefix, (images,)).module()

    torch.testing.assert_close(exported(images), prefix(images))


def test_cut_points_have_the_costs_of_both_sides():
    model = build("resnet18")
    graph = trace(model, (3, 224, 224))

    point = next(point for point in cut_points(graph) if point.name == "layer4")

    # What is left: pooling, flattening, and one linear layer.
    assert (point.macs_after.value, point.parameters_after) == (512 * 1000, 512 * 1000 + 1000)
    assert point.macs_before.value + point.macs_after.value == graph.macs.value
    assert point.parameters_before + point.parameters_after == graph.parameter_count
    assert point.shape == (1, 512, 7, 7)


def test_there_is_no_cut_inside_a_shortcut():
    graph = trace(build("resnet18"), (3, 64, 64))

    names = {point.name for point in cut_points(graph)}

    assert {"layer1", "layer1.0", "layer4.1.add"} <= names
    assert not {"layer1.0.conv1", "layer1.0.bn2", "layer2.0.downsample"} & names


def test_a_second_output_moves_the_cut_points_after_its_branch():
    class TwoHeads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.trunk = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
            self.left = nn.Conv2d(4, 2, 1)
            self.right = nn.Conv2d(4, 2, 1)

        def forward(self, x):
            x = self.trunk(x)
            return self.left(x), self.right(x)

    graph = trace(TwoHeads(), (3, 8, 8))

    assert [point.name for point in cut_points(graph)] == ["trunk.0", "trunk"]


def test_a_densely_joined_network_has_no_cut_point_in_a_block():
    with torch.device("meta"):
        graph = trace(torchvision.models.densenet121(weights=None).eval(), (3, 64, 64))

    names = [point.name for point in cut_points(graph)]

    assert not any(".denselayer3." in name for name in names)
    assert "features.transition1" in names


def test_an_argument_that_a_module_does_not_read_is_no_obstacle():
    class Ignores(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 1)

        def forward(self, early, late):
            return self.conv(late) + 1

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.enter = nn.Conv2d(3, 3, 1)
            self.block = Ignores()

        def forward(self, x):
            return self.block(x, self.enter(x))

    model = Model()
    prefix, suffix = cut(model, trace(model, (3, 4, 4)), "enter")
    images = torch.rand(2, 3, 4, 4)

    assert torch.equal(suffix(prefix(images)), model(images))


def test_an_unknown_point_is_answered_with_near_ones():
    model = build("resnet18")
    graph = trace(model, (3, 64, 64))

    with pytest.raises(UsageError, match=r"no cut point named 'layer1.0.conv1'(.|\n)*layer1.0"):
        cut(model, graph, "layer1.0.conv1")


def test_a_model_that_changed_its_mode_is_refused():
    class Modes(nn.Module):
        def forward(self, x):
            x = x * 2
            return (x.relu() if self.training else x.sigmoid()) + 1

    model = Modes().train()
    graph = trace(model, (1, 2, 2))
    model.eval()

    with pytest.raises(TraceError, match="'relu'"):
        cut(model, graph, "relu")


def test_numbers_that_grow_otherwise_than_with_the_batch_are_refused():
    class Squares(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 1, 1)

        def forward(self, x):
            n = x.shape[0]
            return self.conv(x).expand(n, 1, 4, 4).sum(1).repeat(n * n, 1, 1)

    model = Squares()
    graph = trace(model, (1, 4, 4))

    with pytest.raises(TraceError, match=r"computes with the batch size.*\[4, 9, 25\]"):
        cut(model, graph, "conv")


class Uncounted(nn.Module):
    """Two kinds of operations whose MACs are not counted, and one weight on both sides."""

    def __init__(self) -> None:
        super().__init__()
        self.shared = nn.Conv2d(3, 3, 3, padding=1)
        self.own = nn.Conv2d(3, 3, 1)

    def forward(self, x):
        for _ in range(2):
            x = torch.fft.rfft2(self.shared(x)).real
            x = torch.cumsum(self.own(x), 1)
            x = torch.nn.functional.pad(x, (0, 8 - x.shape[-1]))
        return x


def test_the_costs_of_both_sides_are_their_sums():
    graph = trace(Uncounted(), (3, 8, 8))
    points = cut_points(graph)
    assert len(points) >= 6
    for point in points:
        before, after = graph.ops[: point.op_index + 1], graph.ops[point.op_index + 1 :]
        assert point.macs_before == total(op.macs for op in before)
        assert point.macs_after == total(op.macs for op in after)
        for ops, count in ((before, point.parameters_before), (after, point.parameters_after)):
            names = {name for op in ops for name in op.parameters}
            assert count == sum(graph.parameter(name).count for name in names)

"""A part that training cannot change, and one that it can."""

from __future__ import annotations

import copy
import pickle

import pytest
import timm
import torch
import torchvision
from torch import nn

from foveal.errors import UsageError
from foveal.graph import cut, trace
from foveal.linting import lint
from foveal.models.surgery import describe_trainable, freeze_to

SHAPE = (3, 24, 24)


@pytest.fixture
def frozen(resnet) -> nn.Module:
    return freeze_to(resnet, "block2", input_shape=SHAPE)


def before(name: str) -> bool:
    return name.split(".")[0] in {"stem", "block1", "block2"}


def test_what_is_before_the_cut_needs_no_gradient(frozen) -> None:
    needs = {name: p.requires_grad for name, p in frozen.named_parameters()}
    assert needs == {name: not before(name) for name in needs}


def test_modules_before_the_cut_stay_in_evaluation(frozen) -> None:
    frozen.train()
    modes = {name: module.training for name, module in frozen.named_modules() if name}
    assert modes == {name: not before(name) for name in modes}


def test_outputs_in_evaluation_are_the_same(frozen, resnet) -> None:
    x = torch.randn(2, *SHAPE)
    assert torch.equal(frozen.eval()(x), resnet.eval()(x))


def test_gradients_of_what_trains_are_the_same(frozen, resnet) -> None:
    x = torch.randn(2, *SHAPE)
    for net in (frozen, resnet):
        net.eval()(x).square().sum().backward()
    assert torch.equal(frozen.block3.conv1.weight.grad, resnet.block3.conv1.weight.grad)
    assert frozen.block1.conv1.weight.grad is None


def test_steps_of_training_leave_the_first_part_one_function(frozen) -> None:
    graph = trace(frozen, SHAPE)
    x = torch.randn(4, *SHAPE)
    kept = cut(frozen, graph, "block2")[0](x).detach()
    optimizer = torch.optim.SGD(frozen.parameters(), lr=0.1, weight_decay=0.1)
    frozen.train()
    for _ in range(3):
        optimizer.zero_grad()
        frozen(x).square().sum().backward()
        optimizer.step()
    # Also with dropout before the cut, and the model in training mode.
    read: list[torch.Tensor] = []
    with frozen.block3.register_forward_pre_hook(lambda _, args: read.append(args[0])):
        frozen(x)
    assert torch.equal(read[0], kept)


def test_stochastic_depth_before_the_cut_is_off(shake) -> None:
    net = shake(timm.create_model("resnet10t", num_classes=3, drop_path_rate=0.9))
    frozen = freeze_to(net, "layer4", input_shape=(3, 64, 64)).train()
    x = torch.randn(4, 3, 64, 64)
    torch.manual_seed(0)
    assert torch.equal(frozen(x), frozen(x))
    assert not torch.equal(net.train()(x), net(x))


def test_it_can_be_moved_either_way(resnet) -> None:
    late = freeze_to(resnet, "block4", input_shape=SHAPE)
    early = freeze_to(late, "stem", input_shape=SHAPE).train()
    assert describe_trainable(early).frozen == ("stem",)
    assert early.block1.bn1.training
    assert describe_trainable(freeze_to(early, "block4", input_shape=SHAPE)) == describe_trainable(
        late
    )


def test_a_network_that_came_frozen_trains_after_the_cut(resnet) -> None:
    resnet.requires_grad_(False)
    changed = freeze_to(resnet, "block4", input_shape=SHAPE)
    assert describe_trainable(changed).trainable == ("fc",)


def test_it_survives_copies_and_pickles(frozen) -> None:
    for twin in (copy.deepcopy(frozen), pickle.loads(pickle.dumps(frozen))):
        twin.train()
        assert not twin.block1.bn1.training
        assert twin.block1.bn1.train() is twin.block1.bn1


def test_weights_on_both_sides_are_frozen() -> None:
    layer = nn.Conv2d(3, 3, 3, padding=1)
    net = nn.Sequential(layer, nn.ReLU(), layer, nn.Flatten(), nn.Linear(3 * 24 * 24, 2))
    changed = freeze_to(net, "1", input_shape=SHAPE)
    assert describe_trainable(changed).trainable == ("4",)


def test_the_description_says_what_trains() -> None:
    with torch.device("meta"):
        net = torchvision.models.resnet18(num_classes=3)
    described = describe_trainable(freeze_to(net, "layer3", input_shape=(3, 64, 64))).description
    trainable = sum(p.numel() for p in [*net.layer4.parameters(), *net.fc.parameters()])
    total = sum(p.numel() for p in net.parameters())
    assert described == (
        f"Trainable: layer4, fc ({trainable:,} of {total:,} parameters). "
        "Frozen: conv1, bn1, layer1, layer2, layer3. 15 batch norms keep their statistics."
    )


def test_a_network_as_it_came_is_described(resnet) -> None:
    total = f"{sum(p.numel() for p in resnet.parameters()):,}"
    assert describe_trainable(resnet).description == (
        f"Trainable: the whole network ({total} of {total} parameters). Frozen: nothing."
    )


# The linter's rule for this very mistake: frozen weights with moving statistics.
def test_the_linter_finds_no_moving_statistics(frozen) -> None:
    frozen.train()
    optimizer = torch.optim.SGD([p for p in frozen.parameters() if p.requires_grad], lr=0.1)
    report = lint(frozen, input_shape=SHAPE, optimizer=optimizer, select=["T402"])
    assert report.findings == ()


def test_an_unknown_cut_is_answered_with_near_ones(resnet) -> None:
    with pytest.raises(UsageError, match=r"no cut point named 'blok2'.*\n.*block2"):
        freeze_to(resnet, "blok2", input_shape=SHAPE)

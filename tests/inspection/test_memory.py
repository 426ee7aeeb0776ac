"""Memory against what PyTorch really allocates and keeps."""

from __future__ import annotations

import weakref

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from foveal.inspection import inspect
from foveal.models.sources import open_network

SHAPE = (2, 3, 64, 64)


class _Alive(TorchDispatchMode):
    """Adds up the storages that are alive."""

    def __init__(self, own):
        super().__init__()
        self.known = dict.fromkeys(own, 0)
        self.now = self.peak = 0

    def add(self, tensor):
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self.known:
            return
        self.known[key] = storage.nbytes()
        self.now += storage.nbytes()
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._drop, key)

    def _drop(self, key):
        self.now -= self.known.pop(key)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor):
                self.add(leaf)
        return result


def _own(model):
    return {t.untyped_storage()._cdata for t in [*model.parameters(), *model.buffers()]}


def _measured_peak(model):
    picture = torch.randn(SHAPE)
    with torch.no_grad(), _Alive(_own(model)) as alive:
        alive.add(picture)
        model(picture)
    return alive.peak


def _measured_kept(model):
    sizes, held, own = {}, [], _own(model)

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            sizes[storage._cdata] = storage.nbytes()
            held.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        model(torch.randn(SHAPE))
    return sum(sizes.values())


def _built(name):
    model = open_network(name, weights="random").module
    for module in model.modules():
        if isinstance(module, nn.Dropout):  # its mask depends on the device
            module.p = 0.0
    return model


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["resnet18", "vgg11", "mobilenet_v2", "squeezenet1_1", "shufflenet_v2_x1_0", "convnext_tiny"],
)
def test_peak_is_what_a_forward_pass_holds(name):
    model = _built(f"torchvision:{name}")
    assert inspect(model, SHAPE).totals.peak_bytes.value == _measured_peak(model)


def test_peak_is_a_lower_bound_and_says_so(cifar_net):
    peak = inspect(cifar_net, (3, 32, 32)).totals.peak_bytes
    assert peak.status == "partial"
    assert "may hold on to tensors" in peak.reason


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["resnet18", "resnet50", "vgg11", "mobilenet_v2", "mobilenet_v3_small", "densenet121",
     "squeezenet1_1", "shufflenet_v2_x1_0"],
)  # fmt: skip
def test_kept_is_what_autograd_saves(name):
    model = _built(f"torchvision:{name}").train()
    assert inspect(model, SHAPE, mode="train").totals.kept_bytes.value == _measured_kept(model)


def test_a_frozen_network_keeps_nothing():
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU()).requires_grad_(False)
    assert inspect(model, (3, 16, 16)).totals.kept_bytes.value == 0


def test_a_frozen_front_keeps_nothing_before_the_trained_layer():
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 4, 1))
    model[0].requires_grad_(False)
    kept = [row.kept_bytes.value for row in inspect(model, (3, 16, 16)).ops]
    assert kept == [0, 8 * 14 * 14 * 4]


def test_views_and_in_place_results_need_no_memory():
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(inplace=True), nn.Flatten())
    rows = inspect(model, (3, 16, 16)).ops
    assert [row.activation_bytes for row in rows] == [8 * 14 * 14 * 4, 0, 0]


def test_half_precision_takes_half():
    model = nn.Conv2d(3, 8, 3)
    full = inspect(model, (3, 16, 16)).totals.activation_bytes.value
    half = inspect(model.half(), (3, 16, 16)).totals.activation_bytes.value
    assert half == full / 2

"""A model on loan for real passes comes back as it was."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from foveal.graph.borrowing import borrowed, fully_borrowed


def use_up(net: nn.Sequential) -> None:
    with fully_borrowed(net):
        net.train()
        net(torch.randn(2, 3, 8, 8)).sum().backward()
        net[0].weight.requires_grad_(False)
        raise RuntimeError("on purpose")


def test_running_statistics_gradients_and_modes_come_back_after_an_error() -> None:
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)).eval()
    net(torch.randn(2, 3, 8, 8)).sum().backward()
    gradient = net[0].weight.grad
    assert gradient is not None
    values = gradient.clone()
    with pytest.raises(RuntimeError, match="on purpose"):
        use_up(net)
    assert not net[1].training
    assert torch.equal(net[1].running_mean, torch.zeros(8))
    assert net[0].weight.requires_grad
    assert net[0].weight.grad is gradient
    assert torch.equal(gradient, values)


class Clamps(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x):
        with torch.no_grad():
            self.layer.weight.clamp_(-0.01, 0.01)
            self.layer.bias.data = self.layer.bias.data * 2
        return self.layer(x)


class Averages(nn.Module):
    """Keeps averages in a buffer, a plain attribute, a list and an object of its own."""

    class Memory:
        def __init__(self) -> None:
            self.mean = torch.zeros(4)
            self.calls = 0

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("queue", torch.zeros(0, 4))
        self.mean = torch.zeros(4)
        self.means = [torch.zeros(4)]
        self.memory = self.Memory()

    def forward(self, x):
        self.queue = torch.cat([self.queue, x])
        for mean in (self.mean, self.means[0], self.memory.mean):
            mean.mul_(0.9).add_(x.mean(0), alpha=0.1)
        self.memory.calls += 1
        return x - self.mean


class ResizesItsBuffer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.arange(4.0))

    def forward(self, x):
        self.seen.resize_(100).fill_(1.0)
        return x


class Shared(nn.Module):
    """Two views of one memory, one of which repeats its elements."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("whole", torch.arange(4.0))
        self.register_buffer("repeated", self.whole[:1].expand(4))

    def forward(self, x):
        self.whole.add_(1.0)
        return x + self.repeated


def spectral() -> nn.Module:
    return nn.Sequential(nn.utils.parametrizations.spectral_norm(nn.Linear(4, 4)))


def values_and_memory(model: nn.Module) -> dict[str, object]:
    tensors = dict(model.state_dict(keep_vars=True))
    found: dict[str, object] = {}
    if isinstance(model, Averages):
        tensors |= {"mean": model.mean, "means": model.means[0], "memory": model.memory.mean}
        found["calls"] = model.memory.calls
    for name, tensor in tensors.items():
        found[name] = (
            *(id(tensor), tensor.tolist(), tensor.untyped_storage()._cdata, tuple(tensor.shape)),
            *(tensor._version, tensor.requires_grad),
        )
    return found


@pytest.mark.parametrize("make", [Clamps, Averages, ResizesItsBuffer, Shared, spectral])
def test_values_and_memories_come_back_after_real_passes(make) -> None:
    model = make().train()
    before = values_and_memory(model)

    with fully_borrowed(model):
        for _ in range(2):
            model(torch.rand(2, 4))
        assert values_and_memory(model) != before

    assert values_and_memory(model) == before


def test_a_backward_pass_that_was_under_way_goes_on() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)).eval()
    loss = model(torch.rand(2, 4)).sum()

    with fully_borrowed(model):
        model.train()
        model(torch.rand(2, 4))
        with torch.no_grad():
            model[0].weight.zero_()

    loss.backward()
    assert model[0].weight.grad is not None


def test_weights_made_in_inference_mode_come_back() -> None:
    with torch.inference_mode():
        model = Clamps()
    before = model.layer.weight.tolist()

    with fully_borrowed(model), torch.inference_mode():
        model(torch.rand(2, 4))

    assert model.layer.weight.tolist() == before


def test_flags_of_parameters_come_back_from_a_loan_of_shapes() -> None:
    model = nn.Linear(4, 4)
    with borrowed(model):
        model.requires_grad_(False)
    assert model.weight.requires_grad

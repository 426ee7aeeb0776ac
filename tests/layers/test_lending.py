"""A model is lent as a copy; another thread notices nothing."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from foveal.explanation import explain, judge_map
from foveal.layers import predicting


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(True))
        self.also = [self.body[0]]
        self.run = self.body.forward
        self.fc = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(torch.relu(self.run(x)).mean((2, 3)))


@pytest.fixture
def small() -> Small:
    torch.manual_seed(0)
    return Small()


def test_no_memory_is_shared(small: Small) -> None:
    def places(model: nn.Module) -> set[int]:
        return {tensor.data_ptr() for tensor in (*model.parameters(), *model.buffers())}

    with predicting(small) as lent:
        assert not places(lent) & places(small)
        assert lent.state_dict().keys() == small.state_dict().keys()


class Clamping(Small):
    """Writes to its weights in the forward pass, as critics of the Wasserstein distance do."""

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            self.fc.weight.clamp_(-0.01, 0.01)
        self.fc.bias.data = self.fc.bias.data + 1
        return super().forward(x)


class ClampingUncopyable(Clamping):
    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()


@pytest.mark.parametrize("kind", [Clamping, ClampingUncopyable])
def test_weights_that_forward_writes_are_as_found(kind: type[Small]) -> None:
    torch.manual_seed(0)
    model = kind()
    before = {name: (t.clone(), t.data_ptr()) for name, t in model.named_parameters()}
    x = torch.rand(1, 3, 16, 16)
    heat_map = explain(model, x, method="occlusion")[0][0]
    judge_map(model, x[0], heat_map)
    for name, tensor in model.named_parameters():
        assert torch.equal(tensor, before[name][0]), name
        assert tensor.data_ptr() == before[name][1], name


def test_what_points_to_a_module_points_to_the_copys(small: Small) -> None:
    with predicting(small) as lent:
        assert lent.also[0] is lent.body[0]
        assert lent.run.__self__ is lent.body


def test_the_model_keeps_its_mode_while_its_copy_predicts(small: Small) -> None:
    small.train()
    with predicting(small) as lent:
        assert all(module.training for module in small.modules())
        assert not any(module.training for module in lent.modules())


class Uncopyable(Small):
    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()


class HeldByAFunction(Small):
    def __init__(self) -> None:
        super().__init__()
        self.again: Callable[[Tensor], Tensor] = lambda x: self.fc(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.again(self.body(x).mean((2, 3)))


@pytest.mark.parametrize("kind", [Uncopyable, HeldByAFunction])
def test_a_model_that_cannot_be_copied_is_lent_itself_and_comes_back(kind: type[Small]) -> None:
    net = kind().train()
    mean = net.body[1].running_mean.clone()
    with predicting(net) as lent:
        assert lent is net
        assert not any(module.training for module in net.modules())
        net(torch.rand(2, 3, 8, 8))
    assert all(module.training for module in net.modules())
    assert torch.equal(net.body[1].running_mean, mean)


def test_a_hook_that_belongs_to_the_model_still_runs(small: Small) -> None:
    seen: list[int] = []
    small.fc.register_forward_hook(lambda module, args, result: seen.append(len(result)))
    explain(small.eval(), torch.rand(1, 3, 8, 8), method="occlusion")
    assert seen


def test_no_copy_outlives_the_call(small: Small) -> None:
    with predicting(small) as lent:
        held = weakref.ref(lent)
    del lent
    assert held() is None


@pytest.mark.parametrize("make", [Small, Uncopyable])
def test_one_model_in_eight_threads(make: Callable[[], Small]) -> None:
    torch.manual_seed(0)
    net = make().eval()
    images = torch.rand(1, 3, 24, 24)
    expected = {
        method: explain(net, images, classes=1, method=method)[0][0].values
        for method in ("cam", "grad-cam", "occlusion")
    }
    answer = net(images).detach()
    wrong: list[str] = []
    is_private = make is Small

    def work(method: str) -> None:
        try:
            for _ in range(4):
                found = explain(net, images, classes=1, method=method)[0][0]
                judge_map(net, images[0], found)
                if abs(found.values - expected[method]).max() > 1e-5:
                    wrong.append(f"{method}: another map")
        except BaseException as error:
            wrong.append(f"{method}: {error!r}")

    def call() -> None:
        try:
            for _ in range(60):
                if is_private and not torch.equal(net(images), answer):
                    wrong.append("another answer")
        except BaseException as error:
            wrong.append(repr(error))

    threads = [threading.Thread(target=work, args=(method,)) for method in (*expected, *expected)]
    threads += [threading.Thread(target=call) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []

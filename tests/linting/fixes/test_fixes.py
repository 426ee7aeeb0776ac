"""Mechanical fixes: a repaired copy that keeps what the fix promises."""

from __future__ import annotations

import copy
import io
import pickle

import pytest
import torch
import torchvision
from torch import nn

from foveal.errors import UsageError
from foveal.linting import FIXES, Finding, fix, lint


def shaken(net: nn.Module) -> nn.Module:
    """Gives batch norms statistics, scales and shifts as training would."""
    torch.manual_seed(0)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias)
            assert module.running_mean is not None
            assert module.running_var is not None
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
    return net


def finding_of(net: nn.Module, code: str, size: int = 16) -> Finding:
    return lint(net, input_shape=(3, size, size), select=[code]).findings[0]


def biased() -> nn.Sequential:
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 3))
    return shaken(net)  # type: ignore[return-value]


def test_every_fix_is_named_once() -> None:
    assert sorted(item.fix_id for item in FIXES) == [
        "drop-bias",
        "fold-batch-norm",
        "freeze-statistics",
        "pool-head",
    ]


def test_the_model_itself_is_not_touched() -> None:
    net = biased()
    before = copy.deepcopy(net.state_dict())
    fix(net, finding_of(net, "S101"))
    assert net.state_dict().keys() == before.keys()
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_dropping_the_bias_keeps_outputs_in_both_modes_over_many_steps() -> None:
    net = biased()
    fixed = fix(net, finding_of(net, "S101"))
    assert fixed[0].bias is None  # type: ignore[index, union-attr]
    for step in range(4):
        net.train(step % 2 == 1)
        fixed.train(step % 2 == 1)
        x = torch.randn(4, 3, 12, 12)
        torch.testing.assert_close(fixed(x), net(x), rtol=1e-5, atol=1e-5)


def test_dropping_the_bias_before_a_norm_of_a_linear_layer() -> None:
    net = shaken(nn.Sequential(nn.Flatten(), nn.Linear(48, 6), nn.BatchNorm1d(6))).eval()
    fixed = fix(net, finding_of(net, "S101", size=4))
    x = torch.randn(3, 3, 4, 4)
    torch.testing.assert_close(fixed(x), net(x))


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "vgg11_bn"])
def test_folding_keeps_outputs_of_real_networks(name: str) -> None:
    net = shaken(torchvision.models.get_model(name, num_classes=5)).eval()
    finding = finding_of(net, "S117", size=64)
    fixed = fix(net, finding)
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        expected = net(x)
        error = (fixed(x) - expected).abs().max() / expected.abs().max()
    assert error < 1e-4
    remaining = [m for m in fixed.modules() if isinstance(m, nn.BatchNorm2d)]
    total = finding.data["num_batch_norms"]
    assert len(remaining) == total - finding.data["num_foldable"]


def test_folding_keeps_the_activation_that_a_norm_of_timm_has() -> None:
    timm = pytest.importorskip("timm")
    net = shaken(timm.create_model("efficientnet_lite0", num_classes=5)).eval()
    fixed = fix(net, finding_of(net, "S117", size=64))
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        expected = net(x)
        error = (fixed(x) - expected).abs().max() / expected.abs().max()
    assert error < 1e-4


def test_folding_in_training_mode_is_refused() -> None:
    net = biased().eval()
    finding = finding_of(net, "S117")
    with pytest.raises(UsageError, match="no batch norm in evaluation mode"):
        fix(net.train(), finding)


def giant(*rest: nn.Module, out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 64, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(64 * 16 * 16, out),
        *rest,
    )


@pytest.mark.parametrize(
    "net",
    [
        giant(out=100),
        giant(nn.ReLU(), nn.Dropout(), nn.Linear(200, 50), nn.ReLU(), nn.Linear(50, 7), out=200),
        giant(nn.BatchNorm1d(200), nn.ReLU(), nn.Linear(200, 7), out=200),
    ],
    ids=["one layer", "three layers", "with batch norm"],
)
def test_a_pooled_head_has_the_shape_and_takes_any_size(net: nn.Sequential) -> None:
    net.eval()
    fixed = fix(net, finding_of(net, "S102", size=32))
    assert fixed(torch.randn(2, 3, 32, 32)).shape == net(torch.randn(2, 3, 32, 32)).shape
    assert fixed(torch.randn(2, 3, 50, 70)).shape[0] == 2
    assert lint(fixed, input_shape=(3, 32, 32), select=["S102"]).findings == ()


def test_a_pooled_head_reads_the_channel_means() -> None:
    net = giant(out=100).eval()
    fixed = fix(net, finding_of(net, "S102", size=32))
    x = torch.randn(2, 3, 32, 32)
    linear = fixed[3][1]  # type: ignore[index]
    torch.testing.assert_close(fixed(x), linear(net[:2](x).mean(dim=(2, 3))))


def frozen() -> tuple[nn.Sequential, nn.Module]:
    net = biased()
    finding = Finding("T402", "warning", "", "evidence", "fix", "freeze-statistics")
    return net, fix(net, finding)


def test_frozen_statistics_survive_train_and_steps() -> None:
    net, fixed = frozen()
    fixed.train()
    x = torch.randn(4, 3, 12, 12)
    torch.testing.assert_close(fixed(x), net.eval()(x))
    assert torch.equal(fixed[1].running_mean, net[1].running_mean)  # type: ignore[index, union-attr]
    assert fixed[0].training  # type: ignore[index, union-attr]


def test_frozen_statistics_survive_copies_and_pickles() -> None:
    _, fixed = frozen()
    stored = io.BytesIO(pickle.dumps(fixed))
    for twin in (copy.deepcopy(fixed), pickle.load(stored)):
        twin.train()
        assert not twin[1].training
        assert twin[1].train() is twin[1]


def test_a_finding_without_a_fix_is_refused_with_its_advice() -> None:
    finding = Finding("S109", "warning", "0", "evidence", "Add shortcuts.")
    with pytest.raises(UsageError, match=r"no mechanical fix.\nAdd shortcuts"):
        fix(biased(), finding)


def test_an_unknown_fix_is_answered_with_the_near_one() -> None:
    finding = Finding("S101", "info", "0", "evidence", "fix", "drop-biases")
    with pytest.raises(UsageError, match="'drop-bias'"):
        fix(biased(), finding)


def test_a_finding_of_another_model_is_refused() -> None:
    finding = finding_of(biased(), "S101")
    with pytest.raises(UsageError, match="Linear has no module named '0'"):
        fix(nn.Linear(2, 2), finding)

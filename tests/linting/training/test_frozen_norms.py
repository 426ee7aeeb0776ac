"""T402: frozen weights whose batch norm still updates."""

from __future__ import annotations

import torch
from torch import nn

from foveal.linting import Checked, NotApplicable, fix, lint


def outcome(net: nn.Module) -> object:
    optimizer = torch.optim.SGD(net[-1].parameters(), lr=0.01)  # type: ignore[index]
    report = lint(net, input_shape=(3, 32, 32), optimizer=optimizer, select=["T402"])
    return report.outcomes["T402"]


def test_frozen_batch_norms_in_training_mode_are_named(net: nn.Sequential) -> None:
    net[:8].requires_grad_(False)
    found = outcome(net.train())
    assert isinstance(found, Checked)
    (finding,) = found.findings
    assert (finding.severity, finding.location) == ("warning", "1")
    assert finding.data["layers"] == ["1", "4"]


def test_the_fix_keeps_the_statistics(net: nn.Sequential) -> None:
    net[:8].requires_grad_(False)
    found = outcome(net.train())
    assert isinstance(found, Checked)
    mended = fix(net, found.findings[0])
    assert (
        outcome(mended.train())
        == NotApplicable(
            "the model is in evaluation mode; lint it as it is trained, after model.train()"
        )
        or outcome(mended) == Checked()
    )
    assert net[1].training


def test_a_batch_norm_without_weights_goes_by_its_siblings(net: nn.Sequential) -> None:
    net[1] = nn.BatchNorm2d(64, affine=False)
    net.requires_grad_(False)
    found = outcome(net.train())
    assert isinstance(found, Checked)
    assert found.findings[0].data["layers"] == ["1", "4"]


def test_stays_silent_when_statistics_are_frozen_too(net: nn.Sequential) -> None:
    net[:8].requires_grad_(False)
    net.train()
    net[:8].eval()
    assert outcome(net) == Checked()


def test_stays_silent_when_the_norms_are_trained(net: nn.Sequential) -> None:
    net[0].requires_grad_(False)
    assert outcome(net.train()) == Checked()


def test_does_not_apply_in_evaluation_mode(net: nn.Sequential) -> None:
    net[:8].requires_grad_(False)
    assert isinstance(outcome(net.eval()), NotApplicable)


def test_does_not_apply_without_batch_norm() -> None:
    assert isinstance(outcome(nn.Sequential(nn.Conv2d(3, 4, 3))), NotApplicable)

"""Rules on training over a network that was really trained."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from foveal.linting import lint
from foveal.models import load_backbone

pytestmark = pytest.mark.slow


@pytest.fixture
def lite0() -> nn.Module:
    torch.manual_seed(0)
    network = load_backbone("tf_efficientnet_lite0").network.requires_grad_(True)
    network.reset_classifier(5)  # type: ignore[operator]
    return network.train()


def test_one_rate_and_decay_on_everything_are_told(lite0: nn.Module) -> None:
    optimizer = torch.optim.SGD(lite0.parameters(), lr=0.01, weight_decay=1e-4)
    report = lint(lite0, optimizer=optimizer, settings={"batch_size": 32}, select=["training"])
    assert {(f.code, f.severity) for f in report.findings} == {
        ("T401", "warning"),
        ("T406", "info"),
    }
    assert report.of("T401")[0].data["num_pretrained"] > 20


def test_a_sound_set_up_is_silent(lite0: nn.Module) -> None:
    head = list(lite0.classifier.parameters())  # type: ignore[union-attr, operator]
    ids = {id(parameter) for parameter in head}
    body = [p for p in lite0.parameters() if id(p) not in ids]
    groups = [
        {"params": [p for p in body if p.dim() > 1], "lr": 1e-3, "weight_decay": 1e-4},
        {"params": [p for p in body if p.dim() <= 1], "lr": 1e-3},
        {"params": head},
    ]
    optimizer = torch.optim.SGD(groups, lr=1e-2)
    report = lint(lite0, optimizer=optimizer, settings={"batch_size": 32}, select=["training"])
    assert report.findings == ()
    assert report.undetermined == {}


def test_a_frozen_backbone_in_training_mode_is_told(lite0: nn.Module) -> None:
    lite0.requires_grad_(False)
    lite0.classifier.requires_grad_(True)  # type: ignore[union-attr, operator]
    optimizer = torch.optim.SGD(lite0.classifier.parameters(), lr=1e-2)  # type: ignore[union-attr, operator]
    report = lint(lite0, optimizer=optimizer, settings={"batch_size": 32}, select=["training"])
    (finding,) = report.findings
    assert (finding.code, len(finding.data["layers"])) == ("T402", 49)

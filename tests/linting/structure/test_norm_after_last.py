"""S113: batch norm on the logits."""

from __future__ import annotations

from torch import nn

from foveal.linting import Checked, NotApplicable, lint


def outcome(net: nn.Module, **options: object) -> object:
    options.setdefault("input_shape", (3, 32, 32))
    return lint(net, select=["S113"], **options).outcomes["S113"]  # type: ignore[arg-type]


def test_fires_on_normalised_logits() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(3072, 10), nn.BatchNorm1d(10), nn.Softmax(dim=1))
    found = outcome(net)
    assert isinstance(found, Checked)
    assert [finding.location for finding in found.findings] == ["2"]


def test_without_classes_it_may_be_an_embedding_and_is_an_information() -> None:
    neck = nn.Sequential(
        nn.Conv2d(3, 32, 3),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(32, 16, bias=False),
        nn.BatchNorm1d(16),
    )
    found = outcome(neck)
    assert isinstance(found, Checked)
    assert [finding.severity for finding in found.findings] == ["info"]


def test_with_a_loss_over_classes_it_is_a_warning() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(3072, 10), nn.BatchNorm1d(10))
    found = outcome(net, loss=nn.CrossEntropyLoss())
    assert isinstance(found, Checked)
    assert [finding.severity for finding in found.findings] == ["warning"]


def test_stays_silent_with_an_activation_between() -> None:
    net = nn.Sequential(
        nn.Flatten(), nn.Linear(3072, 8), nn.ReLU(), nn.BatchNorm1d(8), nn.Linear(8, 2)
    )
    assert outcome(net) == Checked()


def test_stays_silent_on_a_feature_map() -> None:
    assert outcome(nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8))) == Checked()


def test_not_applicable_without_batch_norm() -> None:
    assert isinstance(outcome(nn.Conv2d(3, 8, 3)), NotApplicable)

"""W204: batch norms that divide by next to nothing."""

from __future__ import annotations

import torch
from torch import nn

from foveal.linting import Checked, NotApplicable, lint


def outcome(net: nn.Module, **options: object) -> object:
    options.setdefault("input_shape", (3, 32, 32))
    return lint(net, select=["W204"], **options).outcomes["W204"]  # type: ignore[arg-type]


def norm(variances: list[float]) -> nn.BatchNorm2d:
    layer = nn.BatchNorm2d(len(variances)).eval()
    layer.running_var = torch.tensor(variances)
    return layer


def outcome_of(variances: list[float]) -> Checked:
    found = outcome(norm(variances), input_shape=(len(variances), 8, 8))
    assert isinstance(found, Checked)
    return found


def test_fires_with_the_gain_that_is_left() -> None:
    (finding,) = outcome_of([0.0, 1.0]).findings
    assert finding.severity == "warning"
    assert abs(finding.data["largest_gain"] - 1e-5**-0.5) < 1e-6


def test_one_of_many_is_an_information() -> None:
    (finding,) = outcome_of([0.0] + [1.0] * 9).findings
    assert (finding.severity, finding.data["num_vanishing"]) == ("info", 1)


def test_a_negative_variance_is_an_error() -> None:
    (finding,) = outcome_of([-0.1, 1.0]).findings
    assert finding.severity == "error"


def test_stays_silent_on_channels_that_are_switched_off() -> None:
    layer = norm([0.0, 1.0, 1.0])
    with torch.no_grad():
        layer.weight[0] = 0
    assert outcome(layer) == Checked()


def test_stays_silent_on_small_variances() -> None:
    assert outcome_of([0.01, 1.0]).findings == ()


def test_not_applicable_without_batch_norm() -> None:
    assert isinstance(outcome(nn.Conv2d(3, 8, 3)), NotApplicable)

"""T407: batch norm training on tiny batches."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from foveal.linting import Checked, Finding, NotApplicable, Undetermined, lint


def outcome(net: nn.Module, **options: object) -> object:
    options.setdefault("input_shape", (3, 32, 32))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    report = lint(net, optimizer=optimizer, select=["T407"], **options)  # type: ignore[arg-type]
    return report.outcomes["T407"]


def only(net: nn.Module, **options: object) -> Finding:
    found = outcome(net, **options)
    assert isinstance(found, Checked)
    (finding,) = found.findings
    return finding


def test_the_batch_norm_with_the_fewest_values_is_named(net: nn.Sequential) -> None:
    finding = only(net.train(), batch=torch.zeros(2, 3, 32, 32))
    assert (finding.severity, finding.location) == ("warning", "4")
    assert finding.data["fewest_values"] == 2 * 28 * 28


def test_one_value_a_channel_is_an_error(net: nn.Sequential) -> None:
    net.insert(8, nn.BatchNorm1d(64))
    finding = only(net.train(), settings={"batch_size": 1})
    assert (finding.severity, finding.location) == ("error", "8")
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        net(torch.zeros(1, 3, 32, 32))


def test_a_stated_size_counts_more_than_the_batch(net: nn.Sequential) -> None:
    found = outcome(net.train(), batch=torch.zeros(2, 3, 32, 32), settings={"batch_size": 32})
    assert found == Checked()


def test_stays_silent_from_five_on(net: nn.Sequential) -> None:
    assert outcome(net.train(), batch=torch.zeros(5, 3, 32, 32)) == Checked()


def test_does_not_apply_to_frozen_statistics(net: nn.Sequential) -> None:
    assert isinstance(outcome(net.eval(), batch=torch.zeros(2, 3, 32, 32)), NotApplicable)


def test_cannot_tell_without_a_size(net: nn.Sequential) -> None:
    assert isinstance(outcome(net.train()), Undetermined)

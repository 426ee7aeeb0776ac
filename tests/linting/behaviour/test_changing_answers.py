"""B306: different answers to the same input."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from foveal.linting import Checked, Finding, lint


class WithLast(nn.Module):
    def __init__(self, last: nn.Module) -> None:
        super().__init__()
        self.conv, self.last = nn.Conv2d(3, 8, 3), last

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.last(self.conv(images).mean((2, 3)))
        return result


class Counts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return x * self.calls


class ForgetsMode(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.dropout(x, 0.5)


def outcome(net: nn.Module, **options: object) -> object:
    return lint(net, select=["B306"], **options).outcomes["B306"]  # type: ignore[arg-type]


def only(net: nn.Module, **options: object) -> Finding:
    found = outcome(net, **options)
    assert isinstance(found, Checked)
    (finding,) = found.findings
    return finding


def test_dropout_in_evaluation_mode_is_an_error(batch: torch.Tensor) -> None:
    finding = only(WithLast(ForgetsMode()).eval(), batch=batch)
    assert (finding.severity, finding.location) == ("error", "last")
    assert "training=self.training" in finding.fix


def test_one_layer_left_in_training_mode_is_named(batch: torch.Tensor) -> None:
    net = WithLast(nn.Dropout(0.5)).eval()
    net.last.train()
    finding = only(net, batch=batch)
    assert (finding.severity, finding.location) == ("error", "last")
    assert "alone is in training mode" in finding.evidence


def test_training_mode_is_a_warning(batch: torch.Tensor) -> None:
    finding = only(WithLast(nn.Dropout(0.5)).train(), batch=batch)
    assert (finding.severity, finding.fix) == ("warning", "Call model.eval() before predicting.")


def test_memory_is_told_from_chance_and_restored(batch: torch.Tensor) -> None:
    net = WithLast(Counts()).eval()
    finding = only(net, batch=batch)
    assert finding.data["cause"] == "state"
    assert net.last.calls == 0


def test_stays_silent_in_evaluation_mode(batch: torch.Tensor) -> None:
    assert outcome(WithLast(nn.Dropout(0.5)).eval(), batch=batch) == Checked()


def test_stays_silent_on_batch_norm_in_training_mode(
    net: nn.Sequential, batch: torch.Tensor
) -> None:
    assert outcome(net.train(), batch=batch) == Checked()


class AlwaysDrops(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.dropout(x, 0.5)


def test_dropout_belongs_to_training_if_evaluation_switches_it_off(batch: torch.Tensor) -> None:
    net = WithLast(nn.Dropout(0.5)).train()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    assert outcome(net, batch=batch, optimizer=optimizer) == Checked()
    found = outcome(WithLast(AlwaysDrops()).train(), batch=batch, optimizer=optimizer)
    assert isinstance(found, Checked)
    assert [finding.severity for finding in found.findings] == ["warning"]


class AddsTheBatchBefore(nn.Module):
    def __init__(self, *, only_in_training: bool) -> None:
        super().__init__()
        self.before: torch.Tensor | None = None
        self.only_in_training = only_in_training

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.only_in_training and not self.training:
            return x
        kept, self.before = self.before, x.detach()
        return x if kept is None or kept.shape != x.shape else x + kept


@pytest.mark.parametrize(("only_in_training", "expected"), [(False, ["warning"]), (True, [])])
def test_a_model_in_training_is_asked_whether_it_remembers_in_evaluation(
    batch: torch.Tensor, *, only_in_training: bool, expected: list[str]
) -> None:
    net = WithLast(AddsTheBatchBefore(only_in_training=only_in_training)).train()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    found = outcome(net, batch=batch, optimizer=optimizer)
    assert isinstance(found, Checked)
    assert [finding.severity for finding in found.findings] == expected

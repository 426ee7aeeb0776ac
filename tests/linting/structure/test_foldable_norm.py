"""S117: batch norms that could be part of a convolution by now."""

from __future__ import annotations

from torch import nn

from foveal.linting import Checked, NotApplicable, lint


def outcome(net: nn.Module, **options: object) -> object:
    options.setdefault("input_shape", (3, 32, 32))
    return lint(net, select=["S117"], **options).outcomes["S117"]  # type: ignore[arg-type]


def test_fires_once_with_the_pairs() -> None:
    found = outcome(nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU()).eval())
    assert isinstance(found, Checked)
    (finding,) = found.findings
    assert (finding.location, finding.data["layers"]) == ("", {"1": "0"})


def test_stays_silent_on_pre_activation() -> None:
    assert outcome(nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 8, 3)).eval()) == Checked()


def test_stays_silent_on_a_shared_convolution() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 3, padding=1)
            self.first, self.second = nn.BatchNorm2d(3), nn.BatchNorm2d(3)

        def forward(self, x):
            return self.second(self.conv(self.first(self.conv(x))))

    assert outcome(Twice().eval()) == Checked()


def test_not_applicable_in_training_mode() -> None:
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8))
    assert isinstance(outcome(net.train()), NotApplicable)


def test_not_applicable_without_batch_norm() -> None:
    assert isinstance(outcome(nn.Conv2d(3, 8, 3)), NotApplicable)

"""What tests of rules share: one rule's outcome, a small network and a batch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from foveal.linting import Checked, Outcome, lint

BATCH = torch.rand(8, 3, 16, 16, generator=torch.Generator().manual_seed(0))
CLASSES = torch.arange(8) % 4


def of_rule(code: str) -> tuple[Callable[..., Outcome], Callable[..., list[str]]]:
    """Returns what gives the outcome of one rule, and the severities of its findings."""

    def outcome(net: nn.Module, **options: object) -> Outcome:
        return lint(net, select=[code], **options).outcomes[code]  # type: ignore[arg-type]

    def severities(net: nn.Module, **options: object) -> list[str]:
        found = outcome(net, **options)
        assert isinstance(found, Checked)
        return [finding.severity for finding in found.findings]

    return outcome, severities


def small(num_outputs: int = 4) -> nn.Sequential:
    """One convolution, a mean over its positions, one linear layer."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, num_outputs),
    )

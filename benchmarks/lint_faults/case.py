"""A fault: a natural call of the linter that is wrong, and its sound twin."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from foveal.linting import LintReport, lint


@dataclass(slots=True)
class Case:
    """What is handed to the linter: a natural call, with everything that training needs."""

    model: nn.Module
    batch: Tensor
    labels: Tensor
    loss: Any
    optimizer: torch.optim.Optimizer
    more: Mapping[str, Any] = field(default_factory=dict)

    def report(self) -> LintReport:
        """Lints it with every rule."""
        return lint(
            self.model,
            batch=self.batch,
            labels=self.labels,
            loss=self.loss,
            optimizer=self.optimizer,
            **self.more,
        )


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    Attributes:
        area: Where it is: layers, head, data, optimizer, weights or set-up.
        title: What is wrong.
        codes: Rules that name it; an error or warning of one of them finds it.
        broken: Builds it.
        sound: Builds its twin without the fault.
    """

    area: str
    title: str
    codes: tuple[str, ...]
    broken: Callable[[], Case]
    sound: Callable[[], Case]

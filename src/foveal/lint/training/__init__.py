"""Rules about how a network is about to be trained."""

from __future__ import annotations

from foveal.lint.rule import Rule
from foveal.lint.training import (
    foreign_parameters,
    frozen_norms,
    learning_rate,
    no_group,
    norm_decay,
    one_rate,
    only_frozen,
    tiny_batches,
    two_groups,
)

RULES: tuple[Rule, ...] = (
    one_rate.RULE,
    frozen_norms.RULE,
    no_group.RULE,
    two_groups.RULE,
    foreign_parameters.RULE,
    norm_decay.RULE,
    tiny_batches.RULE,
    only_frozen.RULE,
    learning_rate.RULE,
)

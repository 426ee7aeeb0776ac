"""Rules about how a network is about to be trained."""

from __future__ import annotations

from foveal.linting.rule import Rule
from foveal.linting.training import (
    evaluation_mode,
    first_loss,
    foreign_parameters,
    frozen_new,
    frozen_norms,
    learning_rate,
    loss_fit,
    no_group,
    norm_decay,
    one_rate,
    only_frozen,
    optimizer_settings,
    rate_range,
    same_labels,
    tiny_batches,
    trial,
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
    loss_fit.RULE,
    first_loss.RULE,
    rate_range.RULE,
    optimizer_settings.RULE,
    same_labels.RULE,
    trial.RULE,
    frozen_new.RULE,
    evaluation_mode.RULE,
)

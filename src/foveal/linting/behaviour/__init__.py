"""Rules about what a network does with a batch of images."""

from __future__ import annotations

from foveal.linting.behaviour import (
    batch_dependence,
    changing_answers,
    dead_relus,
    gradients,
    input_scale,
    input_statistics,
    non_finite_output,
    unreached,
)
from foveal.linting.rule import Rule

RULES: tuple[Rule, ...] = (
    batch_dependence.RULE,
    input_statistics.RULE,
    dead_relus.RULE,
    gradients.RULE,
    non_finite_output.RULE,
    changing_answers.RULE,
    unreached.RULE,
    input_scale.RULE,
)

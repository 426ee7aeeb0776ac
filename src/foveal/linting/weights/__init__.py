"""Rules about weights: the numbers that are stored."""

from __future__ import annotations

from foveal.linting.rule import Rule
from foveal.linting.weights import (
    dead_filters,
    left_at_start,
    non_finite,
    same_filters,
    stale_norm,
    vanishing_variance,
)

RULES: tuple[Rule, ...] = (
    non_finite.RULE,
    dead_filters.RULE,
    stale_norm.RULE,
    vanishing_variance.RULE,
    left_at_start.RULE,
    same_filters.RULE,
)

__all__ = ["RULES"]

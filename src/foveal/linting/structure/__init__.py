"""Rules about structure: shapes and wiring alone."""

from __future__ import annotations

from foveal.linting.rule import Rule
from foveal.linting.structure import (
    bias_before_norm,
    cheaper_equal,
    checkerboard,
    dropout_before_norm,
    even_kernel,
    extreme_settings,
    flatten_head,
    foldable_norm,
    gridding,
    linear_after_linear,
    linear_network,
    mostly_padding,
    narrow_passage,
    norm_after_last,
    plain_stack,
    small_final_map,
    softmax_output,
    squashed_logits,
    unowned_layers,
    unproductive_layers,
    unread_layer,
    unseen_pixels,
    wrong_extent,
)

RULES: tuple[Rule, ...] = (
    bias_before_norm.RULE,
    flatten_head.RULE,
    unproductive_layers.RULE,
    small_final_map.RULE,
    unseen_pixels.RULE,
    gridding.RULE,
    checkerboard.RULE,
    mostly_padding.RULE,
    plain_stack.RULE,
    linear_after_linear.RULE,
    softmax_output.RULE,
    dropout_before_norm.RULE,
    norm_after_last.RULE,
    even_kernel.RULE,
    cheaper_equal.LARGE_KERNEL,
    cheaper_equal.DENSE_SHARE,
    foldable_norm.RULE,
    unread_layer.RULE,
    unowned_layers.RULE,
    squashed_logits.RULE,
    linear_network.RULE,
    extreme_settings.DROPOUT,
    extreme_settings.MOMENTUM,
    narrow_passage.SOFTMAX,
    narrow_passage.PASSAGE,
    wrong_extent.RULE,
)

__all__ = ["RULES"]

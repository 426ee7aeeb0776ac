"""T407: batch norm training on batches too small for statistics."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from foveal.errors import FovealError
from foveal.graph import trace
from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, NotApplicable, Outcome, Severity, Undetermined
from foveal.linting.rule import Rule
from foveal.linting.training.groups import NO_OPTIMIZER
from foveal.text import count_noun

# Wu & He 2018 (arXiv 1803.08494): a ResNet-50 loses little down to 16 images a batch, and more
# with every halving below; at 4 and fewer it is clearly worse than with group norm.
TINY = 4


def check(context: LintContext) -> Outcome:
    """Compares the batch size with what the statistics of a batch need."""
    if context.optimizer is None:
        return NO_OPTIMIZER
    norms = [
        path
        for path, module in context.modules.items()
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.training
    ]
    if not norms:
        return NotApplicable("no batch norm is in training mode")
    batch_size, source = _batch_size(context)
    if batch_size is None:
        return Undetermined(source)
    if batch_size > TINY:
        return Checked()
    fewest = _fewest_values(context, batch_size)
    severity: Severity = "error" if fewest is not None and fewest[1] == 1 else "warning"
    counted = ""
    if fewest is not None:
        counted = f"; {fewest[0]!r} has {count_noun(fewest[1], 'value')} a channel to go by"
        if fewest[1] == 1:
            counted += ", which PyTorch refuses"
    return Checked(
        (
            Finding(
                code="T407",
                severity=severity,
                place=fewest[0] if fewest is not None else norms[0],
                evidence=(
                    f"{count_noun(len(norms), 'batch norm')} would take statistics from "
                    f"{count_noun(batch_size, 'image')} ({source}){counted}."
                ),
                fix=(
                    "Use batches of 16 or more, freeze the statistics with eval() on the batch "
                    "norms, or use group norm. Accumulating gradients does not help."
                ),
                data={
                    "batch_size": batch_size,
                    "num_norms": len(norms),
                    "fewest_values": None if fewest is None else fewest[1],
                },
            ),
        )
    )


def _batch_size(context: LintContext) -> tuple[int | None, str]:
    stated: Any = (context.settings or {}).get("batch_size")
    if stated is not None:
        return int(stated), "the stated batch size"
    if context.batch is not None:
        return int(context.batch.shape[0]), "the batch that was given"
    return None, "neither a batch nor settings['batch_size'] says how many images a batch has"


def _fewest_values(context: LintContext, batch_size: int) -> tuple[str, int] | None:
    """Returns the batch norm that averages over the fewest values, and how many."""
    if not context.input_shape or context.example is not None:
        return None
    try:
        graph = trace(context.model, (batch_size, *context.input_shape), mode="eval")
    except FovealError:
        return None
    counts = []
    for op in graph.ops:
        if op.kind == "batch_norm" and context.module_of(op).training and op.input_shapes:
            shape = op.input_shapes[0]
            counts.append((torch.Size(shape).numel() // shape[1], op.module_path))
    return min(counts)[::-1] if counts else None


RULE = Rule("T407", "batch norm training on tiny batches", "error", check, topics=(27,))

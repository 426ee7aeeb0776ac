"""``foveal.linting.fix``: a repaired copy of a model."""

from __future__ import annotations

import copy

import torch
from torch import nn

from foveal.errors import UsageError
from foveal.linting.finding import Finding
from foveal.linting.fixes import drop_bias, fold_batch_norm, freeze_statistics, pool_head
from foveal.linting.fixes.fix import Fix
from foveal.text import near_names

FIXES: tuple[Fix, ...] = (
    drop_bias.FIX,
    fold_batch_norm.FIX,
    pool_head.FIX,
    freeze_statistics.FIX,
)


def fix(model: nn.Module, finding: Finding) -> nn.Module:
    """Returns a copy of ``model`` in which ``finding`` is repaired.

    The model itself is left as it is. What the copy promises is in the fix's ``promise``:
    see ``foveal.linting.fixes.FIXES``.

    Raises:
        UsageError: The finding has no mechanical fix, or does not belong to this model.
    """
    if finding.fix_id is None:
        raise UsageError(
            f"{finding.code} at {finding.place!r} has no mechanical fix.", next_step=finding.fix
        )
    known = {item.fix_id: item for item in FIXES}
    if finding.fix_id not in known:
        near = near_names(finding.fix_id, known)
        raise UsageError(
            f"There is no fix {finding.fix_id!r}.",
            next_step=f"Did you mean {near[0]!r}?" if near else None,
        )
    repaired = copy.deepcopy(model)
    with torch.no_grad():
        known[finding.fix_id].apply(repaired, finding)
    return repaired

"""Mechanical fixes: what a finding's ``fix_id`` names, and ``fix``, which applies one to a copy."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import nn

from foveal.errors import UsageError
from foveal.layers import require_module
from foveal.linting.finding import Finding
from foveal.models.surgery.fold_batch_norm import BatchNorm, fold_pair
from foveal.models.surgery.freeze import keep_in_evaluation
from foveal.models.surgery.replace_head import pool_flattened_head
from foveal.text import near_names

Promise = Literal["equal in eval and train", "equal in eval", "same shape"]


@dataclass(frozen=True, slots=True)
class Fix:
    """One mechanical change.

    Attributes:
        fix_id: The name that findings carry.
        title: What it does, as an imperative phrase.
        promise: What can be relied on when outputs before and after are compared, up to
            rounding. ``"same shape"`` promises no values: the new part has to be trained.
        apply: Changes the model that it is given, which is a copy of the user's.
    """

    fix_id: str
    title: str
    promise: Promise
    apply: Callable[[nn.Module, Finding], None]


def _module_at(model: nn.Module, finding: Finding, path: str) -> nn.Module:
    """Returns the module at ``path``.

    Raises:
        UsageError: The model has none there, so the finding is another model's.
    """
    step = f"{finding.code} names it: give the model that was linted, or lint this one."
    return require_module(model, path, next_step=step)


def _drop_bias(model: nn.Module, finding: Finding) -> None:
    """Drops the bias and subtracts it from the running mean, which includes it.

    In training both networks normalise with the batch's own mean, where the bias cancels; in
    evaluation μ - b is the mean of what now arrives. The running mean keeps that difference
    as it goes on, so outputs agree in both modes and at every later step.
    """
    layer = _module_at(model, finding, str(finding.data["bias"]).rpartition(".")[0])
    norm = _module_at(model, finding, str(finding.data["norm_module"]))
    bias = layer.bias
    if isinstance(bias, nn.Parameter):
        running_mean = norm.running_mean
        if running_mean is not None:
            running_mean.sub_(bias.to(running_mean.dtype))  # type: ignore[operator, arg-type]
        layer.register_parameter("bias", None)


def _fold_batch_norms(model: nn.Module, finding: Finding) -> None:
    """Folds every pair that the finding lists; the copy is for evaluation from then on."""
    layers: Mapping[str, str] = finding.data["layers"]
    for norm_path, layer_path in layers.items():
        norm = _module_at(model, finding, norm_path)
        _module_at(model, finding, layer_path)
        if not isinstance(norm, BatchNorm) or norm.training:
            raise UsageError(
                f"{norm_path!r} is no batch norm in evaluation mode any more.",
                next_step="Call model.eval() and lint the model again.",
            )
        fold_pair(model, norm_path, layer_path)


def _pool_head(model: nn.Module, finding: Finding) -> None:
    """Averages where the first linear layer stood; the last one reads the channels.

    The new linear layer starts at random, always the same.
    """
    paths = [str(path) for path in finding.data["linear_layers"]]
    for path in paths:
        if not isinstance(_module_at(model, finding, path), nn.Linear):
            raise UsageError(
                f"{path!r} is no linear layer, so the head cannot be replaced mechanically.",
                next_step=finding.fix,
            )
    pool_flattened_head(
        model,
        paths,
        num_channels=cast(int, finding.data["channels"]),
        num_classes=cast(int, finding.data["num_classes"]),
        norms=[str(path) for path in finding.data["norms"]],
    )


def _freeze_statistics(model: nn.Module, finding: Finding) -> None:
    """Makes ``model.train()`` pass by the batch norms that the finding names.

    They are in ``data["layers"]``; without that, those at and below ``finding.location``. Weights
    are not frozen by this, statistics are.
    """
    if "layers" in finding.data:
        chosen = [_module_at(model, finding, str(path)) for path in finding.data["layers"]]
    else:
        chosen = list(_module_at(model, finding, finding.location).modules())
    norms = [module for module in chosen if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    if not norms:
        raise UsageError(
            f"There is no batch norm at {finding.location!r}.",
            next_step="Give the model that was linted, or lint this one.",
        )
    keep_in_evaluation(norms)


FIXES: tuple[Fix, ...] = (
    Fix("drop-bias", "drop the redundant bias", "equal in eval and train", _drop_bias),
    Fix(
        "fold-batch-norm", "fold batch norms into convolutions", "equal in eval", _fold_batch_norms
    ),
    Fix("pool-head", "average the map and read it with one linear layer", "same shape", _pool_head),
    Fix(
        "freeze-statistics",
        "keep running statistics as they are",
        "equal in eval",
        _freeze_statistics,
    ),
)


def fix(model: nn.Module, finding: Finding) -> nn.Module:
    """Returns a copy of ``model`` in which ``finding`` is repaired.

    The model itself is left as it is. What the copy promises is in the fix's ``promise``:
    see ``foveal.linting.FIXES``.

    Raises:
        UsageError: The finding has no mechanical fix, or does not belong to this model.
    """
    if finding.fix_id is None:
        raise UsageError(
            f"{finding.code} at {finding.location!r} has no mechanical fix.", next_step=finding.fix
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

"""Batch norms and dropout in the planned training: T402, T406, T407, T417."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from foveal.errors import FovealError
from foveal.graph import trace
from foveal.inspection.gradient_flow import is_dropout
from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, NotApplicable, Outcome, Severity, Undetermined
from foveal.linting.training.optimizer_groups import (
    NO_OPTIMIZER,
    Held,
    group_value,
    held_parameters,
    listed,
    owner_of,
)
from foveal.linting.weights.stored import has_signs_of_training, running_norms
from foveal.text import count_noun


def frozen_norms(context: LintContext) -> Outcome:
    """Finds batch norms in training mode whose own and neighbouring weights are frozen.

    ``requires_grad_(False)`` freezes weights, not statistics: in training mode a batch norm
    takes the statistics of each batch and moves its running ones, so the features of the
    frozen part change from step to step.
    """
    if context.optimizer is None:
        return NO_OPTIMIZER
    norms = [
        (path, module)
        for path, module in context.modules.items()
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is not None
    ]
    if not norms:
        return NotApplicable("the model has no batch norm with running statistics")
    if not context.model.training and not any(norm.training for _, norm in norms):
        return NotApplicable(
            "the model is in evaluation mode; lint it as it is trained, after model.train()"
        )
    drifting = [
        path
        for path, norm in norms
        if norm.training and norm.momentum != 0.0 and _is_frozen(context, path, norm)
    ]
    if not drifting:
        return Checked()
    return Checked(
        (
            Finding(
                code="T402",
                severity="warning",
                location=drifting[0],
                evidence=(
                    f"{count_noun(len(drifting), 'batch norm')} of {len(norms)} "
                    f"{'is' if len(drifting) == 1 else 'are'} in training mode although the "
                    f"weights there are frozen: {listed(drifting)}. Each batch changes what "
                    "the frozen part computes, and its running statistics."
                ),
                fix=(
                    "Call eval() on the frozen part after each model.train(), so that its "
                    "statistics stay as they were learned."
                ),
                fix_id="freeze-statistics",
                data={"layers": drifting, "num_norms": len(norms)},
            ),
        )
    )


def _is_frozen(context: LintContext, path: str, norm: nn.Module) -> bool:
    """Whether the norm's own parameters, or, having none, all of its siblings' are frozen."""
    parameters = list(norm.parameters())
    if not parameters:
        parent = path.rpartition(".")[0]
        parameters = list((context.modules[parent] if parent else context.model).parameters())
    return bool(parameters) and not any(parameter.requires_grad for parameter in parameters)


def norm_decay(context: LintContext) -> Outcome:
    """Finds scales, shifts and biases that are pulled towards zero.

    Decay limits what a layer can compute through the size of its weights; a bias adds no
    such capacity, and a norm's scale is cancelled by what follows or is meant to be free.
    """
    if context.optimizer is None:
        return NO_OPTIMIZER
    decayed: list[tuple[Held, str, float]] = []
    for entry in held_parameters(context):
        decay = group_value(context, entry.group_index, "weight_decay")
        if entry.name is None or not entry.tensor.requires_grad or not decay:
            continue
        kind = _kind(context, entry.name)
        if kind is not None:
            decayed.append((entry, kind, decay))
    if not decayed:
        return Checked()
    names = [entry.name or "" for entry, _, _ in decayed]
    num_norm = sum(kind == "norm" for _, kind, _ in decayed)
    num_bias = len(decayed) - num_norm
    decays = sorted({decay for _, _, decay in decayed})
    return Checked(
        (
            Finding(
                code="T406",
                severity="info",
                location=names[0],
                evidence=(
                    f"Weight decay of {', '.join(f'{decay:g}' for decay in decays)} also pulls at "
                    f"{count_noun(num_norm, 'parameter')} of normalisation layers and "
                    f"{count_noun(num_bias, 'bias', 'biases')}: {listed(names)}."
                ),
                fix=(
                    "Put parameters of one dimension in a group of their own with weight_decay=0."
                ),
                data={
                    "num_norm_parameters": num_norm,
                    "num_biases": num_bias,
                    "weight_decay": decays,
                },
            ),
        )
    )


def _kind(context: LintContext, name: str) -> str | None:
    module = owner_of(context, name)
    last = name.rpartition(".")[2]
    if "norm" in type(module).__name__.lower():
        return "norm"
    if last == "bias" and context.parameters[name].dim() <= 1:
        return "bias"
    return None


# Wu & He 2018 (arXiv 1803.08494): a ResNet-50 loses little down to 16 images a batch, and more
# with every halving below; at 4 and fewer it is clearly worse than with group norm.
TINY = 4


def tiny_batches(context: LintContext) -> Outcome:
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
                location=fewest[0] if fewest is not None else norms[0],
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


def evaluation_mode(context: LintContext) -> Outcome:
    """Looks at the mode of a new network that is given with all that a training step needs.

    A trained network may keep the statistics that it has.
    """
    if context.optimizer is None:
        return NO_OPTIMIZER
    if context.batch is None or context.labels is None or context.loss is None:
        return NotApplicable("batch, labels and loss are needed: only they say that a step follows")
    if context.model.training or not context.has_values:
        return Checked()
    if context.is_pretrained or has_signs_of_training(context):
        return NotApplicable("the network is trained already")
    norms = [path for path, module in running_norms(context) if not module.training]
    dropouts = [
        path
        for path, module in context.modules.items()
        if is_dropout(module) and not module.training and float(getattr(module, "p", 0) or 0) > 0
    ]
    if not norms and not dropouts:
        return Checked()
    idle = []
    if norms:
        idle.append(
            f"{count_noun(len(norms), 'batch norm')} (first {norms[0]}) normalises with the mean 0 "
            "and variance 1 of a new layer"
        )
    if dropouts:
        idle.append(f"{count_noun(len(dropouts), 'dropout')} (first {dropouts[0]}) drops nothing")
    return Checked(
        (
            Finding(
                "T417",
                "warning",
                (norms + dropouts)[0],
                f"The network is in evaluation mode: {' and '.join(idle)}.",
                "Call model.train() before training, and again after each evaluation.",
                data={"num_norms": len(norms), "num_dropouts": len(dropouts)},
            ),
        )
    )

"""Normalisation and dropout where they do harm or nothing: S101, S112, S113, S117, S122, S123."""

from __future__ import annotations

from torch import nn

from foveal.draw.numbers import percent
from foveal.graph import Graph, Kind, Op
from foveal.graph.wiring import (
    SAME_NUMBERS,
    WEIGHTED,
    channels,
    output_op,
    producer_through,
    sole_consumer,
)
from foveal.inspection.gradient_flow import is_dropout
from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, NotApplicable, Outcome
from foveal.linting.losses import is_classifying
from foveal.models.surgery.fold_batch_norm import foldable_pairs


def bias_before_norm(context: LintContext) -> Outcome:
    """Finds convolutions and linear layers with a bias that only a normalisation reads.

    Batch norm, instance norm and group norm with one channel a group subtract a mean of
    each channel, and the bias with it. Layer norm and wider groups subtract a mean over
    several channels, which leaves the bias's differences: there it counts.
    """
    graph = context.graph
    norms = [op for op in graph.ops if _centres_each_channel(op)]
    if not norms:
        return NotApplicable("no normalisation here subtracts a mean of each channel")
    found = []
    for op in graph.ops:
        norm = sole_consumer(graph, op)
        if op.kind not in WEIGHTED or norm is None or not _centres_each_channel(norm):
            continue
        bias = _own_bias(graph, context, op)
        if bias is None or norm.input_shapes[0] != op.output_shape:
            continue
        found.append(
            Finding(
                "S101",
                "info",
                op.name,
                f"{op.name} adds a bias of {channels(op)[1]:,} numbers that {norm.name} "
                f"({norm.function}) subtracts again with the mean of each channel.",
                "Build the layer with bias=False; what the bias did, the shift of the "
                "normalisation does.",
                fix_id="drop-bias" if _is_own_batch_norm(context, norm) else None,
                data={
                    "parameters": channels(op)[1],
                    "normalisation": norm.name,
                    "norm_module": norm.module_path,
                    "bias": bias,
                },
            )
        )
    return Checked(tuple(found))


def _centres_each_channel(op: Op) -> bool:
    if op.kind == "group_norm":
        shape = op.input_shapes[0]
        return len(shape) > 1 and op.attributes["num_groups"] == shape[1]
    return op.kind in {"batch_norm", "instance_norm"}


def _is_own_batch_norm(context: LintContext, norm: Op) -> bool:
    """Whether it is a batch norm module that no other operation uses."""
    users = [op for op in context.graph.ops if op.module_path == norm.module_path]
    return isinstance(context.module_of(norm), nn.modules.batchnorm._BatchNorm) and (
        sum(op.kind == "batch_norm" for op in users) == 1
    )


def _own_bias(graph: Graph, context: LintContext, op: Op) -> str | None:
    """Returns the name of the layer's bias, if it is a plain parameter of this layer alone."""
    name = f"{op.module_path}.bias".lstrip(".")
    if not op.attributes["bias"] or name not in op.parameters or name not in context.parameters:
        return None
    return None if graph.parameter(name).is_shared else name


# Adding or concatenating dilutes the shift, so the walk ends there.
_CARRIES: frozenset[Kind] = WEIGHTED | {
    "activation",
    "copy",
    "reshape",
    "flatten",
    "permute",
    "pad",
    "max_pool",
    "avg_pool",
    "adaptive_pool",
    "global_pool",
}


def dropout_before_norm(context: LintContext) -> Outcome:
    """Finds batch norms that learn their variance with dropout on and use it with dropout off.

    Li et al. 2018 ("Understanding the Disharmony between Dropout and Batch Normalization by
    Variance Shift").
    """
    graph = context.graph
    if not any(op.kind == "batch_norm" for op in graph.ops):
        return NotApplicable("there is no batch norm")
    dropouts = [op for op in graph.ops if op.kind == "dropout" and _probability(op) > 0]
    if not dropouts:
        return NotApplicable("no dropout here has a probability above 0")
    found = []
    for op in dropouts:
        norm = _next_norm(graph, op)
        if norm is None:
            continue
        ratio = 1 / (1 - _probability(op)) if _probability(op) < 1 else float("inf")
        found.append(
            Finding(
                "S112",
                "warning",
                op.name,
                f"{op.name} (p = {_probability(op):g}) stands before {norm.name}: what it lets "
                f"through has {ratio:.2f} times the mean square in training that it has "
                "afterwards, and the running variance is learned from the former.",
                "Move dropout behind the last batch norm, just before the classifier.",
                data={"p": _probability(op), "ratio": ratio, "batch_norm": norm.name},
            )
        )
    return Checked(tuple(found))


def _probability(op: Op) -> float:
    p = op.attributes["p"]
    return float(p) if isinstance(p, int | float) else 0.0


def _next_norm(graph: Graph, op: Op) -> Op | None:
    waiting = list(graph.consumers[op.index])
    while waiting:
        reader = graph.ops[waiting.pop(0)]
        if reader.kind == "batch_norm":
            return reader
        if reader.kind in _CARRIES:
            waiting += graph.consumers[reader.index]
    return None


def norm_after_last(context: LintContext) -> Outcome:
    """Finds a batch norm that stands between the last weighted layer and the output.

    Embeddings that are compared end so on purpose (Luo et al. 2019, "Bag of Tricks", section
    3.5), and a graph cannot tell them from logits: without a softmax behind it, a loss or
    labels of classes the finding is an information.
    """
    graph = context.graph
    if not any(op.kind == "batch_norm" for op in graph.ops):
        return NotApplicable("there is no batch norm")
    norm = output_op(graph, through=SAME_NUMBERS | {"softmax"})
    if norm is None or norm.kind != "batch_norm" or len(graph.outputs[0].shape) != 2:
        return Checked()
    layer = producer_through(graph, norm, SAME_NUMBERS | {"global_pool"})
    if layer is None or layer.kind not in WEIGHTED:
        return Checked()
    num_outputs = norm.output_shape[1]
    last = output_op(graph, through=SAME_NUMBERS)
    is_of_classes = is_classifying(context) or (last is not None and last.kind == "softmax")
    return Checked(
        (
            Finding(
                "S113",
                "warning" if is_of_classes else "info",
                norm.name,
                f"{norm.name} normalises the {num_outputs:,} outputs of {layer.name}: in training "
                "every logit is forced to the same mean and spread within a batch, whatever the "
                "batch holds.",
                "End with the linear layer. (Embeddings that are compared, not classified, are "
                "normalised on purpose: then ignore S113.)",
                data={"outputs": num_outputs, "layer": layer.name},
            ),
        )
    )


def foldable_norm(context: LintContext) -> Outcome:
    """Counts batch norms of a model in evaluation mode that a convolution can absorb.

    Then y = γ / √(σ² + ε) · x + (β - γ μ / √(σ² + ε)) is a fixed map of each channel.
    """
    norms = [m for m in context.modules.values() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    if not norms:
        return NotApplicable("there is no batch norm")
    if any(norm.training for norm in norms):
        return NotApplicable("the model is in training mode, where batch norm is at work")
    pairs = foldable_pairs(context.model, context.graph)
    if not pairs:
        return Checked()
    numbers = sum(4 * norm.num_features for _, norm in pairs.values())
    return Checked(
        (
            Finding(
                "S117",
                "info",
                "",
                f"{len(pairs)} of {len(norms)} batch norms follow a convolution that nothing else "
                f"reads; folded into it they spare {len(pairs)} of {len(context.graph.ops)} "
                f"operations and {numbers:,} stored numbers.",
                "For deployment, and not before training is over, fold them: "
                "foveal.fix(model, finding).",
                fix_id="fold-batch-norm",
                data={
                    "num_foldable": len(pairs),
                    "num_batch_norms": len(norms),
                    "layers": {norm: conv for norm, (conv, _) in pairs.items()},
                },
            ),
        )
    )


# Published networks drop up to 0.5 of the values of a layer, a few 0.7.
HIGHEST_DROPOUT = 0.8
# PyTorch's momentum is the share of the newest batch: 0.1, or 0.01; Keras writes 0.99 for that.
HIGHEST_MOMENTUM = 0.8


def dropout_of_nearly_everything(context: LintContext) -> Outcome:
    """Finds dropout of nearly everything (Srivastava et al. 2014 drop 0.2 to 0.5)."""
    shares = {
        path: float(share)
        for path, module in context.modules.items()
        if is_dropout(module) and isinstance(share := getattr(module, "p", None), int | float)
    }
    if not shares:
        return NotApplicable("there is no dropout")
    return Checked(
        tuple(
            Finding(
                "S122",
                "error" if share >= 1 else "warning",
                path,
                f"{path} drops {percent(share)} of the values: in training "
                + ("nothing gets through." if share >= 1 else "little gets through."),
                "Drop 0.2 to 0.5; p is the share that is dropped, not the share that is kept.",
                data={"share": share},
            )
            for path, share in shares.items()
            if share >= HIGHEST_DROPOUT
        )
    )


def norm_momentum(context: LintContext) -> Outcome:
    """Finds batch norms whose running statistics never move, or are those of the last batch."""
    norms = {
        path: module.momentum
        for path, module in context.modules.items()
        if isinstance(module, nn.modules.batchnorm._BatchNorm)
        and module.track_running_stats
        and module.momentum is not None
    }
    if not norms:
        return NotApplicable("no batch norm keeps running statistics by a momentum")
    odd = {path: m for path, m in norms.items() if m <= 0 or m > HIGHEST_MOMENTUM}
    if not odd:
        return Checked()
    path, momentum = next(iter(odd.items()))
    what = (
        "never move from where they began"
        if momentum <= 0
        else "are nearly those of the last batch alone"
    )
    return Checked(
        (
            Finding(
                "S123",
                "warning",
                path,
                f"{len(odd)} of {len(norms)} batch norms (first {path}) have a momentum of "
                f"{momentum:g}: the running statistics that evaluation uses {what}.",
                "Give 0.1. PyTorch's momentum is the share of the newest batch; Keras' 0.99 is "
                "0.01 here.",
                data={"momentum": momentum, "num_norms": len(odd)},
            ),
        )
    )

"""Folding batch norm into the layer before it.

In evaluation mode y = γ / √(σ² + ε) · x + (β - γ μ / √(σ² + ε)) is a fixed map of each channel,
which the weights and the bias of the convolution before it can take over.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import torch
from torch import nn

from foveal.graph import Graph, Op, trace
from foveal.graph.wiring import sole_consumer
from foveal.models.surgery.changed_copy import own_copy, replace_module

BatchNorm = nn.modules.batchnorm._BatchNorm
_PLAIN_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
_PLAIN_LAYERS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)


def fold_batch_norm(model: nn.Module, *, input_shape: Sequence[int]) -> nn.Module:
    """Returns a copy in evaluation mode with its batch norms folded into the layers before them.

    Folded is a batch norm that alone reads a convolution or a linear layer, both called once
    and sharing no weights; any other stays. The copy is for prediction: trained on, it is a
    network without batch norm.

    Preserves: the outputs in evaluation mode, up to rounding (1e-5 of the largest); all
    shapes; the names of the remaining parameters. A folded norm is an ``nn.Identity``, or
    what timm's ``BatchNormAct2d`` does after it.

    Args:
        model: Left as it is.
        input_shape: ``(C, H, W)`` of one image, to follow the wiring with.

    Raises:
        TraceError: The model refuses the input.
    """
    folded = own_copy(model).eval()
    pairs = foldable_pairs(folded, trace(folded, input_shape))
    for norm_path, (layer_path, _) in pairs.items():
        fold_pair(folded, norm_path, layer_path)
    return folded


def foldable_pairs(model: nn.Module, graph: Graph) -> dict[str, tuple[str, BatchNorm]]:
    """Returns batch norms by path, each with the path of the layer that can absorb it.

    A pair is foldable where nothing else reads the layer, both are called once, share no
    weights, and the batch norm is in evaluation mode with running statistics.
    """
    modules = dict(model.named_modules())
    calls = Counter(op.module_path for op in graph.ops if op.kind in {"batch_norm", "conv"})
    calls.update(op.module_path for op in graph.ops if op.kind == "linear")
    pairs: dict[str, tuple[str, BatchNorm]] = {}
    for op in graph.ops:
        reader = sole_consumer(graph, op) if op.kind in {"conv", "linear"} else None
        if reader is None or reader.kind != "batch_norm":
            continue
        layer, norm = modules[op.module_path], modules[reader.module_path]
        if not isinstance(norm, BatchNorm) or _remainder_of(norm) is None:
            continue
        is_plain = isinstance(layer, _PLAIN_LAYERS) and _owns_weights(graph, op)
        is_once = calls[op.module_path] == calls[reader.module_path] == 1
        has_channels_last = op.kind == "linear" and len(op.output_shape) != 2
        fits = op.output_shape == reader.input_shapes[0] and not has_channels_last
        if is_plain and is_once and fits and not norm.training and norm.running_mean is not None:
            pairs[reader.module_path] = (op.module_path, norm)
    return pairs


def fold_pair(model: nn.Module, norm_path: str, layer_path: str) -> None:
    """Folds one batch norm of ``model``, in place, and leaves in its place what remains of it."""
    norm = model.get_submodule(norm_path)
    assert isinstance(norm, BatchNorm)
    remainder = _remainder_of(norm)
    assert remainder is not None
    _absorb(model.get_submodule(layer_path), norm)
    replace_module(model, norm_path, remainder)


def _owns_weights(graph: Graph, op: Op) -> bool:
    names = {f"{op.module_path}.weight".lstrip("."), f"{op.module_path}.bias".lstrip(".")}
    return (
        not op.attributes.get("computed_weight")
        and set(op.parameters) <= names
        and not any(graph.parameter(name).is_shared for name in op.parameters)
    )


def _remainder_of(norm: BatchNorm) -> nn.Module | None:
    """Returns what is left of a batch norm once it is folded; None if that is not known.

    timm's ``BatchNormAct2d`` keeps its dropout and its activation.
    """
    if type(norm) in _PLAIN_NORMS:
        return nn.Identity()
    if type(norm).__name__ == "BatchNormAct2d":
        parts = [part for part in (getattr(norm, "drop", None), getattr(norm, "act", None)) if part]
        return nn.Sequential(*parts)
    return None


@torch.no_grad()
def _absorb(layer: nn.Module, norm: BatchNorm) -> None:
    """Multiplies a batch norm in evaluation mode into the layer before it, in double precision.

    W' = γ / √(σ² + ε) · W and b' = (b - μ) γ / √(σ² + ε) + β.
    """
    weight, bias = layer.weight, layer.bias
    assert isinstance(weight, nn.Parameter)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    mean, variance = norm.running_mean.double(), norm.running_var.double()
    scale = torch.rsqrt(variance + norm.eps)
    shift = -mean if bias is None else torch.as_tensor(bias).double() - mean
    if norm.weight is not None:
        scale = scale * norm.weight.double()
    shift = shift * scale
    if norm.bias is not None:
        shift = shift + norm.bias.double()
    shape = (-1,) + (1,) * (weight.dim() - 1)
    folded = (weight.double() * scale.reshape(shape)).to(weight.dtype)
    weight.copy_(folded)
    layer.bias = nn.Parameter(shift.to(weight.dtype), requires_grad=weight.requires_grad)

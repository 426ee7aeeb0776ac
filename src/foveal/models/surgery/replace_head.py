"""Another classifier at the end of a network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import nn

from foveal.errors import ModelError, UsageError
from foveal.graph import Graph, Head, head, trace
from foveal.graph.wiring import output_op, producer
from foveal.models.surgery.changed_copy import own_copy, replace_module, unfilled

Pooling = Literal["keep", "average"]

_NORMS = frozenset({"batch_norm", "layer_norm", "group_norm", "norm", "instance_norm"})


class AveragePlaces(nn.Module):
    """Averages a flattened map over its positions: ``(N, C * H * W)`` to ``(N, C)``."""

    def __init__(self, num_channels: int) -> None:
        super().__init__()
        self.num_channels = num_channels

    def forward(self, flattened: torch.Tensor) -> torch.Tensor:
        """Returns the mean of each channel; the map may have any size."""
        return flattened.reshape(flattened.shape[0], self.num_channels, -1).mean(dim=2)

    def extra_repr(self) -> str:
        """Returns the number of channels."""
        return str(self.num_channels)


def replace_head(
    model: nn.Module,
    num_classes: int,
    *,
    input_shape: Sequence[int],
    pooling: Pooling = "keep",
    seed: int = 0,
) -> nn.Module:
    """Returns a copy that answers with ``num_classes`` logits.

    ``"keep"`` replaces the last layer with weights alone. ``"average"`` also replaces the
    flattening of a map and every linear layer after it by global average pooling and one
    linear layer (Lin, Chen and Yan 2014, "Network In Network", section 3.2); what stands
    between them, activations and dropout, stays, and norms of the old width go. A head that
    pools already keeps its pooling.

    The new layer starts with weights drawn evenly from ±1/√fan-in, as ``nn.Linear`` does, and
    a bias of zero, so that no class is preferred.

    Preserves: everything before what is replaced, its parameters, names and results.
    Auxiliary classifiers that run in training alone keep their classes.

    Args:
        model: Any classifier whose head ``foveal.graph.head`` recognises; left as it is.
        num_classes: K, at least 1.
        input_shape: ``(C, H, W)`` of one image.
        pooling: What becomes of a flattened map.
        seed: Of the new weights; the global random state is not touched.

    Raises:
        ModelError: The head has none of the known forms.
        UsageError: ``num_classes`` is below 1, or ``pooling`` is no choice.
        TraceError: The model refuses the input.
    """
    if num_classes < 1:
        raise UsageError(f"num_classes is {num_classes}; a classifier has at least 1.")
    if pooling not in ("keep", "average"):
        raise UsageError(f"pooling is {pooling!r}; 'keep' or 'average' was expected.")
    changed = own_copy(model)
    graph = trace(changed, input_shape, mode="eval")
    found = head(graph)
    if found.kind == "other":
        raise ModelError(
            f"The head of {graph.model_type} is not recognised: {found.reason}.",
            next_step="Replace its last layer by hand.",
        )
    layers = [graph.op(name).module_path for name in found.linear_layers]
    if pooling == "average" and found.kind in ("flattened linear", "flattened MLP"):
        pool_flattened_head(
            changed,
            layers,
            num_channels=_channels_of_map(graph, found),
            num_classes=num_classes,
            norms=norms_in_head(graph, found),
            seed=seed,
        )
    else:
        old = changed.get_submodule(layers[-1])
        replace_module(changed, layers[-1], _new_layer(old, layers[-1], num_classes, seed))
    # Where a model keeps the count, its own code reshapes by it.
    if isinstance(getattr(changed, "num_classes", None), int):
        changed.num_classes = num_classes  # type: ignore[assignment]
    shape = trace(changed, input_shape, mode="eval").outputs[0].shape
    if shape[1:] != (num_classes,):
        raise ModelError(
            f"With the new head {graph.model_type} returns {shape}, not (N, {num_classes}).",
            next_step="Replace its last layer by hand.",
        )
    return changed


def pool_flattened_head(
    model: nn.Module,
    layers: Sequence[str],
    *,
    num_channels: int,
    num_classes: int,
    norms: Sequence[str] = (),
    seed: int = 0,
) -> None:
    """Averages, in place, where the first of ``layers`` stood; the last reads the channels.

    What lies between, activations and dropout, stays: the mean of a map behind a ReLU passes
    another ReLU unchanged.

    Args:
        model: Changed.
        layers: Paths of the linear layers (or convolutions over the whole map) after the
            flattening, in order.
        num_channels: C of the map.
        num_classes: K.
        norms: Paths of norms among them, which have the width of the old layers.
        seed: Of the new layer.
    """
    first = model.get_submodule(layers[0])
    weight = first.weight
    assert isinstance(weight, nn.Parameter)
    average: nn.Module = AveragePlaces(num_channels)
    if isinstance(first, nn.Conv2d):
        average = nn.AdaptiveAvgPool2d(1)
    is_map = isinstance(model.get_submodule(layers[-1]), nn.Conv2d)
    classifier = _fill(
        unfilled(
            nn.Conv2d if is_map else nn.Linear,
            num_channels,
            num_classes,
            **({"kernel_size": 1} if is_map else {}),
            device=weight.device,
            dtype=weight.dtype,
        ),
        seed,
    )
    if len(layers) == 1:
        replace_module(model, layers[0], nn.Sequential(average, classifier))
        return
    replace_module(model, layers[0], average)
    for path in (*layers[1:-1], *norms):
        replace_module(model, path, nn.Identity())
    replace_module(model, layers[-1], classifier)


def _new_layer(old: nn.Module, path: str, num_classes: int, seed: int) -> nn.Module:
    """Returns a layer like the old one, for other classes."""
    common = {
        "bias": getattr(old, "bias", None) is not None,
        "device": getattr(old, "weight", torch.empty(0)).device,
        "dtype": getattr(old, "weight", torch.empty(0)).dtype,
    }
    if isinstance(old, nn.Linear):
        return _fill(unfilled(nn.Linear, old.in_features, num_classes, **common), seed)
    if isinstance(old, nn.Conv2d) and old.groups == 1:
        geometry = {
            name: getattr(old, name)
            for name in ("kernel_size", "stride", "padding", "dilation", "padding_mode")
        }
        layer = unfilled(nn.Conv2d, old.in_channels, num_classes, **geometry, **common)
        return _fill(layer, seed)
    raise ModelError(
        f"The logits come from {path!r}, a {type(old).__name__}, and no linear layer.",
        next_step="Replace it by hand.",
    )


def _fill(layer: nn.Module, seed: int) -> nn.Module:
    weight, bias = layer.weight, layer.bias
    assert isinstance(weight, nn.Parameter)
    bound = 1.0 / math.sqrt(weight[0].numel())
    # Drawn on the CPU, so that every device starts alike.
    generator = torch.Generator().manual_seed(seed)
    values = torch.empty(weight.shape).uniform_(-bound, bound, generator=generator)
    with torch.no_grad():
        weight.copy_(values)
        if isinstance(bias, nn.Parameter):
            bias.zero_()
    return layer


def _channels_of_map(graph: Graph, found: Head) -> int:
    """Returns C of the map that is flattened channel by channel."""
    assert found.features is not None
    shape = graph.op(found.features).output_shape
    first = graph.op(found.linear_layers[0])
    num_read = first.attributes.get("in_features", first.attributes.get("in_channels"))
    width = math.prod(shape[1:]) if first.kind == "linear" else shape[1]
    if len(shape) != 4 or num_read != width or graph.op(found.features).kind == "permute":
        raise ModelError(
            f"The head of {graph.model_type} flattens a result of shape {shape}, which is not "
            "known to be a map with its channels first.",
            next_step='Use pooling="keep", or replace its head by hand.',
        )
    return shape[1]


def norms_in_head(graph: Graph, found: Head) -> tuple[str, ...]:
    """Returns the paths of norms between the last map and the logits."""
    norms = []
    op = output_op(graph)
    while op is not None and op.name != found.features:
        if op.kind in _NORMS:
            norms.append(op.module_path)
        op = producer(graph, op)
    return tuple(norms)

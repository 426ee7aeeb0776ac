"""Ablation-CAM: what the score loses when a channel is set to zero.

Desai and Ramaswamy, "Ablation-CAM: Visual Explanations for Deep Convolutional
Network via Gradient-free Localization" (WACV 2020, section 3). The weight of channel c for class
k is ``(y_k - y_k without c) / y_k`` and the map ``relu(sum_c weight_c A_c)``.

The paper divides by the score. Where the score is negative that would turn the map around, so
here it is divided by the score's size. Behind an average and one linear layer the loss is
known beforehand, ``w_kc mean(A_c)``, and the network is not run again.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from foveal.errors import ModelError, TraceError
from foveal.explanation.heat_map import ASKED_FOR, HeatMap
from foveal.explanation.requests import (
    Classes,
    Images,
    batch_size_for,
    classes_of_each,
    ready_images,
)
from foveal.graph import Graph, Head, cut, cut_points, head, trace
from foveal.layers import (
    Logits,
    MapLayer,
    find_map,
    logits_of,
    of_every_class,
    predicting,
    result_at,
    result_replaced,
    with_scores_alone,
)
from foveal.layers.logits import Progress

_BATCH_SIZE = 64

_Behind = Callable[[Tensor, Tensor], Logits]
"""From changed results of the layer, and the rows of the images that they belong to."""


def ablation_maps(
    model: nn.Module,
    images: Images,
    *,
    classes: Classes = None,
    layer: str | None = None,
    graph: Graph | None = None,
    progress: Progress | None = None,
) -> tuple[tuple[HeatMap, ...], ...]:
    """Returns the Ablation-CAM of each image.

    Args:
        model: A classifier; used in evaluation mode and left as found.
        images: [N, C, H, W], as the network takes them.
        classes: One or several for every image, ``"all"``, or None for each image's likeliest.
        layer: An operation or module whose result is a map; by default what the head pools
            or flattens.
        graph: Of the model in evaluation mode, if it is at hand.
        progress: Called as ``progress(done, total)`` where channels are taken away one by one:
            then ``total`` is N times the layer's channels, each a pass from that layer on. With
            an average and one linear layer behind it there are none.

    Returns:
        ``result[n][j]``, the map of image n for its j-th class, at the layer's resolution and in
        units of its activation. More classes cost no more passes.

    Raises:
        UsageError: There is no such class or layer.
        ModelError: The layer has no map of shape [N, C, h, w].
        TraceError: The network cannot be traced.
    """
    with predicting(model) as lent:
        images = ready_images(images, lent)
        if graph is None:
            graph = trace(lent, tuple(images.shape[1:]), dtype=images.dtype)
        end = None
        if layer is None or graph.status == "complete":
            end = head(with_scores_alone(graph, lent, images))
        name, reason = _choose(graph, end) if layer is None and end else (layer or "", ASKED_FOR)
        at = find_map(lent, graph, name)
        result, behind = _split(lent, graph, at, images)
        logits = behind(result, torch.arange(len(images))).values.double()
        chosen = classes_of_each(logits, classes)
        features = at.channels_first(result)
        weight = None if end is None else _weight_behind(lent, graph, end, at)
        if weight is not None:
            means = features.double().mean((2, 3))
            drops = means[:, None] * weight.double()
        else:
            batch_size = batch_size_for(images, _BATCH_SIZE)
            channel_dim = 1 if at.position_dims == (2, 3) else 3
            drops = _by_passes(behind, result, channel_dim, logits, batch_size, progress)
    return tuple(
        tuple(
            _heat_map(feature, drop[index], float(logit[index]), index, at.name, reason, images)
            for index in wanted
        )
        for feature, drop, logit, wanted in zip(features, drops, logits, chosen, strict=True)
    )


def _split(model: nn.Module, graph: Graph, at: MapLayer, images: Tensor) -> tuple[Tensor, _Behind]:
    """Returns the layer's result, and what gives the logits of changed ones.

    Where the network can be cut at the layer, only what follows it is run again; elsewhere the
    whole network, with the layer's result replaced.
    """
    op, site = at.layer.op, at.layer.site
    points = [] if op is None else [item for item in cut_points(graph) if item.op_index == op.index]
    if points:
        try:
            prefix, suffix = cut(model, graph, points[0])
        except TraceError:  # what it hands over is not this tensor alone
            pass
        else:
            return prefix(images), lambda changed, rows: logits_of(suffix, changed)

    def behind(changed: Tensor, rows: Tensor) -> Logits:
        with result_replaced(model, site, len(rows), lambda _: changed):
            return logits_of(model, images[rows])

    return result_at(model, site, images), behind


def _choose(graph: Graph, end: Head) -> tuple[str, str]:
    """Returns the layer to look at, and why."""
    if end.features is not None:
        return end.features, f"It is the last map: {end.reason}."
    for point in reversed(cut_points(graph)):
        if len(point.shape) == 4 and point.shape[2] * point.shape[3] > 1:
            name = graph.ops[point.op_index].name
            return name, f"It is the last map that all passes through ({end.reason})."
    raise ModelError(
        f"{graph.model_type} has no map that everything passes through.",
        next_step="Use occlusion, which looks at the image alone.",
    )


def _weight_behind(model: nn.Module, graph: Graph, end: Head, at: MapLayer) -> Tensor | None:
    """Returns the linear layer's weight [K, C] if it reads the average of this very layer."""
    if not end.has_exact_map or end.features is None or end.pool is None:
        return None
    pool = graph.op(end.pool)
    covers_all = pool.kind != "avg_pool" or pool.attributes.get("kernel") == at.shape[2:]
    if at.name != end.features or not covers_all:
        return None
    stored = dict(model.named_parameters())
    layer = graph.op(end.linear_layers[-1])
    weights = [stored[item] for item in layer.parameters if item in stored]
    weights = [item for item in weights if item.ndim > 1]
    if layer.attributes.get("computed_weight") or len(weights) != 1:
        return None
    shape = (end.num_classes, end.num_features)
    weight = weights[0].detach().flatten(1)
    return of_every_class(weight) if tuple(weight.shape) == shape else None


def _by_passes(
    behind: _Behind,
    result: Tensor,
    channel_dim: int,
    logits: Tensor,
    batch_size: int,
    progress: Progress | None,
) -> Tensor:
    """Returns what each logit loses without each channel, float64 [N, K, C]."""
    num_channels = result.shape[channel_dim]
    total = len(result) * num_channels
    losses = []
    for start in range(0, total, batch_size):
        steps = torch.arange(start, min(start + batch_size, total), device=result.device)
        image, channel = steps // num_channels, steps % num_channels
        without = result[image]
        without.movedim(channel_dim, 1)[torch.arange(len(steps)), channel] = 0
        losses.append(logits[image] - behind(without, image).values.double())
        if progress is not None:
            progress(start + len(steps), total)
    return torch.cat(losses).reshape(len(result), num_channels, -1).mT


def _heat_map(
    feature: Tensor,
    drops: Tensor,
    logit: float,
    class_index: int,
    name: str,
    reason: str,
    images: Tensor,
) -> HeatMap:
    # A score of exactly zero has no relative drop; the map's shape does not depend on it.
    weights = drops / abs(logit) if logit else drops
    signed = torch.tensordot(weights, feature.double(), dims=1).float().cpu().numpy()
    return HeatMap(
        method="ablation-cam",
        layer=name,
        layer_reason=reason,
        class_index=class_index,
        logit=logit,
        values=signed.clip(min=0.0),
        signed=signed,
        bias=None,
        image_size_px=(int(images.shape[2]), int(images.shape[3])),
    )

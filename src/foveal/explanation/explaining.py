"""Explains one batch or many of one network: any method by its name."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

import torch
from torch import nn

from foveal.errors import UsageError
from foveal.explanation.heat_map import HeatMap
from foveal.explanation.mapping import make_maps
from foveal.explanation.methods import AUTO, method_named
from foveal.explanation.planning import Plan, make_plan
from foveal.explanation.requests import Classes, Images, ready_images
from foveal.graph import Graph, trace
from foveal.layers import predicting, with_scores_alone

if TYPE_CHECKING:
    from collections.abc import Hashable

# Measured on 2 cores: from about four images on, channels last saves 10 to 35 % of a pass.
_MIN_CHANNELS_LAST = 4
# Images of many sizes would otherwise keep a graph each.
_MAX_PLANS = 16


class Explainer:
    """Explains many batches of one model.

    What tracing found is kept for each size of image, so a loop pays for it once. The
    model's weights may change meanwhile; when its structure does, make a new one.

    Where the head averages its features for one linear layer, all methods have a closed form
    and every class comes from one forward pass, without gradients; elsewhere what follows the
    layer is differentiated, and nothing else. The model may be frozen, in any mode (the
    predicting network is explained, as after ``eval()``), device and precision, and is left
    as it was found.

    Args:
        model: A classifier that takes one batch of images and returns scores [N, K]; of
            several outputs, the first.
        graph: Of this model, if it was traced already. One of another size or mode is not
            used.
    """

    def __init__(self, model: nn.Module, *, graph: Graph | None = None) -> None:
        self._model = model
        self._last = graph
        self._keeps_layout = False
        self._plans: OrderedDict[Hashable, Plan] = OrderedDict()
        self._lock = threading.Lock()

    def explain(
        self,
        images: Images,
        *,
        classes: Classes = None,
        method: str = "auto",
        layer: str | None = None,
    ) -> tuple[tuple[HeatMap, ...], ...]:
        """Returns the maps of one batch: ``result[n][j]`` is image n's for its j-th class.

        Args:
            images: [N, C, H, W], preprocessed as the network expects; floating point.
            classes: The class to explain, or several, or ``"all"``; the predicted one of each
                image if None.
            method: ``"cam"``, ``"grad-cam"``, ``"grad-cam++"``, ``"hirescam"``, ``"layercam"``,
                or ``"auto"``: see ``foveal.explanation.planning.make_plan``.
            layer: Name of an operation or a module; the last map if None.

        Raises:
            UsageError: Images, classes, method or layer are not such.
            ModelError: The network has no map, or no class scores.
            TraceError: The network cannot be followed.
        """
        with predicting(self._model) as lent:
            images = ready_images(images, lent)
            if not len(images):
                return ()
            plan = self._plan(lent, images, method, layer)
            if self._keeps_layout or not _gains_from_channels_last(images):
                return make_maps(lent, plan, images, classes)
            quick = images.contiguous(memory_format=torch.channels_last)
            try:
                return make_maps(lent, plan, quick, classes)
            except RuntimeError as error:
                if "view" not in str(error):
                    raise
                self._keeps_layout = True  # it flattens with view, which this layout forbids
                return make_maps(lent, plan, images, classes)

    def _plan(self, lent: nn.Module, images: torch.Tensor, method: str, layer: str | None) -> Plan:
        shape = tuple(images.shape[1:])
        key = (shape, method, layer)
        plan = self._plans.get(key)
        if plan is None:
            graph = with_scores_alone(self._graph(lent, images), lent, images)
            plan = make_plan(lent, graph, method=method, layer=layer)
            with self._lock:
                self._plans[key] = plan
                if len(self._plans) > _MAX_PLANS:
                    self._plans.popitem(last=False)
        return plan

    def _graph(self, lent: nn.Module, images: torch.Tensor) -> Graph:
        shape = tuple(images.shape[1:])
        graph = self._last
        fits = (
            graph is not None
            and graph.modes == "eval"
            and [item.shape for item in graph.inputs] == [(1, *shape)]
        )
        if graph is None or not fits:
            graph = trace(lent, shape, dtype=images.dtype)
        self._last = graph
        return graph


def _gains_from_channels_last(images: torch.Tensor) -> bool:
    """Whether the pass is quicker with the channels last; the numbers are the same."""
    return images.device.type == "cpu" and len(images) >= _MIN_CHANNELS_LAST


def explain(
    model: nn.Module,
    images: Images,
    *,
    classes: Classes = None,
    method: str = "auto",
    layer: str | None = None,
    graph: Graph | None = None,
) -> tuple[tuple[HeatMap, ...], ...]:
    """Returns where in each image the scores of classes come from.

    The model may be frozen, in any mode (the predicting network is explained, as after
    ``eval()``), device and precision, and is left as it was found. For many batches of one
    model, ``Explainer`` traces it only once.

    Args:
        model: A classifier that takes one batch of images and returns scores [N, K]; of
            several outputs, the first.
        images: [N, C, H, W], preprocessed as the network expects; floating point.
        classes: The class to explain, or several, or ``"all"``; the predicted one of each
            image if None.
        method: A name of ``METHODS``. Ablation-CAM, occlusion and input gradients have choices
            of their own: ``ablation_maps``, ``occlusion_maps``, ``input_gradients``.
        layer: Name of an operation or a module; the method's own choice if None.
        graph: Of this model, if it was traced already. One of another size or mode is not
            used.

    Returns:
        ``result[n][j]`` is the map of image n for its j-th class.

    Raises:
        UsageError: Images, classes, method or layer are not such.
        ModelError: The network has no map, or no class scores.
        TraceError: The network cannot be followed.
    """
    return MapMaker(model, method=method, layer=layer, graph=graph)(images, classes=classes)


class MapMaker:
    """Makes maps of one network by one method, batch after batch.

    Args:
        model: A classifier; left as it was found.
        method: A name of ``METHODS``.
        layer: An operation or module; the method's own choice if None.
        graph: Of this model, if it was traced already.

    Raises:
        UsageError: There is no such method, or it looks at pixels and a layer was named.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        method: str = "auto",
        layer: str | None = None,
        graph: Graph | None = None,
    ) -> None:
        self._run = None if method == AUTO else method_named(method).run
        if layer is not None and method != AUTO and method_named(method).looks_at == "pixels":
            raise UsageError(
                f"got layer={layer!r}, expected none: {method} looks at the pixels.",
                next_step="Leave the layer out, or use grad-cam.",
            )
        self._model = model
        self._method = method
        self._layer = layer
        self._explainer = Explainer(model, graph=graph)

    def __call__(
        self, images: Images, *, classes: Classes = None
    ) -> tuple[tuple[HeatMap, ...], ...]:
        """Returns ``result[n][j]``, the map of image n [N, C, H, W] for its j-th class.

        Raises:
            UsageError: Class or layer do not exist or do not fit.
            ModelError: The network has no map, or no class scores.
        """
        if self._run is not None:
            where = {} if self._layer is None else {"layer": self._layer}
            return self._run(self._model, images, classes=classes, **where)
        return self._explainer.explain(
            images, classes=classes, method=self._method, layer=self._layer
        )

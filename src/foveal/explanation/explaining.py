"""Many batches of one network, traced once: the methods that weigh the result of a layer."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

import torch

from foveal.explanation.heat_map import HeatMap
from foveal.explanation.logits import with_scores_alone
from foveal.explanation.mapping import make_maps
from foveal.explanation.planning import Plan, make_plan
from foveal.explanation.private_copy import predicting
from foveal.explanation.requests import Classes, Images, ready_images
from foveal.graph import Graph, trace

if TYPE_CHECKING:
    from collections.abc import Hashable

# Measured on 2 cores: from about four pictures on, channels last saves 10 to 35 % of a pass.
_MIN_CHANNELS_LAST = 4
# Pictures of many sizes would otherwise keep a graph each.
_MAX_PLANS = 16


class Explainer:
    """Explains many batches of one model.

    What tracing found is kept for each size of picture, so a loop pays for it once. The
    model's weights may change meanwhile; when its structure does, make a new one.

    Where the head averages its features for one linear layer, all methods have a closed form
    and every class comes from one forward pass, without gradients; elsewhere what follows the
    layer is differentiated, and nothing else. The model may be frozen, in any mode (the
    predicting network is explained, as after ``eval()``), device and precision, and is left
    as it was found.

    Args:
        model: A classifier that takes one batch of pictures and returns scores [N, K]; of
            several outputs, the first.
        graph: Of this model, if it was traced already. One of another size or mode is not
            used.
    """

    def __init__(self, model: torch.nn.Module, *, graph: Graph | None = None) -> None:
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
        """Returns the maps of one batch: ``result[n][j]`` is picture n's for its j-th class.

        Args:
            images: [N, C, H, W], preprocessed as the network expects; floating point.
            classes: The class to explain, or several, or ``"all"``; the predicted one of each
                picture if None.
            method: ``"cam"``, ``"grad-cam"``, ``"grad-cam++"``, ``"hirescam"``, ``"layercam"``,
                or ``"auto"``: see ``foveal.explanation.planning.make_plan``.
            layer: Name of an operation or a module; the last map if None.

        Raises:
            UsageError: Images, classes, method or layer are not such.
            ModelError: The network has no map with places, or no class scores.
            TraceError: The network cannot be followed.
        """
        with predicting(self._model) as lent:
            pictures = ready_images(images, lent)
            if not len(pictures):
                return ()
            plan = self._plan(lent, pictures, method, layer)
            if self._keeps_layout or not _gains_from_channels_last(pictures):
                return make_maps(lent, plan, pictures, classes)
            quick = pictures.contiguous(memory_format=torch.channels_last)
            try:
                return make_maps(lent, plan, quick, classes)
            except RuntimeError as error:
                if "view" not in str(error):
                    raise
                self._keeps_layout = True  # it flattens with view, which this layout forbids
                return make_maps(lent, plan, pictures, classes)

    def _plan(
        self, lent: torch.nn.Module, images: torch.Tensor, method: str, layer: str | None
    ) -> Plan:
        shape = tuple(images.shape[1:])
        key = (shape, method, layer)
        plan = self._plans.get(key)
        if plan is None:
            graph = with_scores_alone(self._graph(lent, images), lent, images)
            plan = make_plan(graph, method=method, layer=layer)
            with self._lock:
                self._plans[key] = plan
                if len(self._plans) > _MAX_PLANS:
                    self._plans.popitem(last=False)
        return plan

    def _graph(self, lent: torch.nn.Module, images: torch.Tensor) -> Graph:
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

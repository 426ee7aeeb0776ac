"""How one network is explained at one size of picture: decided once, used for every batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from foveal.errors import UsageError
from foveal.explanation.exact_head import ExactHead, exact_head
from foveal.explanation.heat_map import MapMethod
from foveal.explanation.layer_choice import ASKED_FOR, LayerChoice
from foveal.graph import Graph, Head, head
from foveal.layers import MapLayer, find_map
from foveal.text import near_names

LayerMethod = Literal["cam", "grad-cam", "grad-cam++", "hirescam", "layercam"]
METHODS: tuple[LayerMethod, ...] = ("cam", "grad-cam", "grad-cam++", "hirescam", "layercam")


@dataclass(frozen=True, slots=True)
class Plan:
    """How maps are made.

    Attributes:
        method: What is computed.
        layer: Where.
        reason: Why there, as one sentence.
        exact: The head, where all classes follow from one forward pass; None where a backward
            pass is needed.
    """

    method: MapMethod
    layer: MapLayer
    reason: str
    exact: ExactHead | None


def make_plan(
    model: torch.nn.Module, graph: Graph, *, method: str = "auto", layer: str | None = None
) -> Plan:
    """Decides on method and layer.

    ``"auto"`` is CAM where the head averages the features for one linear layer, for there the
    score is the mean of the map. Elsewhere it is Grad-CAM where the head averages, since
    the gradient is then the same at every place and nothing is lost by averaging it, and
    HiResCAM where the head treats places differently (flattening, maximum, no usual head):
    averaged gradients would there light up places that the head does not use (Draelos and
    Carin 2020). At a layer that was asked for and is not the last one, it is Grad-CAM.

    Args:
        model: The network; run on one grey image where a layer is named that tracing did not reach.
        graph: Traced in evaluation mode, at the size of the images.
        method: One of ``METHODS`` or ``"auto"``.
        layer: Name of an operation, or of a module, which stands for its last operation; the
            last map if None.

    Raises:
        UsageError: Unknown method or layer, or one that does not fit the other.
        ModelError: The network has no map with places.
    """
    if method not in (*METHODS, "auto"):
        near = near_names(method, METHODS)
        raise UsageError(
            f"There is no method {method!r}; known: auto, {', '.join(METHODS)}.",
            next_step=f"Did you mean {near[0]}?" if near else None,
        )
    asked = None if layer is None else find_map(model, graph, layer)
    if asked is not None and graph.status != "complete" and method != "cam":
        # Of the head nothing is known, but the layer is.
        return Plan("grad-cam" if method == "auto" else _known(method), asked, ASKED_FOR, None)
    found = head(graph)
    choice = LayerChoice(graph, found)
    exact = exact_head(graph, found)
    if isinstance(exact, ExactHead):
        plan = _exact_plan(choice, exact, method, asked)
        if plan is not None:
            return plan
    if method == "cam":
        raise _no_cam(graph, exact, layer)
    place, reason = choice.last() if asked is None else (asked, ASKED_FOR)
    is_last = asked is None or choice.is_last(asked)
    name = _automatic(found, is_last=is_last) if method == "auto" else _known(method)
    return Plan(name, place, reason, None)


def _exact_plan(
    choice: LayerChoice, exact: ExactHead, method: str, asked: MapLayer | None
) -> Plan | None:
    """Returns the plan where no backward pass is needed."""
    # A map for each class has no weights, so the gradient methods look at what it is made of.
    if exact.kind == "class maps" and method not in {"auto", "cam"}:
        return None
    layer, reason = choice.exact(exact)
    if asked is not None:
        if asked.name not in {layer.name, exact.features.name}:
            return None
        reason = ASKED_FOR
    return Plan("cam" if method == "auto" else _known(method), layer, reason, exact)


def _automatic(found: Head, *, is_last: bool) -> MapMethod:
    averages = found.pool_function == "avg" and found.kind != "other"
    return "grad-cam" if averages or not is_last else "hirescam"


def _known(method: str) -> MapMethod:
    return next(item for item in METHODS if item == method)


def _no_cam(graph: Graph, exact: ExactHead | str, layer: str | None) -> UsageError:
    if isinstance(exact, ExactHead):
        return UsageError(
            f"CAM is defined at the map that the head averages, which is not {layer!r}.",
            next_step="Leave layer out, or use grad-cam there.",
        )
    return UsageError(
        f"{graph.model_type} has no class activation map: {exact}.",
        next_step="Use grad-cam or hirescam, or auto, which chooses.",
    )

"""How one network is explained at one size of picture: decided once, used for every batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from foveal.errors import UsageError
from foveal.explanation.exact_head import ExactHead, exact_head
from foveal.explanation.heat_map import MapMethod
from foveal.explanation.layer_choice import MapLayer, MapLayers
from foveal.explanation.sites import Site, find_site
from foveal.graph import Graph, Head, head
from foveal.text import near_names

LayerMethod = Literal["cam", "grad-cam", "grad-cam++", "hirescam", "layercam"]
METHODS: tuple[LayerMethod, ...] = ("cam", "grad-cam", "grad-cam++", "hirescam", "layercam")


@dataclass(frozen=True, slots=True)
class Plan:
    """How maps are made.

    Attributes:
        method: What is computed.
        layer: Where.
        site: Where its result can be had in the running model.
        exact: The head, where all classes follow from one forward pass; None where a backward
            pass is needed.
    """

    method: MapMethod
    layer: MapLayer
    site: Site
    exact: ExactHead | None


def make_plan(graph: Graph, *, method: str = "auto", layer: str | None = None) -> Plan:
    """Decides on method and layer.

    ``"auto"`` is CAM where the head averages the features for one linear layer, for there the
    score is the mean of the map. Elsewhere it is Grad-CAM where the head averages, since
    the gradient is then the same at every place and nothing is lost by averaging it, and
    HiResCAM where the head treats places differently (flattening, maximum, no usual head):
    averaged gradients would there light up places that the head does not use (Draelos and
    Carin 2020). At a layer that was asked for and is not the last one, it is Grad-CAM.

    Args:
        graph: Traced in evaluation mode, at the size of the pictures.
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
    found = head(graph)
    layers = MapLayers(graph, found)
    exact = exact_head(graph, found)
    if isinstance(exact, ExactHead):
        chosen = _exact_choice(layers, exact, method, layer)
        if chosen is not None:
            name, place = chosen
            return Plan(name, place, find_site(graph, place.op), exact)
    if method == "cam":
        raise _no_cam(graph, exact, layer)
    place = layers.last() if layer is None else layers.named(layer)
    name = _automatic(found, place) if method == "auto" else _gradient_method(method)
    return Plan(name, place, find_site(graph, place.op), None)


def _exact_choice(
    layers: MapLayers, exact: ExactHead, method: str, layer: str | None
) -> tuple[MapMethod, MapLayer] | None:
    """Returns method and layer where no backward pass is needed."""
    # A map for each class has no weights, so the gradient methods look at what it is made of.
    if exact.kind == "class maps" and method not in {"auto", "cam"}:
        return None
    asked = None if layer is None else layers.named(layer)
    place = layers.exact(exact)
    if asked is not None:
        if asked.op.index not in {place.op.index, exact.features.index}:
            return None
        place = MapLayer(place.op, asked.reason, place.place_dims, is_last=True)
    name = "cam" if method == "auto" else method
    return next(item for item in METHODS if item == name), place


def _automatic(found: Head, place: MapLayer) -> MapMethod:
    averages = found.pool_function == "avg" and found.kind != "other"
    return "grad-cam" if averages or not place.is_last else "hirescam"


def _gradient_method(method: str) -> MapMethod:
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

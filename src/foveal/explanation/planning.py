"""How one network is explained at one size of image: decided once, used for every batch."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from foveal.errors import ModelError, UsageError
from foveal.explanation.exact_head import ExactHead, exact_head
from foveal.explanation.heat_map import ASKED_FOR
from foveal.explanation.methods import AUTO, method_named
from foveal.graph import Graph, Head, Op, head
from foveal.layers import Layer, MapLayer, Maps, find_map, find_site
from foveal.layers.maps import IDLE, POOLS

_OCCLUSION = "Use occlusion, which looks at the image alone and suits every network."


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

    method: str
    layer: MapLayer
    reason: str
    exact: ExactHead | None


def make_plan(
    model: torch.nn.Module, graph: Graph, *, method: str = "auto", layer: str | None = None
) -> Plan:
    """Decides on method and layer.

    ``"auto"`` is CAM where the head averages the features for one linear layer, for there the
    score is the mean of the map. Elsewhere it is Grad-CAM where the head averages, since
    the gradient is then the same at every position and nothing is lost by averaging it, and
    HiResCAM where the head treats positions differently (flattening, maximum, no usual head):
    averaged gradients would there light up positions that the head does not use (Draelos and
    Carin 2020). At a layer that was asked for and is not the last one, it is Grad-CAM.

    Args:
        model: The network; run on one grey image where a layer is named that tracing did not reach.
        graph: Traced in evaluation mode, at the size of the images.
        method: A name of ``METHODS`` that weighs the result of a layer, or ``"auto"``.
        layer: Name of an operation, or of a module, which stands for its last operation; the
            last map if None.

    Raises:
        UsageError: Unknown method or layer, or one that does not fit the other.
        ModelError: The network has no map.
    """
    if method != AUTO and method_named(method).run is not None:
        raise UsageError(f"{method} weighs no result of a layer, so it has no plan.")
    asked = None if layer is None else find_map(model, graph, layer)
    if asked is not None and graph.status != "complete" and method != "cam":
        # Of the head nothing is known, but the layer is.
        return Plan("grad-cam" if method == AUTO else method, asked, ASKED_FOR, None)
    found = head(graph)
    choice = LayerChoice(graph, found)
    exact = exact_head(graph, found)
    if isinstance(exact, ExactHead):
        plan = _exact_plan(choice, exact, method, asked)
        if plan is not None:
            return plan
    if method == "cam":
        raise _no_cam(graph, exact, layer)
    if asked is not None:
        chosen, reason = asked, ASKED_FOR
    elif isinstance(exact, ExactHead) and exact.kind == "linear":
        chosen, reason = choice.exact(exact)
    else:
        chosen, reason = choice.last()
    is_last = asked is None or choice.is_last(asked)
    name = _automatic(found, is_last=is_last) if method == AUTO else method
    return Plan(name, chosen, reason, None)


def _exact_plan(
    choice: LayerChoice, exact: ExactHead, method: str, asked: MapLayer | None
) -> Plan | None:
    """Returns the plan where no backward pass is needed."""
    name = "cam" if method == AUTO else method
    if method_named(name).closed_form is None:
        return None
    # A map for each class has no weights, so the gradient methods look at what it is made of.
    if exact.kind == "class maps" and name != "cam":
        return None
    layer, reason = choice.exact(exact)
    if asked is not None:
        if asked.name not in {layer.name, exact.features.name}:
            return None
        reason = ASKED_FOR
    return Plan(name, layer, reason, exact)


def _automatic(found: Head, *, is_last: bool) -> str:
    averages = found.pool_function == "avg" and found.kind != "other"
    return "grad-cam" if averages or not is_last else "hirescam"


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


class LayerChoice:
    """Chooses layers of a graph by its head; the graph is complete."""

    def __init__(self, graph: Graph, head: Head) -> None:
        self._graph = graph
        self._head = head
        self._maps = Maps(graph)

    def exact(self, exact: ExactHead) -> tuple[MapLayer, str]:
        """Returns the layer of an exact head, and why.

        Raises:
            ModelError: It averages tokens, whose positions are not known.
        """
        if exact.kind == "class maps":
            reason = (
                f"It is the map that {exact.linear!r} gives for each class; {exact.pool!r} "
                "averages it, so the score is its mean."
            )
        else:
            reason = (
                f"It is the last map: {exact.pool!r} averages it for {exact.linear!r}, so the "
                "score is the mean of the map and the bias."
            )
        op = exact.features if exact.kind == "class maps" else self._before(exact.features)
        return self._required(op), reason

    def last(self) -> tuple[MapLayer, str]:
        """Returns the last layer with a map before the network pools or flattens, and why.

        Raises:
            ModelError: There is none, as in a transformer that reads a token.
        """
        if self._head.features is not None:
            op = self._before(self._graph.op(self._head.features), POOLS)
            return self._required(op), f"It is the last map: {self._head.reason}."
        found = self._maps.last()
        if found is None:
            raise self._without_map()
        op, is_followed = found
        if is_followed:
            reason = (
                "It is the last map with more than one position: the image is too small for those "
                "after it."
            )
        else:
            reason = f"It is the last map; the head is no usual one: {self._head.reason}."
        return self._required(op), reason

    def is_last(self, layer: MapLayer) -> bool:
        """Whether nothing but the head comes after a layer."""
        if self._head.features is None:
            return False
        op = self._graph.op(self._head.features)
        return layer.name in {op.name, self._before(op).name, self._before(op, POOLS).name}

    def _before(self, op: Op, more: frozenset[str] = frozenset()) -> Op:
        """Walks back over what changes no value (and over pooling, if that is among ``more``)."""
        while op.kind in IDLE | more and len(op.inputs) == 1 and op.inputs[0].kind == "op":
            op = self._graph.ops[op.inputs[0].index]
        return op

    def _required(self, op: Op) -> MapLayer:
        dims = self._maps.dims(op)
        if dims is None:
            raise self._without_map()
        return MapLayer(Layer(op.name, op, find_site(self._graph, op)), op.output_shape, dims)

    def _without_map(self) -> ModelError:
        features = self._head.features
        shape = "" if features is None else f" of shape {self._graph.op(features).output_shape}"
        what = "nothing" if features is None else f"{features!r}{shape}"
        return ModelError(
            f"{self._graph.model_type} has no map before its head, which reads {what}: "
            f"{self._head.reason}.",
            next_step=_OCCLUSION,
        )

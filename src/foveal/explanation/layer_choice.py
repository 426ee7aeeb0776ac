"""At which layer to look, and why."""

from __future__ import annotations

from foveal.errors import ModelError
from foveal.explanation.exact_head import ExactHead
from foveal.graph import Graph, Head, Op
from foveal.layers import Layer, MapLayer, Maps, find_site
from foveal.layers.maps import IDLE, POOLS

ASKED_FOR = "It was asked for."
_OCCLUSION = "Use occlusion, which looks at the image alone and suits every network."


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

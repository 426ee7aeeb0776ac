"""At which layer to look, and why."""

from __future__ import annotations

from dataclasses import dataclass

from foveal.errors import ModelError, UsageError
from foveal.explanation.exact_head import ExactHead
from foveal.graph import Graph, Head, Op, place_dims
from foveal.text import near_names

_POOLS = frozenset({"max_pool", "avg_pool", "adaptive_pool"})
_IDLE = frozenset({"dropout", "copy"})
_OCCLUSION = "Use occlusion, which looks at the picture alone and suits every network"
# The results of these are [N, C, h, w] by definition, however little is known of what came.
_MAKES_MAPS = frozenset(
    {"conv", "conv_transpose", "batch_norm", "instance_norm", "interpolate", "pixel_shuffle"}
    | _POOLS
)
_KEEPS_MAPS = frozenset({"activation", "elementwise", "add", "mul", "concat", "group_norm"} | _IDLE)


@dataclass(frozen=True, slots=True)
class MapLayer:
    """An operation whose result has places.

    Attributes:
        op: The operation.
        reason: Why this one, as a sentence.
        place_dims: Which dimensions of its result are height and width: (2, 3), or (1, 2)
            where the channels come last.
        is_last: Whether nothing but the head comes after it.
    """

    op: Op
    reason: str
    place_dims: tuple[int, int]
    is_last: bool

    @property
    def grid(self) -> tuple[int, int]:
        """(h, w) of its map."""
        height, width = self.place_dims
        return self.op.output_shape[height], self.op.output_shape[width]


class MapLayers:
    """Which operations of a graph have maps."""

    def __init__(self, graph: Graph, head: Head) -> None:
        self._graph = graph
        self._head = head
        self._dims = place_dims(graph)

    def exact(self, exact: ExactHead) -> MapLayer:
        """Returns the layer of an exact head.

        Raises:
            ModelError: It averages tokens, whose places are not known.
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
        op = exact.features if exact.kind == "class maps" else self._behind_idle(exact.features)
        dims = self._places(op)
        if dims is None:
            raise self._without_places()
        return MapLayer(op, reason, dims, is_last=True)

    def last(self) -> MapLayer:
        """Returns the last layer with a map before the network pools or flattens.

        Raises:
            ModelError: There is none, as in a transformer that reads a token.
        """
        found = self._head.features
        if found is None:
            return self._last_known()
        op = self._behind_idle(self._graph.op(found), _POOLS)
        dims = self._places(op)
        if dims is None:
            raise self._without_places()
        return MapLayer(op, f"It is the last map: {self._head.reason}.", dims, is_last=True)

    def named(self, name: str) -> MapLayer:
        """Returns the layer that a user named: an operation, or a module by its last one.

        Raises:
            UsageError: Nothing is called so, or it has no map; near names are offered.
        """
        op = self._find(name)
        dims = self._places(op)
        if dims is None:
            shape = ", ".join(map(str, op.output_shape))
            raise UsageError(
                f"layer {name!r} has no map with places: its result is ({shape}).",
                next_step=self._advice(),
            )
        return MapLayer(op, "It was asked for.", dims, is_last=op.name in self._last_names())

    def _find(self, name: str) -> Op:
        ops = self._graph.ops
        exact = next((op for op in ops if op.name == name), None)
        inside = [op for op in ops if f"{op.module_path}.".startswith(f"{name}.")]
        if exact is not None:
            return exact
        if inside and name:
            return inside[-1]
        names = dict.fromkeys(op.name for op in ops)
        for op in ops:
            parts = op.module_path.split(".")
            names.update(dict.fromkeys(".".join(parts[:end]) for end in range(1, len(parts) + 1)))
        near = near_names(name, filter(None, names))
        raise UsageError(
            f"{self._graph.model_type} has neither operation nor module named {name!r}.",
            next_step=f"Did you mean {' or '.join(near)}?" if near else self._advice(),
        )

    def _behind_idle(self, op: Op, more: frozenset[str] = frozenset()) -> Op:
        """Walks back over what changes no value (and over pooling, if that is among ``more``)."""
        while op.kind in _IDLE | more and len(op.inputs) == 1 and op.inputs[0].kind == "op":
            op = self._graph.ops[op.inputs[0].index]
        return op

    def _places(self, op: Op) -> tuple[int, int] | None:
        shape = op.output_shape
        if len(shape) != 4 or len(op.output_shapes) != 1:
            return None
        found = self._dims[op.index]
        dims = (2, 3) if found is None and self._is_map(op) else found
        if dims is None or len(dims) != 2 or dims not in {(2, 3), (1, 2)}:
            return None
        height, width = dims
        return (height, width) if shape[height] * shape[width] > 1 else None

    def _is_map(self, op: Op | None) -> bool:
        while op is not None and op.kind in _KEEPS_MAPS:
            source = op.inputs[0] if op.inputs else None
            op = self._graph.ops[source.index] if source and source.kind == "op" else None
        return op is not None and op.kind in _MAKES_MAPS

    def _last_known(self) -> MapLayer:
        for op in reversed(self._graph.ops):
            dims = self._places(op)
            if dims is not None and self._dims[op.index] is not None:
                reason = f"It is the last map; the head is no usual one: {self._head.reason}."
                if any(self._dims[index] for index in range(op.index + 1, len(self._dims))):
                    reason = (
                        "It is the last map with more than one place: the picture is too small "
                        "for those after it."
                    )
                return MapLayer(op, reason, dims, is_last=True)
        raise self._without_places()

    def _without_places(self) -> ModelError:
        features = self._head.features
        shape = "" if features is None else f" of shape {self._graph.op(features).output_shape}"
        what = "nothing" if features is None else f"{features!r}{shape}"
        return ModelError(
            f"{self._graph.model_type} has no map with places before its head, which reads "
            f"{what}: {self._head.reason}.",
            next_step=f"{_OCCLUSION}.",
        )

    def _last_names(self) -> frozenset[str]:
        features = self._head.features
        if features is None:
            return frozenset()
        op = self._graph.op(features)
        return frozenset({features, self._behind_idle(op).name, self._behind_idle(op, _POOLS).name})

    def _advice(self) -> str:
        """Names the last layer that does have a map."""
        for op in reversed(self._graph.ops):
            dims = self._places(op)
            if dims is not None:
                height, width = (op.output_shape[dim] for dim in dims)
                return (
                    f"The last layer with a map is {op.name!r} ({height} x {width}); name it as "
                    "layer."
                )
        return f"No layer of this network has a map. {_OCCLUSION}."

"""Layers whose result is a map: one value for each channel and position of the image."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from foveal.errors import UsageError
from foveal.graph import Graph, Op, Shape, position_dims
from foveal.layers.finding import Layer, find_layer
from foveal.layers.results import result_at

POOLS = frozenset({"max_pool", "avg_pool", "adaptive_pool"})
# In evaluation mode these hand on what they are given.
IDLE = frozenset({"dropout", "copy"})
# The results of these are [N, C, h, w] by definition, however little is known of their input.
_MAKES_MAPS = frozenset(
    {"conv", "conv_transpose", "batch_norm", "instance_norm", "interpolate", "pixel_shuffle"}
    | POOLS
)
_KEEPS_MAPS = frozenset({"activation", "elementwise", "add", "mul", "concat", "group_norm"} | IDLE)


@dataclass(frozen=True, slots=True)
class MapLayer:
    """A layer whose result is a map.

    Attributes:
        layer: The layer.
        shape: Of its result, with the batch first.
        position_dims: Which dimensions are height and width: (2, 3), or (1, 2) where the
            channels come last.
    """

    layer: Layer
    shape: Shape
    position_dims: tuple[int, int]

    @property
    def name(self) -> str:
        """Of the layer."""
        return self.layer.name

    @property
    def grid(self) -> tuple[int, int]:
        """(h, w) of the map."""
        height, width = self.position_dims
        return self.shape[height], self.shape[width]

    def channels_first(self, result: Tensor) -> Tensor:
        """Returns the layer's result as [N, C, h, w]."""
        return result if self.position_dims == (2, 3) else result.permute(0, 3, 1, 2)


class Maps:
    """Which operations of a graph give maps."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._dims = position_dims(graph)

    def dims(self, op: Op) -> tuple[int, int] | None:
        """Returns which dimensions of a result are height and width; None where it is no map."""
        shape = op.output_shape
        if len(shape) != 4 or len(op.output_shapes) != 1:
            return None
        found = self._dims[op.index]
        dims = (2, 3) if found is None and self._is_map(op) else found
        if dims is None or len(dims) != 2 or dims not in {(2, 3), (1, 2)}:
            return None
        height, width = dims
        return (height, width) if shape[height] * shape[width] > 1 else None

    def last(self) -> tuple[Op, bool] | None:
        """Returns the last operation whose map has more than one position for sure.

        And whether maps of one position follow it; None where there is no such operation.
        """
        for op in reversed(self._graph.ops):
            if self.dims(op) is not None and self._dims[op.index] is not None:
                later = range(op.index + 1, len(self._dims))
                return op, any(self._dims[index] for index in later)
        return None

    def advice(self) -> str | None:
        """Returns which layer is the last that has a map, as a sentence."""
        for op in reversed(self._graph.ops):
            dims = self.dims(op)
            if dims is not None:
                height, width = (op.output_shape[dim] for dim in dims)
                return f"The last layer with a map is {op.name!r} ({height} x {width})."
        return None

    def _is_map(self, op: Op | None) -> bool:
        while op is not None and op.kind in _KEEPS_MAPS:
            source = op.inputs[0] if op.inputs else None
            op = self._graph.ops[source.index] if source and source.kind == "op" else None
        return op is not None and op.kind in _MAKES_MAPS


def find_map(model: torch.nn.Module, graph: Graph, name: str) -> MapLayer:
    """Returns the layer of that name, whose result has to be a map.

    Args:
        model: The network; run on one grey image where its graph is not complete.
        graph: Of the network, for images of one size.
        name: Of an operation or module: see :func:`~foveal.layers.finding.find_layer`.

    Raises:
        UsageError: There is no such layer, or its result is no map.
    """
    layer = find_layer(model, graph, name)
    if layer.op is None:
        shape = tuple(result_at(model, layer.site, grey_image(model, graph)).shape)
        dims: tuple[int, int] | None = (2, 3) if len(shape) == 4 and max(shape[2:]) > 1 else None
        advice = None
    else:
        maps = Maps(graph)
        shape, dims, advice = layer.op.output_shape, maps.dims(layer.op), maps.advice()
    if dims is None:
        count = 1 if layer.op is None else len(layer.op.output_shapes)
        found = shape if count == 1 else f"{count} tensors"
        raise UsageError(
            f"layer {name!r} has no map: its result is {found}, expected [N, C, h, w] with "
            "more than one position.",
            next_step=advice or "Name a layer before the network pools or flattens.",
        )
    return MapLayer(layer, shape, dims)


def grey_image(model: torch.nn.Module, graph: Graph) -> Tensor:
    """Returns one grey image [1, C, H, W] as the network was traced for, on its device."""
    given = graph.inputs[0]
    anchor = next(model.parameters(), torch.zeros(()))
    dtype: torch.dtype = getattr(torch, given.dtype)
    return torch.full(given.shape, 0.1, dtype=dtype, device=anchor.device)

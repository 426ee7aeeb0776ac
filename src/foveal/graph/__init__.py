"""One exact, frozen graph of any network, and what can be read from it."""

from foveal.graph.cut_points import CutPoint, cut_points
from foveal.graph.cutting import cut
from foveal.graph.graph import (
    AttributeValue,
    Graph,
    GraphInput,
    GraphOutput,
    Kind,
    Op,
    Parameter,
    Shape,
    Source,
)
from foveal.graph.head import Head, HeadKind, head
from foveal.graph.quantity import Quantity, Status, total
from foveal.graph.receptive_field import ReceptiveField, position_dims, receptive_fields
from foveal.graph.tracing import trace

__all__ = [
    "AttributeValue",
    "CutPoint",
    "Graph",
    "GraphInput",
    "GraphOutput",
    "Head",
    "HeadKind",
    "Kind",
    "Op",
    "Parameter",
    "Quantity",
    "ReceptiveField",
    "Shape",
    "Source",
    "Status",
    "cut",
    "cut_points",
    "head",
    "position_dims",
    "receptive_fields",
    "total",
    "trace",
]

"""One exact, frozen graph of any network, and what can be read from it."""

from foveal.graph.cut_points import CutPoint, cut_points
from foveal.graph.cutting import cut
from foveal.graph.figure import Figure, Status, total
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
from foveal.graph.receptive_field import ReceptiveField, place_dims, receptive_fields
from foveal.graph.tracing import trace

__all__ = [
    "AttributeValue",
    "CutPoint",
    "Figure",
    "Graph",
    "GraphInput",
    "GraphOutput",
    "Head",
    "HeadKind",
    "Kind",
    "Op",
    "Parameter",
    "ReceptiveField",
    "Shape",
    "Source",
    "Status",
    "cut",
    "cut_points",
    "head",
    "place_dims",
    "receptive_fields",
    "total",
    "trace",
]
